"""Error rates by age band and region; the gaps go to the model card."""

import pandas as pd
from fairlearn.metrics import MetricFrame, false_negative_rate, false_positive_rate


def gaps(held: pd.DataFrame, guesses: pd.Series) -> pd.Series:
    """The largest difference of each error rate between groups."""
    frame = MetricFrame(
        metrics={"fpr": false_positive_rate, "fnr": false_negative_rate},
        y_true=held["churned"],
        y_pred=guesses,
        sensitive_features=held["region"],
    )
    return frame.difference()
