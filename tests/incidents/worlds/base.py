"""What a world is: rows before and after an instant, and a model that was fitted on neither."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.stages.monitoring.diagnosis.case import Floats, Scorer, Task

ROOT = Path(__file__).parents[3]
DATA = ROOT / ".tools" / "data"
DAY = 86_400_000_000
START = 1_700_000_000_000_000 // DAY * DAY
REFERENCE_DAYS, CURRENT_DAYS = 60, 30
Random = np.random.Generator
Relabel = Callable[[pl.DataFrame, Floats, Random], Floats]
"""Features and labels → the labels of a world whose P(Y|X) is another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of one side, as they truly are."""

    features: pl.DataFrame
    label: Floats
    at: NDArray[np.int64]
    cluster: NDArray[np.int64] | None = None
    past: pl.DataFrame | None = None
    """Aggregates as they were long before, row by row: what a source that stands still would give."""

    def __len__(self) -> int:
        return len(self.label)

    def take(self, index: NDArray[Any]) -> "Rows":
        return Rows(
            features=self.features[index],
            label=self.label[index],
            at=self.at[index],
            cluster=None if self.cluster is None else self.cluster[index],
            past=None if self.past is None else self.past[index],
        )

    def where(self, mask: NDArray[np.bool_]) -> "Rows":
        return self.take(np.flatnonzero(mask))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One generator or data set: pools to draw from, and the models that answered."""

    name: str
    task: Task
    reference: Rows
    current: Rows
    model: Scorer
    older: Scorer
    """A version that was trained on less: what a wrong roll-out would serve."""
    unsure: Callable[[pl.DataFrame], Floats]
    """How hard the model itself finds a row, at least 0: what a harder population has more of."""
    concept: Relabel
    far: Rows | None = None
    """Rows of a kind that neither training nor the reference holds."""


class Encoded:
    """Columns as numbers by what the training rows held: a level never seen is missing."""

    def __init__(self, features: pl.DataFrame) -> None:
        self.levels = {
            name: sorted(features[name].drop_nulls().unique().to_list())
            for name in features.columns
            if features.schema[name] == pl.String
        }
        self.columns = list(features.columns)

    @property
    def categorical(self) -> list[int]:
        return [at for at, name in enumerate(self.columns) if name in self.levels]

    def __call__(self, features: pl.DataFrame) -> Floats:
        found = []
        for name in self.columns:
            column = features[name]
            if name in self.levels:
                codes = {level: float(at) for at, level in enumerate(self.levels[name])}
                column = column.cast(pl.String).replace_strict(codes, default=None, return_dtype=pl.Float64)
            found.append(column.cast(pl.Float64, strict=False).to_numpy())
        return np.column_stack(found).astype(np.float64)


