"""The metrics of each task, over labelled rows, with intervals that resample clusters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isinf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlwright.model.metrics import LOSSES, METRICS
from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring import ranking
from mlwright.stages.monitoring.clusters import (
    HOURS,
    LOSS,
    SHARE,
    SIGNED,
    Clusters,
    bootstrapped,
    drawn,
    estimates,
)
from mlwright.stages.monitoring.statistics import (
    auc_clustered,
    average_precision,
    brier_clustered,
    normal_interval,
    precision_steps,
)

_Floats = NDArray[np.float64]
_Of = Callable[[_Floats], Mapping[str, _Floats]]

_BINS: Final = 200
"""Bins that draws of a metric are read from which no sums give: average precision, the median error."""
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    **{name: LOSS if name in LOSSES else SHARE for names in METRICS.values() for name in names},
    "bias": SIGNED,
    "r2": (-np.inf, 1.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Rows whose label is known, all arrays of shape (n,), all numbers finite.

    ``scores`` are scores, predicted numbers, or numbers of predicted classes; ``weights`` say how many served rows each
    one stands for; ``groups`` number the rankings, where the task is one.
    """

    labels: _Floats
    scores: _Floats
    weights: _Floats
    clusters: Clusters
    groups: NDArray[np.intp] | None = None

    def __len__(self) -> int:
        return len(self.labels)


def measure(
    rows: Labelled, *, task: str, metric: str, threshold: float, level: float, only: str | None = None
) -> dict[str, Estimate]:
    """All metrics of a task that are defined on some rows.

    The intervals of AUC and Brier score are analytic (see ``statistics.py``), all others percentiles of cluster draws
    (see ``clusters.py``); each says so.

    Args:
        rows: what is known.
        task: one of :data:`METRICS`.
        metric: of a ranking, what is measured besides the usual ones.
        threshold: from which score on a binary answer counts as yes.
        level: of the intervals.
        only: what is asked for, None for all; of a binary task nothing else is measured.

    Returns:
        In the order of :data:`METRICS`. Brier score and log loss are of probabilities only: scores in [0, 1].
    """
    if not len(rows):
        return {}
    if task == "binary":
        return _binary(rows, threshold, level, only)
    if task == "classes":
        return _classes(rows, level)
    return _regression(rows, level) if task == "regression" else _ranking(rows, metric, level)


def _binary(rows: Labelled, threshold: float, level: float, only: str | None) -> dict[str, Estimate]:
    label, score, weight = rows.labels, rows.scores, rows.weights
    number = rows.clusters.number
    said, true = score >= threshold, label > 0.5
    parts = [
        weight * (said & true),
        weight * (said & ~true),
        weight * (~said & true),
        weight * (~said & ~true),
    ]
    if probable := bool(score.min() >= 0 and score.max() <= 1):
        edge = np.finfo(np.float64).eps
        right = np.clip(np.where(true, score, 1 - score), edge, 1.0)
        parts.append(-weight * np.log(right))

    def of(totals: _Floats) -> Mapping[str, _Floats]:
        tp, fp, fn, tn = totals[:, :4].T
        every = tp + fp + fn + tn
        made = {
            "accuracy": (tp + tn) / every,
            "precision": tp / (tp + fp),
            "recall": tp / (tp + fn),
            "specificity": tn / (tn + fp),
            "f1": 2 * tp / (2 * tp + fp + fn),
        }
        return {**({"log_loss": totals[:, 4] / every} if probable else {}), **made}

    found: dict[str, Estimate | None] = {}
    if only in (None, "auc"):
        found["auc"] = _analytic(auc_clustered(label, score, number, weight), level, rows.clusters)
    if only in (None, "brier") and probable:
        found["brier"] = _analytic(brier_clustered(label, score, number, weight), level, rows.clusters)
    if only in (None, "average_precision"):
        found["average_precision"] = _average_precision(rows, level)
    if only not in ("auc", "brier", "average_precision"):
        found |= _resampled(rows, parts, of, level)
    return {name: found[name] for name in METRICS["binary"] if found.get(name)}  # type: ignore[misc]


def _analytic(measured: tuple[float, float] | None, level: float, clusters: Clusters) -> Estimate | None:
    if measured is None:
        return None
    value, error = measured
    lower, upper = normal_interval(value, error, level, clusters=clusters.count)
    if isinf(error) or clusters.count < 2:
        assumption = (
            f"too few {clusters.words} with labels of both classes to say: the interval is the whole range"
        )
    else:
        assumption = (
            f"{clusters.words} are independent; rows within one need not be; Student's t over {clusters.count} "
            f"{clusters.words} with {clusters.count - 1} degrees of freedom"
        )
        if clusters.by == "hour":
            assumption += HOURS
    return Estimate(value=value, lower=lower, upper=upper, level=level, assumption=assumption)


def _resampled(rows: Labelled, parts: list[_Floats], of: _Of, level: float) -> dict[str, Estimate]:
    totals = drawn(rows.clusters.sums(np.column_stack(parts)))
    return estimates(totals, of, rows.clusters, level=level, ranges=_RANGES)


