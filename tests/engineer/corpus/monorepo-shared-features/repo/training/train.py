"""Fit on all weeks but the last, and register."""

import sys

import mlflow
import pandas as pd
from arrival_features import arrival_features
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error


def train(past: pd.DataFrame) -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(random_state=6).fit(arrival_features(past), past["minutes"])


def main(path: str) -> None:
    trips = pd.read_parquet(path)
    cut = trips["begun_at"].max() - pd.Timedelta(days=7)
    past, week = trips[trips["begun_at"] < cut], trips[trips["begun_at"] >= cut]
    with mlflow.start_run():
        model = train(past)
        mlflow.log_param("rows", len(past))
        mlflow.log_metric("mae", mean_absolute_error(week["minutes"], model.predict(arrival_features(week))))
        mlflow.sklearn.log_model(model, "model", registered_model_name="arrivals")


if __name__ == "__main__":
    main(sys.argv[1])
