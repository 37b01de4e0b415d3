"""Every night: read, check, train, judge on the last week."""

import argparse

import mlflow
import pandas as pd
from prefect import flow, get_run_logger, task
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error

from contract import PRICES

FEATURES = ["wind_forecast", "load_forecast", "price_yesterday"]


@task(retries=3, retry_delay_seconds=60)
def read(day: str) -> pd.DataFrame:
    return PRICES.validate(pd.read_parquet(f"s3://acme-power/prices/{day}.parquet"))


@task
def fit(rows: pd.DataFrame):
    cut = rows["hour"].max() - pd.Timedelta(days=7)
    past, week = rows[rows["hour"] < cut], rows[rows["hour"] >= cut]
    model = HistGradientBoostingRegressor(random_state=8).fit(past[FEATURES], past["price"])
    return model, mean_absolute_error(week["price"], model.predict(week[FEATURES]))


@flow
def retrain(day: str) -> None:
    with mlflow.start_run():
        model, error = fit(read(day))
        mlflow.log_param("day", day)
        mlflow.log_metric("mae", error)
        mlflow.sklearn.log_model(model, "model", registered_model_name="prices")
    get_run_logger().info("mean absolute error %.2f", error)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--day", required=True)
    retrain(parser.parse_args().day)