def _average_precision(rows: Labelled, level: float) -> Estimate | None:
    value = average_precision(rows.labels, rows.scores, rows.weights)
    if value is None:
        return None
    place = _places(-rows.scores)
    bins = int(place.max()) + 1
    ones = drawn(rows.clusters.histogram(place, bins, rows.weights * rows.labels))
    every = drawn(rows.clusters.histogram(place, bins, rows.weights))
    draws = precision_steps(ones, every)
    return bootstrapped(value, draws[1:], rows.clusters, level=level, within=SHARE)


def _classes(rows: Labelled, level: float) -> dict[str, Estimate]:
    """Macro means are over the classes that occur in labels or answers; one never answered has precision 0."""
    names, code = np.unique(np.concatenate([rows.labels, rows.scores]), return_inverse=True)
    true, said = code[: len(rows)], code[len(rows) :]
    k = len(names)
    right = rows.clusters.histogram(true, k, rows.weights * (true == said))
    asked = rows.clusters.histogram(true, k, rows.weights)
    given = rows.clusters.histogram(said, k, rows.weights)

    def of(totals: _Floats) -> Mapping[str, _Floats]:
        hit, of_label, of_answer = totals[:, :k], totals[:, k : 2 * k], totals[:, 2 * k :]

        def mean(part: _Floats, whole: _Floats) -> _Floats:
            return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0).mean(axis=1))

        return {
            "accuracy": hit.sum(axis=1) / of_label.sum(axis=1),
            "macro_precision": mean(hit, of_answer),
            "macro_recall": mean(hit, of_label),
            "macro_f1": mean(2 * hit, of_label + of_answer),
        }

    totals = drawn(np.hstack([right, asked, given]))
    return estimates(totals, of, rows.clusters, level=level, ranges=_RANGES)


def _regression(rows: Labelled, level: float) -> dict[str, Estimate]:
    weight, off = rows.weights, rows.scores - rows.labels
    # Around the mean, so that large labels do not cancel in the sum of squares.
    label = rows.labels - np.average(rows.labels, weights=weight)
    with np.errstate(over="ignore"):
        parts = [
            weight,
            weight * np.abs(off),
            weight * off**2,
            weight * off,
            weight * label,
            weight * label**2,
        ]

    def of(totals: _Floats) -> Mapping[str, _Floats]:
        mass, absolute, squared, signed, first, second = totals.T
        spread = second - first**2 / mass
        return {
            "mae": absolute / mass,
            "rmse": np.sqrt(squared / mass),
            "mse": squared / mass,
            "bias": signed / mass,
            "r2": np.where(spread > 0, 1 - squared / spread, np.nan),
        }

    found: dict[str, Estimate | None] = {**_resampled(rows, parts, of, level)}
    found["median_error"] = _median_error(rows, np.abs(off), level)
    return {name: found[name] for name in METRICS["regression"] if found.get(name)}  # type: ignore[misc]


def _median_error(rows: Labelled, off: _Floats, level: float) -> Estimate | None:
    """The weighted median of absolute errors; draws are read between the edges of quantile bins."""
    order = np.argsort(off, kind="stable")
    mass = np.cumsum(rows.weights[order])
    half = mass[-1] / 2
    at = int(np.searchsorted(mass, half, side="left"))
    # Where half lies between two rows, the middle of both, as of an even number of rows.
    after = min(at + 1, len(off) - 1) if mass[at] == half else at
    value = float((off[order[at]] + off[order[after]]) / 2)
    place = _places(off)
    bins = int(place.max()) + 1
    lowest, highest = np.full(bins, np.inf), np.zeros(bins)
    np.minimum.at(lowest, place, off)
    np.maximum.at(highest, place, off)
    share = np.cumsum(drawn(rows.clusters.histogram(place, bins, rows.weights)), axis=1)
    middle = share[:, -1:] / 2
    found = np.minimum((share < middle).sum(axis=1), bins - 1)
    before = np.where(found > 0, share[np.arange(len(share)), found - 1], 0.0)
    inside = share[np.arange(len(share)), found] - before
    part = np.divide(middle[:, 0] - before, inside, out=np.zeros_like(before), where=inside > 0)
    draws = lowest[found] + part * (highest[found] - lowest[found])
    return bootstrapped(value, draws[1:], rows.clusters, level=level, within=LOSS)


def _ranking(rows: Labelled, metric: str, level: float) -> dict[str, Estimate]:
    groups = rows.groups if rows.groups is not None else np.arange(len(rows))
    found = ranking.rankings(groups, rows.scores, rows.labels)
    if not len(found.starts):
        return {}
    weight = rows.weights[found.first]
    clusters = rows.clusters.at(found.first)
    names = ranking.names(metric)
    parts = [weight, *(weight * ranking.values(found, name) for name in names)]

    def of(totals: _Floats) -> Mapping[str, _Floats]:
        return {name: totals[:, 1 + k] / totals[:, 0] for k, name in enumerate(names)}

    totals = drawn(clusters.sums(np.column_stack(parts)))
    return estimates(totals, of, clusters, level=level, ranges=dict.fromkeys(names, SHARE))


def _places(values: _Floats) -> NDArray[np.intp]:
    """The quantile bin of each value, from 0; equal values share one."""
    edges = np.unique(np.quantile(values, np.arange(1, _BINS) / _BINS, method="lower"))
    return np.searchsorted(edges, values, side="left")
