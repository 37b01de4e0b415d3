"""Why one customer got their score."""

import pandas as pd
import shap
import skops.io

from churn.features import add_features


def explain(customer: pd.DataFrame) -> pd.Series:
    """The contribution of each feature to one score."""
    model = skops.io.load("models/churn.skops", trusted=[])
    values = shap.TreeExplainer(model).shap_values(add_features(customer))
    return pd.Series(values[0])
