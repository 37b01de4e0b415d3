"""What a diagnosis looks at: a reference and a current sample, and whatever else is known of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.model.diagnosis import Happening

Floats = NDArray[np.float64]
Scorer = Callable[[pl.DataFrame], Floats]
"""The recorded model: features → score for each row; it must not look at anything else."""


class Task(StrEnum):
    """What the model does, and with it the loss that is looked at."""

    BINARY = "binary"
    """Label 0 or 1, score the probability of 1; the loss is the squared difference (Brier)."""
    REGRESSION = "regression"
    """The loss is the absolute difference, so that one wild row is one row."""
    CLASSES = "classes"
    """Label and score are codes of classes; the loss is whether they differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows of one side. Arrays have one entry a row; ``label`` is NaN where it is not known (yet)."""

    features: pl.DataFrame
    label: Floats
    score: Floats
    at: NDArray[np.int64] | None = None
    """Event times, microseconds since 1970 in UTC."""
    cluster: NDArray[np.int64] | None = None
    """Entity or session; rows of one are not independent. None: each row for itself."""
    label_at: NDArray[np.int64] | None = None
    """When the label became known, microseconds; −1 where it is not."""
    explored: NDArray[np.bool_] | None = None
    """Rows that were answered at random and not by the model."""
    version: NDArray[np.str_] | None = None
    """The model version that answered."""
    label_source: NDArray[np.str_] | None = None
    """Who or what gave the label: an annotator, a version of the job that makes it; "" where there is none."""

    def __len__(self) -> int:
        """How many rows."""
        return len(self.label)

    def delays(self) -> Floats:
        """How long the labels that are known took, microseconds; empty where it was not recorded."""
        if self.label_at is None or self.at is None:
            return np.zeros(0)
        known = (self.label_at >= 0) & np.isfinite(self.label)
        return (self.label_at[known] - self.at[known]).astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question "why did it get worse?".

    Args of the constructor:
        reference: held-out rows with labels, not those that the model was trained on.
        current: rows as they were served.
        recomputed: the features of the current rows computed again offline as of their instant, row by row; a row that
            could not be computed is False in ``recomputed_rows``. None: there is no second copy.
        model: the recorded model; None: a surrogate is learned from the reference where one is needed.
        happenings: what was changed, any order.
        horizon: how long labels take; current rows younger than it at ``now`` are left out.
    """

    task: Task
    reference: Sample
    current: Sample
    subject: str = "the model"
    recomputed: pl.DataFrame | None = None
    recomputed_rows: NDArray[np.bool_] | None = None
    model: Scorer | None = None
    model_known: bool = False
    """The model is known to be the one that answered (by its digest). The reference's scores may then be those of
    another fit of the same recipe, as scores of held-out rows are."""
    happenings: tuple[Happening, ...] = ()
    horizon: timedelta | None = None
    now: datetime | None = None
    threshold: float = 0.5
    level: float = 0.95
    seed: int = 0
    keep_texts: tuple[str, ...] = field(default=())
    """Columns of free text, which no test takes for levels."""

    def loss(self, label: Floats, score: Floats) -> Floats:
        """The loss of each row, shape (n,); NaN where the label is."""
        return losses(self.task, label, score)


def losses(task: Task, label: Floats, score: Floats) -> Floats:
    """The loss of each row: squared difference, absolute difference, or 1 where they differ; NaN without a label."""
    if task is Task.BINARY:
        squared: Floats = np.square(label - score)
        return squared
    if task is Task.REGRESSION:
        return np.asarray(np.abs(label - score), dtype=np.float64)
    differs: Floats = np.asarray(label != score, dtype=np.float64)
    differs[np.isnan(label)] = np.nan
    return differs
