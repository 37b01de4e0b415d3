import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split


def make_features(df):
    df = df.copy()
    df["age"] = 2024 - df["built"]
    df["rooms_per_area"] = df["rooms"] / df["area"].clip(lower=1)
    df["log_area"] = np.log1p(df["area"])
    df["has_garden"] = df["garden"].fillna(0) > 0
    return df[["age", "rooms_per_area", "log_area", "has_garden"]]


if __name__ == "__main__":
    df = pd.read_csv("data/houses.csv")
    y = df["price"]
    X = make_features(df.drop(columns=["price"]))
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    model = RandomForestRegressor(random_state=0).fit(X_train, y_train)
    print(mean_absolute_error(y_test, model.predict(X_test)))
    joblib.dump(model, "model.joblib")
