"""The names of what is measured of a model's answers, by task, and which way is better."""

import re
from collections.abc import Mapping
from typing import Final

METRICS: Final[Mapping[str, tuple[str, ...]]] = {
    "binary": (
        "auc",
        "brier",
        "log_loss",
        "accuracy",
        "precision",
        "recall",
        "specificity",
        "f1",
        "average_precision",
    ),
    "classes": ("accuracy", "macro_precision", "macro_recall", "macro_f1"),
    "regression": ("mae", "rmse", "mse", "median_error", "bias", "r2"),
    "ranking": ("ndcg", "map", "mrr", "recall", "precision", "hit"),
}
"""Of a ranking each name may carry how many answers count: ``ndcg@10``."""

LOSSES: Final = frozenset({"brier", "log_loss", "mae", "rmse", "mse", "median_error", "bias"})
"""Where less is better (of the bias: nearer to 0)."""

_AT: Final = re.compile(r"(\w+)@([1-9]\d*)")


def is_metric(name: str, task: str) -> bool:
    """Whether a task has the metric."""
    found = _AT.fullmatch(name)
    plain = found[1] if found and task == "ranking" else name
    return plain in METRICS.get(task, ())


def higher_is_better(name: str) -> bool:
    """Whether more of the metric is better."""
    return name not in LOSSES
