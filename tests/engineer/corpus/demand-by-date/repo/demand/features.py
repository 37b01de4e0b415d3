"""What is known on the evening before."""

import pandas as pd

LAGS = (1, 7, 14)


def with_lags(days: pd.DataFrame) -> pd.DataFrame:
    """The demand of earlier days beside each day of a shop."""
    days = days.sort_values(["shop", "date"]).copy()
    for lag in LAGS:
        days[f"lag_{lag}"] = days.groupby("shop")["units"].shift(lag)
    return days.dropna()