def boosted(task: Task, rows: Rows, *, loss: str | None = None, trees: int = 60) -> tuple[Scorer, Scorer]:
    """A boosted model, and how unsure it is of a row."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    encoded = Encoded(rows.features)
    shape: dict[str, Any] = {
        "max_iter": trees,
        "learning_rate": 0.12,
        "max_leaf_nodes": 15,
        "categorical_features": encoded.categorical or None,
        "early_stopping": False,
        "random_state": 0,
    }
    table = encoded(rows.features)
    if task is Task.REGRESSION:
        half = len(rows) // 2
        model = HistGradientBoostingRegressor(loss=loss or "squared_error", **shape).fit(table, rows.label)
        first = HistGradientBoostingRegressor(loss=loss or "squared_error", **shape)
        first.fit(table[:half], rows.label[:half])
        missed = np.abs(rows.label[half:] - first.predict(table[half:]))
        error = HistGradientBoostingRegressor(loss="absolute_error", **shape).fit(table[half:], missed)
        return (
            lambda features: np.asarray(model.predict(encoded(features)), dtype=np.float64),
            lambda features: np.clip(error.predict(encoded(features)), 0, None),
        )
    classifier = HistGradientBoostingClassifier(**shape).fit(table, rows.label)
    if task is Task.CLASSES:
        return (
            lambda features: np.asarray(classifier.predict(encoded(features)), dtype=np.float64),
            lambda features: 1 - classifier.predict_proba(encoded(features)).max(axis=1),
        )

    def score(features: pl.DataFrame) -> Floats:
        return np.asarray(classifier.predict_proba(encoded(features))[:, 1], dtype=np.float64)

    return score, lambda features: doubt(score(features))


def linear(rows: Rows) -> tuple[Scorer, Scorer]:
    """A logistic regression on standardised columns and one column a level; missing is the mean."""
    from sklearn.linear_model import LogisticRegression

    encoded = Encoded(rows.features)
    table = encoded(rows.features)
    mean, spread = np.nanmean(table, axis=0), np.nanstd(table, axis=0) + 1e-12
    categorical = encoded.categorical

    def wide(features: pl.DataFrame) -> Floats:
        found = encoded(features)
        parts = [np.nan_to_num((np.delete(found - mean, categorical, 1)) / np.delete(spread, categorical))]
        for at in categorical:
            parts.append(
                (found[:, [at]] == np.arange(len(encoded.levels[encoded.columns[at]]))).astype(float)
            )
        return np.hstack(parts)

    model = LogisticRegression(max_iter=500).fit(wide(rows.features), rows.label)

    def score(features: pl.DataFrame) -> Floats:
        return np.asarray(model.predict_proba(wide(features))[:, 1], dtype=np.float64)

    return score, lambda features: doubt(score(features))


def doubt(score: Floats) -> Floats:
    """The Brier score that a calibrated model expects of itself."""
    found: Floats = score * (1 - score)
    return found


def times(count: int, random: Random, *, current: bool) -> NDArray[np.int64]:
    """Sorted instants, µs: 60 days for a reference, the 30 after it for what is current."""
    first, days = (REFERENCE_DAYS, CURRENT_DAYS) if current else (0, REFERENCE_DAYS)
    return np.sort(START + first * DAY + (random.random(count) * days * DAY).astype(np.int64))


def drawn(logit: Floats, random: Random) -> Floats:
    """Labels 0 or 1 by a logit."""
    return (random.random(len(logit)) < 1 / (1 + np.exp(-logit))).astype(np.float64)


def pick(
    random: Random, count: int, levels: Sequence[str], weights: Sequence[float] | None = None
) -> list[str]:
    shares = None if weights is None else np.asarray(weights) / np.sum(weights)
    return [levels[at] for at in random.choice(len(levels), size=count, p=shares)]


def effect(levels: Sequence[str], name: pl.Series, effects: Sequence[float]) -> Floats:
    """The effect of each row's level."""
    found = name.replace_strict(dict(zip(levels, effects, strict=True)), default=0.0, return_dtype=pl.Float64)
    return np.asarray(found.to_numpy(), dtype=np.float64)


def flipped(rule: Callable[[pl.DataFrame], NDArray[np.bool_]], share: float = 0.75) -> Relabel:
    """Where the rule holds, labels 0 and 1 change places for this share of rows: P(Y|X) is another there."""

    def relabel(features: pl.DataFrame, label: Floats, random: Random) -> Floats:
        turned = rule(features) & (random.random(len(label)) < share)
        return np.where(turned, 1 - label, label)

    return relabel


def split(rows: Rows, shares: Sequence[float], random: Random) -> list[Rows]:
    """Rows in parts at random, without a remainder."""
    order = random.permutation(len(rows))
    bounds = np.cumsum([0, *(int(len(rows) * share) for share in shares)])
    return [rows.take(np.sort(order[a:b])) for a, b in pairwise(bounds)]


def hash_of(name: str) -> int:
    """A seed of a name that is the same in every process."""
    return int.from_bytes(name.encode()[:6], "big")
