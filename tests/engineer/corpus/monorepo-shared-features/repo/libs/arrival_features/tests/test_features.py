import pandas as pd

from arrival_features import COLUMNS, arrival_features


def test_a_sunday_is_a_weekend():
    trips = pd.DataFrame({"distance_km": [3.0], "begun_at": pd.to_datetime(["2026-10-04 08:00"])})
    made = arrival_features(trips)
    assert list(made.columns) == COLUMNS
    assert bool(made["is_weekend"].iloc[0])
