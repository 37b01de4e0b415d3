"""Rolling backtest: how the error grows with the age of the model in weeks."""

import sys

import lightgbm as lgb
import pandas as pd
from sklearn.metrics import mean_absolute_error

from demand.features import with_lags
from demand.train import COLUMNS


def backtest(days: pd.DataFrame, weeks: int = 8) -> pd.Series:
    days = days.assign(weekday=days["date"].dt.weekday)
    errors = {}
    for age in range(weeks):
        cut = days["date"].max() - pd.Timedelta(weeks=age + 1)
        fit = days[days["date"] < cut]
        check = days[days["date"] >= days["date"].max() - pd.Timedelta(weeks=1)]
        model = lgb.LGBMRegressor(random_state=5).fit(fit[COLUMNS], fit["units"])
        errors[age] = mean_absolute_error(check["units"], model.predict(check[COLUMNS]))
    return pd.Series(errors, name="error by age of the model")


if __name__ == "__main__":
    print(backtest(with_lags(pd.read_parquet(sys.argv[1]))))
