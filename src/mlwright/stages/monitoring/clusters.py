"""Clusters of rows that may resemble each other, and intervals from drawing whole clusters again and again.

Rows of one day share weather, incidents and people. Metrics that are functions of sums need the sums of each cluster
only: a draw is then one row of multiplicities times these sums, and five hundred draws are one product of matrices.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import inf, isfinite, sqrt
from typing import Final

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from mlwright.model.monitoring import Estimate

_Floats = NDArray[np.float64]

DRAWS: Final = 500
MOST: Final = 1_000
"""More clusters are put together at random to so many: the spread of their sums is the same, and known to 2 %."""
_UNDEFINED: Final = 0.05
"""SHARE of draws in which a metric may be undefined; with more, its clusters are too few for an interval."""

SHARE: Final = (0.0, 1.0)
LOSS: Final = (0.0, inf)
SIGNED: Final = (-inf, inf)
"""What values a metric can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """Which cluster each row belongs to: ``number`` of shape (n,), from 0 to ``count`` - 1. ``by`` names their kind."""

    number: NDArray[np.intp]
    count: int
    by: str

    @classmethod
    def of(cls, names: ArrayLike, by: str) -> "Clusters":
        """Number clusters by their names, shape (n,), anything that can be sorted."""
        known, number = np.unique(np.asarray(names), return_inverse=True)
        return cls(number=number, count=len(known), by=by)

    @property
    def words(self) -> str:
        """The clusters in the plural."""
        return f"{self.by}s" if self.by in ("day", "hour") else f"values of {self.by}"

    def at(self, rows: NDArray[np.intp]) -> "Clusters":
        """The clusters of some rows, in their order, under their old numbers."""
        return Clusters(number=self.number[rows], count=self.count, by=self.by)

    def sums(self, parts: _Floats) -> _Floats:
        """Sums by cluster: shape (n, k) → (clusters, k); of at most :data:`MOST` clusters."""
        number, count = self._folded()
        return np.column_stack([np.bincount(number, part, count) for part in parts.T])

    def histogram(self, place: NDArray[np.intp], bins: int, weights: _Floats) -> _Floats:
        """Sums of weights by cluster and bin: shape (clusters, bins)."""
        number, count = self._folded()
        counted = np.bincount(number * bins + place, weights, count * bins).astype(np.float64)
        return np.asarray(counted.reshape(count, bins))

    def _folded(self) -> tuple[NDArray[np.intp], int]:
        if self.count <= MOST:
            return self.number, max(self.count, 1)
        # In a random order: clusters are numbered by name, and names often go with time or kind.
        order = np.random.default_rng(0).permutation(self.count)
        return order[self.number] % MOST, MOST


def drawn(sums: _Floats) -> _Floats:
    """Totals of all clusters, then of each draw of as many clusters with replacement: (1 + draws, k)."""
    with np.errstate(all="ignore"):  # a sum may be beyond the numbers; then its metric is not defined
        totals: _Floats = _multiplicities(len(sums)) @ sums
    return totals


def estimates(
    totals: _Floats,
    metrics: Callable[[_Floats], Mapping[str, _Floats]],
    clusters: Clusters,
    *,
    level: float,
    ranges: Mapping[str, tuple[float, float]],
) -> dict[str, Estimate]:
    """Metrics with intervals: functions of totals as :func:`drawn` gives them.

    Args:
        totals: shape (1 + draws, k).
        metrics: from totals of shape (m, k) to values of shape (m,), NaN where a metric is not defined.
        clusters: what was drawn.
        level: of the intervals.
        ranges: what values each metric can have.

    Returns:
        Those that are defined on all rows.
    """
    with np.errstate(all="ignore"):
        found = metrics(totals)
    made = {
        name: bootstrapped(float(values[0]), values[1:], clusters, level=level, within=ranges[name])
        for name, values in found.items()
    }
    return {name: each for name, each in made.items() if each is not None}


def bootstrapped(
    value: float, draws: _Floats, clusters: Clusters, *, level: float, within: tuple[float, float]
) -> Estimate | None:
    """A value with its interval: percentiles of draws, made wider because few clusters vary less than new ones would.

    Distances from the middle of the draws are stretched by √(c / (c - 1)) and by Student's t with c - 1 degrees of
    freedom over the normal quantile, c clusters (as in ``no_worse.calibration_difference``). A share that is 0 or 1 in
    every cluster gets the exact bound for c trials (Clopper and Pearson 1934): nothing that was drawn can vary. None
    where the value is not finite.
    """
    if not isfinite(value):
        return None
    known = draws[np.isfinite(draws)]
    count = min(clusters.count, MOST)
    low, high = within
    if count < 2 or len(known) < (1 - _UNDEFINED) * len(draws):
        few = f"too few {clusters.words} to say: the interval is the whole range"
        return Estimate(value=value, lower=low, upper=high, level=level, assumption=few)
    tail = 0.5 + level / 2
    wider = sqrt(count / (count - 1)) * float(
        scipy.special.stdtrit(count - 1, tail) / scipy.special.ndtri(tail)
    )
    first, middle, last = np.quantile(known, [1 - tail, 0.5, tail])
    lower = max(low, value - wider * float(middle - first))
    upper = min(high, value + wider * float(last - middle))
    if within == SHARE and known.min() == known.max() and value in SHARE:
        bound = (1 - tail) ** (1 / count)
        lower, upper = (bound, 1.0) if value else (0.0, 1 - bound)
    return Estimate(value=value, lower=lower, upper=upper, level=level, assumption=assumed(clusters))


def assumed(clusters: Clusters) -> str:
    """What an interval from draws rests on, in words."""
    words = clusters.words
    text = (
        f"{words} are independent; rows within one need not be; percentiles of {DRAWS} draws of {words}, widened to "
        f"Student's t with {min(clusters.count, MOST) - 1} degrees of freedom"
    )
    return text + HOURS if clusters.by == "hour" else text


HOURS: Final = "; hours are used because labels come from fewer than two days"


@lru_cache(maxsize=64)
def _multiplicities(count: int) -> _Floats:
    """How often each cluster is drawn: once in the first row, at random in the others. Kept, because windows repeat."""
    random = np.random.default_rng(0)
    drawn_ = random.multinomial(count, np.full(count, 1 / count), DRAWS)
    made = np.vstack([np.ones((1, count)), drawn_]).astype(np.float64)
    made.flags.writeable = False
    return made
