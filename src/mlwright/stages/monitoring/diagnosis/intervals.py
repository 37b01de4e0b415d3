"""Intervals of losses and of shares of a drop: a bootstrap over clusters, by sums and weights.

A draw takes clusters with replacement (Efron and Tibshirani 1993, chapter 8; Field and Welsh 2007 for clusters). A mean
needs no more of a cluster than its sum and its count, so that a draw is a product of a matrix of weights with a small
table and not a walk over the rows. Many independent clusters are first put together at random into ``_BLOCKS`` blocks:
the variance of a sum of independent blocks is that of the sum of what is in them.

How often a cluster is drawn depends on which one it is and not on the side: one that occurs on both sides of a
comparison is drawn on both or on neither, so that what is peculiar to it cancels.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from math import inf, sqrt
from typing import Final

import numpy as np
import scipy
from numpy.typing import NDArray

from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring.diagnosis.case import Case, Floats

Clusters = NDArray[np.int64]

DRAWS: Final = 1000
_BLOCKS: Final = 1000
_SINGLE: Final = 60
"""Clusters up to which each is drawn for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """The means of some columns over the same rows: as they are, and in every draw.

    ``value`` has shape (k,), ``draws`` (DRAWS, k); ``clusters`` is how many independent ones there were.
    """

    value: Floats
    draws: Floats
    clusters: int


