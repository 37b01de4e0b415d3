import sys

import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split


def train(rents: pd.DataFrame) -> tuple[Ridge, float]:
    X, y = rents.drop(columns=["rent"]), rents["rent"]
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=1)
    model = Ridge().fit(X_train, y_train)
    return model, mean_absolute_error(y_test, model.predict(X_test))


if __name__ == "__main__":
    print(train(pd.read_csv(sys.argv[1]))[1])
