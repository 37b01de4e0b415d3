import logging

import pandas as pd
from kedro.pipeline import Pipeline, node, pipeline
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import train_test_split


def split_data(data: pd.DataFrame, parameters: dict) -> tuple:
    X = data[parameters["features"]]
    y = data["price"]
    return train_test_split(X, y, test_size=parameters["test_size"], random_state=parameters["random_state"])


def train_model(X_train: pd.DataFrame, y_train: pd.Series) -> LinearRegression:
    return LinearRegression().fit(X_train, y_train)


def evaluate_model(regressor: LinearRegression, X_test: pd.DataFrame, y_test: pd.Series) -> dict:
    guesses = regressor.predict(X_test)
    found = {"r2": r2_score(y_test, guesses), "mae": mean_absolute_error(y_test, guesses)}
    logging.getLogger(__name__).info("r2 %.3f, mae %.1f", found["r2"], found["mae"])
    return found


def create_pipeline() -> Pipeline:
    return pipeline(
        [
            node(split_data, ["model_input_table", "params:model_options"], ["X_train", "X_test", "y_train", "y_test"]),
            node(train_model, ["X_train", "y_train"], "regressor"),
            node(evaluate_model, ["regressor", "X_test", "y_test"], "metrics"),
        ]
    )
