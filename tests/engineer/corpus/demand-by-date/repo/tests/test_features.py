import pandas as pd

from demand.features import with_lags


def test_a_lag_never_looks_ahead():
    days = pd.DataFrame({"shop": 1, "date": pd.date_range("2026-01-01", periods=20), "units": range(20)})
    made = with_lags(days)
    assert (made["lag_1"] == made["units"] - 1).all()
