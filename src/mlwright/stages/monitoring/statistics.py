"""Quality of scores with intervals that stay honest when rows of one cluster resemble each other.

Rows of one day share weather, incidents and people; treating them as independent makes intervals far too
short. Every variance here sums the rows' influences by cluster first, so that only clusters have to be
independent.
"""

from math import inf, isinf, sqrt

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from mlwright.model.monitoring import Calibration, CalibrationBin

_Floats = NDArray[np.float64]


def auc_clustered(
    labels: ArrayLike, scores: ArrayLike, clusters: ArrayLike, weights: ArrayLike | None = None
) -> tuple[float, float] | None:
    """Nonparametric area under the ROC curve with the cluster-robust standard error of Obuchowski (1997).

    The structural components are those of DeLong, DeLong and Clarke-Pearson (1988) with ties counted one half
    (midranks); with one row a cluster the variance is exactly theirs.

    Args:
        labels: shape (n,), 0 or 1.
        scores: shape (n,), higher means more likely 1.
        clusters: shape (n,), the cluster of each row; any values that can be sorted.
        weights: shape (n,), above 0: how many rows each one stands for; None: one.

    Returns:
        The area in [0, 1] and its standard error, or None where one of the classes is missing. The standard
        error is infinite where a class occurs in fewer than two clusters: nothing is known about it.
    """
    positive = np.asarray(labels, dtype=np.float64) > 0.5
    score = np.asarray(scores, dtype=np.float64)
    weight = _weights(weights, len(score))
    of_case, of_control = weight[positive], weight[~positive]
    if len(of_case) == 0 or len(of_control) == 0:
        return None
    m, n = float(of_case.sum()), float(of_control.sum())
    above = _share_below(score[~positive], of_control, score[positive])
    below = 1.0 - _share_below(score[positive], of_case, score[~positive])
    area = float((above * of_case).sum() / m)

    number, count = _numbered(clusters)
    of_cases = np.bincount(number[positive], weights=(above - area) * of_case, minlength=count)
    of_controls = np.bincount(number[~positive], weights=(below - area) * of_control, minlength=count)
    with_cases = len(np.unique(number[positive]))
    with_controls = len(np.unique(number[~positive]))
    if with_cases < 2 or with_controls < 2:
        return area, inf
    variance = (
        with_cases / (with_cases - 1) * float(of_cases @ of_cases) / m**2
        + with_controls / (with_controls - 1) * float(of_controls @ of_controls) / n**2
        + 2 * count / (count - 1) * float(of_cases @ of_controls) / (m * n)
    )
    return area, sqrt(max(variance, 0.0))


def brier_clustered(
    labels: ArrayLike, scores: ArrayLike, clusters: ArrayLike, weights: ArrayLike | None = None
) -> tuple[float, float] | None:
    """Brier score with a cluster-robust standard error (the linearised ratio of sums, Liang and Zeger 1986).

    Args:
        labels: shape (n,), 0 or 1.
        scores: shape (n,), probabilities of 1.
        clusters: shape (n,), the cluster of each row.
        weights: shape (n,), above 0: how many rows each one stands for; None: one.

    Returns:
        The mean squared error and its standard error (infinite with fewer than two clusters), or None
        without rows.
    """
    losses = (np.asarray(scores, dtype=np.float64) - np.asarray(labels, dtype=np.float64)) ** 2
    if len(losses) == 0:
        return None
    weight = _weights(weights, len(losses))
    total = float(weight.sum())
    brier = float((losses * weight).sum() / total)
    number, count = _numbered(clusters)
    if count < 2:
        return brier, inf
    sums = np.bincount(number, weights=(losses - brier) * weight, minlength=count)
    return brier, sqrt(count / (count - 1) * float(sums @ sums)) / total


