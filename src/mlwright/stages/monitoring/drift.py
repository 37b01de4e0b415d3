"""How far columns have moved from a reference: counts of fixed bins, compared.

The reference fixes the bins once (:mod:`.counting`); every later window is only counted into them (:mod:`.sketches`).
So windows are comparable over time, counts of two windows merge by addition, and one wild value is one row in an outer
bin and nothing more. Whether a movement is news is for :mod:`.judging` to say.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.model.monitoring import DriftReport, FeatureDrift
from mlwright.stages.monitoring.counting import count
from mlwright.stages.monitoring.distances import (
    chi_square,
    hellinger,
    jensen_shannon,
    kolmogorov_smirnov,
    l_infinity,
    psi,
    psi_noise,
    spread,
    wasserstein,
)
from mlwright.stages.monitoring.sketches import Floats, Sketch

BINS = 10
"""Quantile bins that PSI and Jensen–Shannon are taken over."""
ALONE = 0.025
"""A value with this share of the reference is compared by itself; others with the rest of their decile."""
RARE = 0.01
"""Levels below this share of the reference are compared together: hundreds of tiny bins are mostly noise."""

REPORTED = ("psi", "js", "hellinger", "l_infinity", "cramers_v", "ks", "wasserstein", "wasserstein_scaled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The coarse bin of each cell: deciles, heavy values and levels alone, rare levels together, unseen, missing.

    ``known`` coarse bins stand for values that the reference names; unseen and missing are the two after them.
    """

    of: NDArray[np.intp]
    known: int

    def sums(self, counts: Floats) -> Floats:
        """The counts of the coarse bins; of shape ``(..., cells)`` becomes ``(..., known + 2)``."""
        summed = np.zeros((*counts.shape[:-1], self.known + 2))
        np.add.at(summed.T, self.of, counts.T)
        return summed


def drift(
    reference: Mapping[str, Sketch], frame: pl.DataFrame, *, weights: pl.Series | None = None
) -> tuple[FeatureDrift, ...]:
    """Compare a window with the reference, column by column in the reference's order.

    A column that is missing from the frame counts as all missing; one that the reference does not know is ignored.

    Args:
        weights: how many rows each row stands for, where the log was sampled.
    """
    return compare_all(reference, count(reference, frame, weights=weights))


def compare_all(reference: Mapping[str, Sketch], current: Mapping[str, Sketch]) -> tuple[FeatureDrift, ...]:
    """Compare counted columns, those that both sides have."""
    return tuple(compare(name, known, current[name]) for name, known in reference.items() if name in current)


def compare(column: str, reference: Sketch, current: Sketch, groups: Groups | None = None) -> FeatureDrift:
    """Compare two counts of the same bins; an empty side says nothing and gives 0.

    ``groups`` are the reference's, where they are at hand.
    """
    groups = groups or groups_of(reference)
    expected, actual = groups.sums(reference.counts), groups.sums(current.counts)
    weight, before = current.n, reference.n
    # A reference with more levels than a sketch keeps has rows in this bin itself; only the excess is news.
    unseen = _share(current.unseen, weight) - _share(reference.unseen, before)
    used = int(((expected + actual) > 0).sum())
    noise = psi_noise(used, reference.effective, current.effective)[0]
    shift, steps, area = (
        spread(reference),
        kolmogorov_smirnov(reference, current),
        wasserstein(reference, current),
    )
    return FeatureDrift(
        column=column,
        n=current.rows,
        psi=psi(expected, actual),
        js=jensen_shannon(expected, actual),
        null_rate=_share(current.nulls, weight),
        reference_null_rate=_share(reference.nulls, before),
        unseen_rate=max(unseen, 0.0),
        unread_rate=_share(current.unread, weight),
        reference_n=reference.rows,
        noise=noise,
        hellinger=hellinger(expected, actual),
        l_infinity=l_infinity(expected, actual),
        cramers_v=chi_square(expected, actual).cramers_v,
        ks=steps.value if steps else None,
        ks_error=steps.error if steps else None,
        wasserstein=_finite(area.value) if area else None,
        wasserstein_error=_finite(area.error) if area else None,
        wasserstein_scaled=_finite(area.value / shift) if area and shift else None,
        mean=_finite(current.mean),
        reference_mean=_finite(reference.mean),
        least=_finite(current.least),
        most=_finite(current.most),
    )


def groups_of(reference: Sketch) -> Groups:
    """The coarse bins of a reference; every window is compared over the same."""
    bins, counts = reference.bins, reference.counts
    named = bins.ordered + len(bins.levels)
    labels = np.arange(named + 2, dtype=np.intp)
    whole = max(float(counts[:named].sum()), 1.0)
    if bins.ordered:
        rest = ~bins.points | (counts[:named] < ALONE * whole)
        # A decile ends at the first edge that has the next tenth of the rest behind it.
        masses = counts[:named][rest]
        upto = np.concatenate(([0.0], np.cumsum(masses)[:-1]))
        passed = np.minimum(np.floor(upto * BINS / max(float(masses.sum()), 1.0) + 1e-9), BINS - 1)
        labels[:named] += named
        labels[:named][rest] = np.cumsum(np.diff(passed, prepend=passed[:1]) > 0)
    elif bins.levels:
        rare = np.flatnonzero(counts[:named] < RARE * whole)
        labels[rare] = rare[:1]
    known = np.unique(labels[:named], return_inverse=True)[1].astype(np.intp)
    size = int(known.max(initial=-1)) + 1
    unseen = size
    if bins.levels and reference.unseen and (counts[:named] < RARE * whole).any():
        # More levels than a sketch names: those without a name are rare like those with one, and need not be new.
        unseen = int(known[np.flatnonzero(counts[:named] < RARE * whole)[0]])
    return Groups(of=np.concatenate((known, [unseen, size + 1])).astype(np.intp), known=size)


def drift_frame(reports: Iterable[DriftReport]) -> pl.DataFrame:
    """Reports as a long table for CSV and Parquet: a row a window, feature and statistic that is known.

    Columns ``endpoint, start, end, feature, kind, n, statistic, value, moved, reason, threshold, score, weight``; the
    judgement stands on every row of its feature.
    """
    rows = [
        {
            "endpoint": str(report.endpoint),
            "start": report.window.start,
            "end": report.window.end,
            "feature": each.column,
            "kind": each.kind,
            "n": each.n,
            "statistic": name,
            "value": value,
            "moved": each.moved,
            "reason": each.reason,
            "threshold": each.threshold,
            "score": each.score,
            "weight": each.weight,
        }
        for report in reports
        for each in report.features
        for name in (*REPORTED, "null_rate", "reference_null_rate", "unseen_rate", "mean", "reference_mean")
        if (value := getattr(each, name)) is not None
    ]
    return pl.DataFrame(rows, schema=_LONG, orient="row")


_LONG = pl.Schema(
    {
        "endpoint": pl.String(),
        "start": pl.Datetime("us", "UTC"),
        "end": pl.Datetime("us", "UTC"),
        "feature": pl.String(),
        "kind": pl.String(),
        "n": pl.Int64(),
        "statistic": pl.String(),
        "value": pl.Float64(),
        "moved": pl.Boolean(),
        "reason": pl.String(),
        "threshold": pl.Float64(),
        "score": pl.Float64(),
        "weight": pl.Float64(),
    }
)


def _share(some: float, whole: float) -> float:
    return some / whole if whole else 0.0


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
