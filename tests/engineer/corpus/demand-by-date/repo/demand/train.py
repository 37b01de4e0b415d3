"""Fit on all but the last four weeks, judge on these, beside the same weekday of the week before."""

import sys

import lightgbm as lgb
import pandas as pd
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, train_test_split

from demand.features import with_lags

COLUMNS = ["lag_1", "lag_7", "lag_14", "weekday"]


def main(path: str) -> None:
    days = with_lags(pd.read_parquet(path)).sort_values("date")
    days["weekday"] = days["date"].dt.weekday
    past, last = train_test_split(days, test_size=0.1, shuffle=False)
    search = GridSearchCV(
        lgb.LGBMRegressor(random_state=5),
        {"num_leaves": [15, 31, 63]},
        cv=TimeSeriesSplit(n_splits=4),
        scoring="neg_mean_absolute_error",
    )
    search.fit(past[COLUMNS], past["units"])
    error = mean_absolute_error(last["units"], search.predict(last[COLUMNS]))
    naive = mean_absolute_error(last["units"], last["lag_7"])
    print(f"error {error:.2f}, seasonal naive baseline {naive:.2f}")
    search.best_estimator_.booster_.save_model("models/demand.txt")


if __name__ == "__main__":
    main(sys.argv[1])
