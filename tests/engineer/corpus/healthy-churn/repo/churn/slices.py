"""Quality on the slices of config/train.yaml."""

import pandas as pd
from sklearn.metrics import roc_auc_score


def auc_by_slice(held: pd.DataFrame, scores: pd.Series, slices: list[str]) -> pd.DataFrame:
    """AUC for each value of each slice with at least 200 rows."""
    rows = []
    for name in slices:
        for value, part in held.assign(score=scores).groupby(name):
            if len(part) >= 200:
                rows.append((name, value, len(part), roc_auc_score(part["churned"], part["score"])))
    return pd.DataFrame(rows, columns=["slice", "value", "rows", "auc"])
