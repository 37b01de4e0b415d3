"""What each feature is worth: permutation importance on the held-out month, written to reports/importance.json."""

import json

import pandas as pd
import skops.io
from sklearn.inspection import permutation_importance

from churn.features import FEATURES, add_features
from churn.train import split


def main() -> None:
    _, held = split(pd.read_parquet("data/customers.parquet"))
    model = skops.io.load("models/churn.skops", trusted=[])
    found = permutation_importance(model, add_features(held), held["churned"], n_repeats=20, random_state=13)
    json.dump(dict(zip(FEATURES, found.importances_mean.tolist())), open("reports/importance.json", "w"))


if __name__ == "__main__":
    main()
