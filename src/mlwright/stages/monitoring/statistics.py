"""Quality of scores with intervals that stay honest when rows of one cluster resemble each other.

Rows of one day share weather, incidents and people; treating them as independent makes intervals far too
short. Every variance here sums the rows' influences by cluster first, so that only clusters have to be
independent.
"""

from math import inf, isinf, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

_Floats = NDArray[np.float64]


def auc_clustered(labels: ArrayLike, scores: ArrayLike, clusters: ArrayLike) -> tuple[float, float] | None:
    """Nonparametric area under the ROC curve with the cluster-robust standard error of Obuchowski (1997).

    The structural components are those of DeLong, DeLong and Clarke-Pearson (1988) with ties counted one half
    (midranks); with one row a cluster the variance is exactly theirs.

    Args:
        labels: shape (n,), 0 or 1.
        scores: shape (n,), higher means more likely 1.
        clusters: shape (n,), the cluster of each row; any values that can be sorted.

    Returns:
        The area in [0, 1] and its standard error, or None where one of the classes is missing. The standard
        error is infinite where a class occurs in fewer than two clusters: nothing is known about it.
    """
    positive = np.asarray(labels, dtype=np.float64) > 0.5
    score = np.asarray(scores, dtype=np.float64)
    cases, controls = score[positive], score[~positive]
    m, n = len(cases), len(controls)
    if m == 0 or n == 0:
        return None
    above = _share_below(np.sort(controls), cases)
    below = 1.0 - _share_below(np.sort(cases), controls)
    area = float(above.mean())

    number, count = _numbered(clusters)
    of_cases = np.bincount(number[positive], weights=above - area, minlength=count)
    of_controls = np.bincount(number[~positive], weights=below - area, minlength=count)
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


def brier_clustered(labels: ArrayLike, scores: ArrayLike, clusters: ArrayLike) -> tuple[float, float] | None:
    """Brier score with a cluster-robust standard error (the linearised ratio of sums, Liang and Zeger 1986).

    Args:
        labels: shape (n,), 0 or 1.
        scores: shape (n,), probabilities of 1.
        clusters: shape (n,), the cluster of each row.

    Returns:
        The mean squared error and its standard error (infinite with fewer than two clusters), or None
        without rows.
    """
    losses = (np.asarray(scores, dtype=np.float64) - np.asarray(labels, dtype=np.float64)) ** 2
    if len(losses) == 0:
        return None
    brier = float(losses.mean())
    number, count = _numbered(clusters)
    if count < 2:
        return brier, inf
    sums = np.bincount(number, weights=losses - brier, minlength=count)
    return brier, sqrt(count / (count - 1) * float(sums @ sums)) / len(losses)


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
    quantile = float(ndtri(tail) if clusters is None else stdtrit(clusters - 1, tail))
    low, high = clip
    return max(low, value - quantile * se), min(high, value + quantile * se)


def calibration_error(labels: ArrayLike, scores: ArrayLike, bins: int = 10) -> float | None:
    """Expected calibration error over bins of equal mass (Nguyen and O'Connor 2015).

    Equal scores always share a bin, so that the order of the rows does not matter.

    Args:
        labels: shape (n,), 0 or 1.
        scores: shape (n,), probabilities of 1.
        bins: how many bins at most.

    Returns:
        The mean over rows of ``|mean label - mean score|`` of the row's bin, in [0, 1]; None without rows.
    """
    label = np.asarray(labels, dtype=np.float64)
    score = np.asarray(scores, dtype=np.float64)
    rows = len(score)
    if rows == 0:
        return None
    upper = np.ceil(np.arange(1, bins) * rows / bins).astype(np.int64) - 1
    edges = np.unique(np.sort(score)[np.clip(upper, 0, rows - 1)])
    index = np.searchsorted(edges, score, side="left")
    return float(np.abs(np.bincount(index, weights=label - score)).sum() / rows)


def _share_below(ordered: _Floats, values: _Floats) -> _Floats:
    """Share of ``ordered`` that lies below each value, ties counted one half."""
    left = np.searchsorted(ordered, values, side="left")
    right = np.searchsorted(ordered, values, side="right")
    return (left + right) / (2.0 * len(ordered))


def _numbered(clusters: ArrayLike) -> tuple[NDArray[np.intp], int]:
    """The clusters as 0, 1, 2, ... and how many there are."""
    names, number = np.unique(np.asarray(clusters), return_inverse=True)
    return number, len(names)