def means(
    columns: Floats,
    clusters: Clusters | None = None,
    *,
    weights: Floats | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Means:
    """Resample the means of columns that belong to the same rows.

    Args:
        columns: shape (n, k) or (n,), n ≥ 1. NaN is left out of the mean of its column.
        clusters: of each row, shape (n,), numbered alike on both sides; None takes each row for itself.
        weights: of each entry, the shape of ``columns``, at least 0; None counts all alike.
        seed: of rows without clusters; two sides of a comparison take different ones.
        draws: how many.
    """
    table = columns.reshape(len(columns), -1).astype(np.float64, copy=False)
    heavy = np.isfinite(table).astype(np.float64)
    if weights is not None:
        heavy *= weights.reshape(table.shape)
    random = np.random.default_rng(seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.where(heavy > 0, table * heavy, 0.0).sum(axis=0) / heavy.sum(axis=0)
    # the sums are of differences from the mean, so that a large level does not cost digits
    centred = np.where(heavy > 0, (table - level) * heavy, 0.0)
    groups, blocks, independent, drawn = _grouped(len(table), clusters, random, seed, draws)
    if independent < 2:
        return Means(value=level, draws=np.full((draws, len(level)), np.nan), clusters=independent)
    sums, counts = (
        np.column_stack([np.bincount(groups, each, blocks) for each in part.T]) for part in (centred, heavy)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return Means(value=level, draws=level + (drawn @ sums) / (drawn @ counts), clusters=independent)


def difference(before: Means, now: Means, *, level: float = 0.95, assumption: str = "") -> Estimate:
    """The difference of the first columns, now less before, with its interval."""
    value = float(now.value[0] - before.value[0])
    return interval(
        value,
        now.draws[:, 0] - before.draws[:, 0],
        clusters=min(before.clusters, now.clusters),
        level=level,
        assumption=assumption,
    )


def share(before: Means, now: Means, *, level: float = 0.95, assumption: str = "") -> Estimate:
    """The share of a drop that goes away: (now − repaired) / (now − before), both sides drawn together.

    Args:
        before: first column the loss on the reference.
        now: first column the loss on the current rows, second the loss on the same rows after the repair.
        level: of the interval.
        assumption: what is taken for independent.

    The interval is by draws of the numerator less ``value`` × the denominator, over the denominator (Fieller's idea):
    where the drop itself could be 0 the bounds are −∞ and ∞.
    """
    drop = float(now.value[0] - before.value[0])
    gone = float(now.value[0] - now.value[1])
    if drop == 0 or not np.isfinite(drop):
        return Estimate(value=0.0, lower=-inf, upper=inf, level=level, assumption=assumption)
    value = gone / drop
    drops = now.draws[:, 0] - before.draws[:, 0]
    parts = now.draws[:, 0] - now.draws[:, 1]
    tail = float(np.mean(drops * np.sign(drop) <= 0)) if np.isfinite(drops).all() else 1.0
    if tail > (1.0 - level) / 2.0:
        return Estimate(value=value, lower=-inf, upper=inf, level=level, assumption=assumption)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = parts / drops
    return interval(
        value, ratios, clusters=min(before.clusters, now.clusters), level=level, assumption=assumption
    )


def recovered_by(case: Case, after: Floats, weight: Floats | None = None, *, assumption: str) -> Estimate:
    """The share of a case's drop that goes away where the losses of the current rows become ``after``.

    ``weight`` is what each of them counts then.
    """
    before = case.loss(case.reference.label, case.reference.score)
    now = case.loss(case.current.label, case.current.score)
    weights = None if weight is None else np.column_stack([np.ones(len(now)), weight])
    return share(
        means(before, case.reference.cluster, seed=2 * case.seed),
        means(np.column_stack([now, after]), case.current.cluster, weights=weights, seed=2 * case.seed + 1),
        level=case.level,
        assumption=assumption,
    )


def part_of(
    value: float,
    draws: Floats,
    drop: float,
    drops: Floats,
    *,
    clusters: int,
    level: float = 0.95,
    assumption: str = "",
) -> Estimate:
    """A part of a drop as a share of it; draws in which there is no drop have no shares."""
    if drop == 0:
        return Estimate(value=0.0, lower=-inf, upper=inf, level=level, assumption=assumption)
    ratios = np.where(drops > 0, draws / np.where(drops > 0, drops, 1.0), np.nan)
    return interval(value / drop, ratios, clusters=clusters, level=level, assumption=assumption)


def scaled(share: Estimate, by: float) -> Estimate:
    """A share of a part as a share of the whole."""
    return replace(share, value=share.value * by, lower=share.lower * by, upper=share.upper * by)


def interval(
    value: float, draws: Floats, *, clusters: int, level: float = 0.95, assumption: str = ""
) -> Estimate:
    """Bounds of a value from its draws: percentiles, widened for few clusters.

    Percentiles of a bootstrap are too narrow by √((g−1)/g) and take the normal quantile where Student's t is right
    (Cameron, Gelbach and Miller 2008); both are put right about the value.
    """
    good = draws[np.isfinite(draws)]
    if clusters < 2 or len(good) < 20:
        return Estimate(value=value, lower=-inf, upper=inf, level=level, assumption=assumption)
    tail = (1.0 - level) / 2.0
    lower, upper = np.quantile(good, [tail, 1.0 - tail])
    wider = sqrt(clusters / (clusters - 1)) * float(
        scipy.special.stdtrit(clusters - 1, 1.0 - tail) / scipy.special.ndtri(1.0 - tail)
    )
    return Estimate(
        value=value,
        lower=min(value, value + wider * (float(lower) - value)),
        upper=max(value, value + wider * (float(upper) - value)),
        level=level,
        assumption=assumption,
    )


@lru_cache(maxsize=8)
def _drawn(blocks: int, seed: int, draws: int) -> Floats:
    """How often each block is in each draw, shape (draws, blocks). Kept, because one chain asks for it often."""
    random = np.random.default_rng((seed, blocks))
    found = random.multinomial(blocks, np.full(blocks, 1.0 / blocks), size=draws).astype(np.float64)
    found.flags.writeable = False
    return found


@lru_cache(maxsize=8)
def _drawn_of(known: bytes, draws: int) -> Floats:
    """How often each of some clusters, told by their numbers, is in each draw, shape (draws, clusters)."""
    numbers = np.frombuffer(known, dtype=np.uint64)
    found = np.column_stack(
        [np.random.default_rng([int(each), draws]).poisson(1.0, draws) for each in numbers]
    )
    drawn: Floats = found.astype(np.float64)
    drawn.flags.writeable = False
    return drawn


def _grouped(
    rows: int, clusters: Clusters | None, random: np.random.Generator, seed: int, draws: int
) -> tuple[NDArray[np.intp], int, int, Floats]:
    """The block of each row, how many blocks there are, how many clusters, and how often a draw has each block."""
    if clusters is None:
        blocks = min(rows, _BLOCKS)
        groups = np.arange(rows) if rows <= _BLOCKS else random.permutation(rows) % _BLOCKS
        return groups, blocks, rows, _drawn(blocks, seed, draws)
    known, groups = np.unique(clusters, return_inverse=True)
    if len(known) <= _SINGLE:
        # 15 of them are too few for two to share a block by chance
        drawn = _drawn_of(known.astype(np.int64).view(np.uint64).tobytes(), draws)
        return groups, len(known), len(known), drawn
    return _scattered(known)[groups], _BLOCKS, len(known), _drawn(_BLOCKS, 0, draws)


def _scattered(known: Clusters) -> NDArray[np.intp]:
    """A block for each cluster by its number alone (the finalizer of splitmix64, Steele and others 2014)."""
    with np.errstate(over="ignore"):
        mixed = known.astype(np.int64).view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return (mixed % np.uint64(_BLOCKS)).astype(np.intp)
