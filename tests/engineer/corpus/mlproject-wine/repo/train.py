import argparse

import mlflow
import pandas as pd
from sklearn.linear_model import ElasticNet
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--alpha", type=float, default=0.5)
    parser.add_argument("--l1-ratio", type=float, default=0.1)
    args = parser.parse_args()
    wine = pd.read_csv("https://raw.githubusercontent.com/acme/data/master/wine/latest.csv", sep=";")
    train, test = train_test_split(wine, random_state=40)
    mlflow.autolog()
    with mlflow.start_run():
        model = ElasticNet(alpha=args.alpha, l1_ratio=args.l1_ratio, random_state=40)
        model.fit(train.drop(columns=["quality"]), train["quality"])
        mlflow.log_metric("test_mae", mean_absolute_error(test["quality"], model.predict(test.drop(columns=["quality"]))))
