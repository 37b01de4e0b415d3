"""How far two counts of the same bins lie apart.

What only the masses of bins decide (PSI, Jensen–Shannon, Hellinger, chi-square, L∞) is exact for those bins. What the
order of single values decides (Kolmogorov–Smirnov, Wasserstein) is known between two bounds, and both are told.
"""

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import ArrayLike

from mlwright.stages.monitoring.sketches import Floats, Sketch

PSEUDO_COUNT = 0.5
_NORMAL_IQR = 1.3489795003921634
"""Interquartile range of a normal distribution in its standard deviations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounded:
    """A distance that lies in ``[value, value + error]`` for the rows that were counted."""

    value: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """Pearson's chi-square of two samples over the same bins, and Cramér's V, its effect size in [0, 1]."""

    statistic: float
    freedom: int
    cramers_v: float


def psi(expected: ArrayLike, actual: ArrayLike) -> float:
    """Population stability index of two rows of counts over the same bins.

    ``sum((q - p) * ln(q / p))`` over the bins that hold anything on either side, each count raised by 0.5 so
    that an empty bin gives a finite answer. For two samples of one distribution it is about chi-square with
    B - 1 degrees of freedom times (1/n + 1/m) (Yurdakul 2018).

    Returns:
        A value >= 0; 0 for proportional counts without empty bins, for equal ones, and where a side is empty.
    """
    p, q = np.asarray(expected, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    return float(psi_rows(p[None, :], q[None, :])[0])


def psi_rows(expected: Floats, actual: Floats) -> Floats:
    """:func:`psi` of many pairs at once; both of shape ``(windows, bins)``, or the first of one row for all."""
    expected, actual = np.broadcast_arrays(expected, actual)
    used = (expected + actual) > 0
    p = np.where(used, expected + PSEUDO_COUNT, 0.0)
    q = np.where(used, actual + PSEUDO_COUNT, 0.0)
    some = (expected.sum(axis=1) > 0) & (actual.sum(axis=1) > 0)
    p = p / np.maximum(p.sum(axis=1, keepdims=True), PSEUDO_COUNT)
    q = q / np.maximum(q.sum(axis=1, keepdims=True), PSEUDO_COUNT)
    ratio = np.divide(q, p, out=np.ones_like(q), where=used)
    return np.where(some, ((q - p) * np.log(ratio)).sum(axis=1), 0.0)


def psi_noise(bins: int, before: float, now: float) -> tuple[float, float]:
    """Mean and standard deviation of the PSI of two samples of one distribution (Yurdakul 2018).

    Args:
        bins: how many hold anything.
        before: rows of the one sample.
        now: rows of the other.
    """
    if bins < 2 or before <= 0 or now <= 0:
        return 0.0, 0.0
    size = 1 / before + 1 / now
    return (bins - 1) * size, sqrt(2 * (bins - 1)) * size


def jensen_shannon(expected: ArrayLike, actual: ArrayLike) -> float:
    """Jensen–Shannon distance, base 2, of two rows of counts over the same bins (Endres and Schindelin 2003).

    Returns:
        The square root of the divergence, in [0, 1]; 1 where no bin is shared, 0 where a side is empty.
    """
    shares = _shares(expected, actual)
    if shares is None:
        return 0.0
    p, q = shares
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return sqrt(min(max(divergence, 0.0), 1.0))


def hellinger(expected: ArrayLike, actual: ArrayLike) -> float:
    """Hellinger distance of two rows of counts, in [0, 1]; 1 where no bin is shared, 0 where a side is empty."""
    shares = _shares(expected, actual)
    if shares is None:
        return 0.0
    return min(float(np.linalg.norm(np.sqrt(shares[0]) - np.sqrt(shares[1]))) / sqrt(2), 1.0)


def l_infinity(expected: ArrayLike, actual: ArrayLike) -> float:
    """The most that the share of one bin has changed, in [0, 1]; 0 where a side is empty."""
    shares = _shares(expected, actual)
    return 0.0 if shares is None else float(np.abs(shares[0] - shares[1]).max(initial=0.0))


def chi_square(expected: ArrayLike, actual: ArrayLike) -> Association:
    """Pearson's test of homogeneity of two samples, neither of which is taken for the truth.

    The statistic is told for its effect size: with 200,000 rows a p-value calls everything a change.
    """
    table = np.array([np.asarray(expected, dtype=np.float64), np.asarray(actual, dtype=np.float64)])
    table = table[:, table.sum(axis=0) > 0]
    whole = table.sum()
    if table.shape[1] < 2 or (table.sum(axis=1) == 0).any():
        return Association(statistic=0.0, freedom=0, cramers_v=0.0)
    fitted = np.outer(table.sum(axis=1), table.sum(axis=0)) / whole
    statistic = float(((table - fitted) ** 2 / fitted).sum())
    return Association(
        statistic=statistic, freedom=table.shape[1] - 1, cramers_v=min(sqrt(statistic / whole), 1.0)
    )


def kolmogorov_smirnov(reference: Sketch, current: Sketch) -> Bounded | None:
    """The largest difference of the two distribution functions of the values that are there.

    Between two edges it can exceed what is seen at them by no more than the mass of the bin. None for levels, and
    where a side has no values.
    """
    shares = _ordered(reference, current)
    if shares is None:
        return None
    p, q = shares
    before = np.concatenate(([0.0], np.cumsum(p - q)[:-1]))
    seen = float(np.abs(np.cumsum(p - q)).max())
    # Inside a cell one of the two may rise before the other does.
    inside = np.maximum(np.abs(before + p), np.abs(before - q))
    return Bounded(
        value=min(seen, 1.0), error=max(float(inside[~reference.bins.points].max(initial=0.0)) - seen, 0.0)
    )


def wasserstein(reference: Sketch, current: Sketch) -> Bounded | None:
    """The area between the two distribution functions of the finite values (the 1-Wasserstein distance).

    In each bin the signed area is exact, because it follows from the mass, the sum and the ends of the bin. It is less
    than the area only where the two functions cross inside, and by no more than the error says. None for levels, and
    where a side has no finite values.
    """
    if reference.finite <= 0 or current.finite <= 0 or not reference.bins.ordered:
        return None
    low, high = reference.spans(current)
    width = high - low
    p, above_p = _areas(reference, high)
    q, above_q = _areas(current, high)
    before = np.concatenate(([0.0], np.cumsum(p - q)[:-1]))
    after = before + p - q
    signed = before * width + above_p - above_q
    below_p, below_q = p * width - above_p, q * width - above_q
    # The positive and the negative part inside a bin, each seen from its left and from its right end.
    most = np.minimum(above_p + np.maximum(before, 0) * width, below_q + np.maximum(after, 0) * width)
    least = np.minimum(above_q + np.maximum(-before, 0) * width, below_p + np.maximum(-after, 0) * width)
    crosses = (before - q < 0) & (before + p > 0)
    error = 2 * np.where(crosses, np.maximum(np.minimum(most, least), 0.0), 0.0)
    return Bounded(value=float(np.abs(signed).sum()), error=float(error.sum()))


def spread(reference: Sketch) -> float | None:
    """What a distance is measured in: the robust deviation (interquartile range / 1.349), which one wild value cannot
    change, or the standard deviation where half of the values are one; None where all are.
    """
    low, high = reference.quantile(0.25), reference.quantile(0.75)
    if low is None or high is None:
        return None
    if high > low:
        return (high - low) / _NORMAL_IQR
    deviation = reference.deviation
    return deviation if deviation and deviation > 0 else None


def _areas(side: Sketch, high: Floats) -> tuple[Floats, Floats]:
    """Of each ordered cell: the share of the finite values, and the area below their distribution function in it."""
    masses = side.counts[: side.bins.ordered].copy()
    masses[0] -= side.infinite[0]
    masses[-1] -= side.infinite[1]
    whole = side.finite
    # Rounding of the sums must not make an area negative.
    return masses / whole, np.maximum(masses * high - side.sums, 0.0) / whole


def _ordered(reference: Sketch, current: Sketch) -> tuple[Floats, Floats] | None:
    size = reference.bins.ordered
    return _shares(reference.counts[:size], current.counts[:size]) if size else None


def _shares(expected: ArrayLike, actual: ArrayLike) -> tuple[Floats, Floats] | None:
    p, q = np.asarray(expected, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    if not 0 < p.sum() < inf or not 0 < q.sum() < inf:
        return None
    return p / p.sum(), q / q.sum()


def _relative_entropy(p: Floats, q: Floats) -> float:
    held = p > 0
    return float(np.sum(p[held] * np.log2(p[held] / q[held])))
