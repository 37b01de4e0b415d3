"""How fast the model grows old: train at month t - k, evaluate on month t, for all k (a rolling backtest)."""

import pandas as pd
from sklearn.metrics import roc_auc_score

from churn.features import add_features
from churn.train import train


def backtest(customers: pd.DataFrame, settings: dict, ages: range = range(1, 7)) -> pd.DataFrame:
    """AUC by the age of the model in months."""
    rows = []
    months = sorted(customers["month"].unique())
    for age in ages:
        for position in range(age, len(months)):
            fit = customers[customers["month"] <= months[position - age]]
            check = customers[customers["month"] == months[position]]
            model = train(fit, settings)
            rows.append((age, roc_auc_score(check["churned"], model.predict_proba(add_features(check))[:, 1])))
    return pd.DataFrame(rows, columns=["age", "auc"])