def normal_interval(
    value: float,
    se: float,
    level: float,
    clip: tuple[float, float] = (0.0, 1.0),
    *,
    clusters: int | None = None,
) -> tuple[float, float]:
    """Two-sided interval ``value ± quantile × se``, cut to the range that the value can have.

    Args:
        value: the estimate.
        se: its standard error; infinite gives the whole of ``clip``.
        level: the coverage wanted, in (0, 1).
        clip: the smallest and largest possible value.
        clusters: how many independent clusters ``se`` rests on. If given, the quantile is Student's t with
            ``clusters - 1`` degrees of freedom instead of the normal one: with few clusters ``se`` itself is
            uncertain. With one cluster the interval is the whole of ``clip``.

    Raises:
        ValueError: the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1, not {level}")
    if isinf(se) or (clusters is not None and clusters < 2):
        return clip
    tail = 0.5 + level / 2
    quantile = float(
        scipy.special.ndtri(tail) if clusters is None else scipy.special.stdtrit(clusters - 1, tail)
    )
    low, high = clip
    return max(low, value - quantile * se), min(high, value + quantile * se)


def average_precision(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float | None:
    """Area under the precision-recall steps: the mean precision at each score with a 1, ties as one step.

    None without a 1.
    """
    label, score = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    weight = _weights(weights, len(score))
    if not (label > 0.5).any():
        return None
    _, place = np.unique(-score, return_inverse=True)
    ones, every = (
        np.asarray(np.bincount(place, part), dtype=np.float64) for part in (weight * label, weight)
    )
    return float(precision_steps(ones[None], every[None])[0])


def precision_steps(ones: _Floats, all_: _Floats) -> _Floats:
    """Average precision from the weight of ones and of all rows at each score, highest first: (m, steps) → (m,)."""
    found, shown = np.cumsum(ones, axis=1), np.cumsum(all_, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(shown > 0, found / shown, 0.0)
        steps: _Floats = (ones * precision).sum(axis=1) / found[:, -1]
    return steps


def calibration_error(labels: ArrayLike, scores: ArrayLike, bins: int = 10) -> float | None:
    """Expected calibration error over bins of equal mass (Nguyen and O'Connor 2015); see :func:`calibration`."""
    found = calibration(labels, scores, bins=bins)
    return found.error if found else None


def calibration(
    labels: ArrayLike,
    scores: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    bins: int = 10,
    logit: bool = True,
) -> Calibration | None:
    """How far scores can be taken at their word.

    Equal scores always share a bin, so that the order of the rows does not matter.

    Args:
        labels: shape (n,): 0 or 1, or numbers.
        scores: shape (n,): probabilities of 1, or predictions of the numbers.
        weights: shape (n,), above 0.
        bins: how many bins at most.
        logit: slope and intercept by logistic regression on the logit of the score; else by least squares. None where
            scores are no probabilities, one class is missing, or a score separates the classes.

    Returns:
        None without rows.
    """
    label = np.asarray(labels, dtype=np.float64)
    score = np.asarray(scores, dtype=np.float64)
    weight = _weights(weights, len(score))
    rows = len(score)
    if rows == 0:
        return None
    upper = np.ceil(np.arange(1, bins) * rows / bins).astype(np.int64) - 1
    edges = np.unique(np.sort(score)[np.clip(upper, 0, rows - 1)])
    index = np.searchsorted(edges, score, side="left")
    size = len(edges) + 1
    mass, number = np.bincount(index, weight, size), np.bincount(index, minlength=size)
    said, true = np.bincount(index, weight * score, size), np.bincount(index, weight * label, size)
    line = _logistic_line(label, score, weight) if logit else _least_squares(label, score, weight)
    return Calibration(
        bins=tuple(
            CalibrationBin(
                rows=int(number[k]), score=float(said[k] / mass[k]), label=float(true[k] / mass[k])
            )
            for k in np.flatnonzero(mass)
        ),
        error=float(np.abs(true - said).sum() / mass.sum()),
        slope=line[0] if line else None,
        intercept=line[1] if line else None,
    )


def _logistic_line(label: _Floats, score: _Floats, weight: _Floats) -> tuple[float, float] | None:
    """Slope and intercept of logit P(1) on the logit of the score, by Newton's method."""
    if score.min() < 0 or score.max() > 1 or label.min() == label.max() or score.min() == score.max():
        return None
    clipped = np.clip(score, _EDGE, 1 - _EDGE)
    table = np.column_stack([np.log(clipped / (1 - clipped)), np.ones(len(score))])
    line = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        chance = scipy.special.expit(table @ line)
        gradient = table.T @ (weight * (label - chance))
        curvature = (table * (weight * chance * (1 - chance))[:, None]).T @ table
        if not np.isfinite(curvature).all() or np.linalg.cond(curvature) > _SINGULAR:
            return None
        step = np.linalg.solve(curvature, gradient)
        line = line + step
        if np.abs(step).max() < _EDGE:
            return (float(line[0]), float(line[1])) if abs(line[0]) < _STEEP else None
    return None


def _least_squares(label: _Floats, score: _Floats, weight: _Floats) -> tuple[float, float] | None:
    total = weight.sum()
    x, y = score - (weight @ score) / total, label - (weight @ label) / total
    with np.errstate(all="ignore"):
        slope = float((weight * x) @ y / ((weight * x) @ x))
    intercept = float((weight @ label - slope * (weight @ score)) / total)
    return (slope, intercept) if np.isfinite([slope, intercept]).all() else None


_EDGE = 1e-8
_STEPS = 30
_STEEP = 1e3
_SINGULAR = 1e12


def _weights(weights: ArrayLike | None, rows: int) -> _Floats:
    return np.ones(rows) if weights is None else np.asarray(weights, dtype=np.float64)


def _share_below(scores: _Floats, weights: _Floats, values: _Floats) -> _Floats:
    """Share of the weight of ``scores`` that lies below each value, ties counted one half."""
    order = np.argsort(scores, kind="stable")
    ordered, mass = scores[order], np.concatenate([[0.0], np.cumsum(weights[order])])
    left = mass[np.searchsorted(ordered, values, side="left")]
    right = mass[np.searchsorted(ordered, values, side="right")]
    return np.asarray((left + right) / (2.0 * mass[-1]))


def _numbered(clusters: ArrayLike) -> tuple[NDArray[np.intp], int]:
    """The clusters as 0, 1, 2, ... and how many there are."""
    names, number = np.unique(np.asarray(clusters), return_inverse=True)
    return number, len(names)
