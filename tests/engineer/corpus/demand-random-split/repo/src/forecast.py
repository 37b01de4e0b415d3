"""Demand of tomorrow from the demand of the last two weeks."""

import pandas as pd
from sklearn.metrics import mean_absolute_percentage_error
from sklearn.model_selection import train_test_split
from xgboost import XGBRegressor

LAGS = [1, 2, 7, 14]


def prepare(path):
    df = pd.read_csv(path)
    df["date"] = pd.to_datetime(df["date"])
    df = df.sort_values(["shop", "date"])
    for lag in LAGS:
        df[f"lag_{lag}"] = df.groupby("shop")["units"].shift(lag)
    df["mean_7"] = df.groupby("shop")["units"].transform(lambda s: s.shift(1).rolling(7).mean())
    return df.dropna()


def main():
    df = pd.read_csv("data/demand.csv")
    df["date"] = pd.to_datetime(df["date"])
    df = df.sort_values(["shop", "date"])
    for lag in LAGS:
        df[f"lag_{lag}"] = df.groupby("shop")["units"].shift(lag)
    df = df.dropna()
    X = df.drop(columns=["units", "date"])
    y = df["units"]
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=42)
    model = XGBRegressor(n_estimators=400, random_state=42)
    model.fit(X_train, y_train)
    print("MAPE", mean_absolute_percentage_error(y_test, model.predict(X_test)))
    model.save_model("models/demand.json")


if __name__ == "__main__":
    main()
