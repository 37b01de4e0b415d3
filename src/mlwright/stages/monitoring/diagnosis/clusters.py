"""Which rows are independent of each other: entities, days or rows."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy
from numpy.typing import NDArray

from mlwright.stages.monitoring.diagnosis.case import Case, Floats, Sample

DAY: Final = 86_400_000_000
_FEWEST_DAYS: Final = 8
_EFFECT: Final = 1.5
_LEVEL: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Clusters of both sides, None where each row stands for itself; ``words`` is the assumption as the report says it.

    ``effect`` is how many rows count as one (the design effect) because those of one day depend on each other; at
    least 1.
    """

    before: NDArray[np.int64] | None
    now: NDArray[np.int64] | None
    words: str
    effect: float = 1.0


def grouping(case: Case) -> Grouping:
    """Take the clusters that are given; without, days if the losses of one day depend on each other; else rows.

    Days need at least eight with labels on the side. The dependence is tested on the losses by the F ratio of days;
    on the current side by the squared steps from day to day (von Neumann 1941), which a change of level on one day
    hardly touches.
    """
    if case.current.cluster is not None or case.reference.cluster is not None:
        return Grouping(
            before=case.reference.cluster,
            now=case.current.cluster,
            words="entities are independent; rows of one need not be",
        )
    before, now = (_day_effect(case, side) for side in (case.reference, case.current))
    effect = max(before or 1.0, now or 1.0)
    if before is None and now is None:
        return Grouping(before=None, now=None, words="rows are independent of each other")
    if effect == 1.0:
        return Grouping(
            before=None,
            now=None,
            words="rows are independent of each other (those of one day are not more alike)",
        )
    days = tuple(
        side.at // DAY if side.at is not None and len(np.unique(side.at // DAY)) >= _FEWEST_DAYS else None
        for side in (case.reference, case.current)
    )
    return Grouping(
        before=days[0],
        now=days[1],
        words="days are independent; rows within a day need not be",
        effect=effect,
    )


def _day_effect(case: Case, side: Sample) -> float | None:
    """The design effect of days, 1 where it is not proven; None where there are too few days."""
    if side.at is None:
        return None
    loss = case.loss(side.label, side.score)
    known = np.isfinite(loss)
    days, groups = np.unique(side.at[known] // DAY, return_inverse=True)
    if len(days) < _FEWEST_DAYS or known.sum() < 3 * len(days):
        return None
    values = _cut(loss[known])
    rows = np.bincount(groups).astype(np.float64)
    mean = np.bincount(groups, values) / rows
    free = len(values) - len(days)
    within = float(((values - mean[groups]) ** 2).sum()) / free
    if within <= 0:
        return 1.0
    gaps = np.diff(mean) ** 2 / (1.0 / rows[1:] + 1.0 / rows[:-1])
    # the largest step is left out: it may be the very change that is looked for
    ratio = float((gaps.sum() - gaps.max()) / (len(gaps) - 1)) / within
    proven = float(scipy.special.fdtrc(0.67 * (len(gaps) - 1), free, ratio)) < _LEVEL
    return ratio if proven and ratio > _EFFECT else 1.0


def _cut(values: Floats) -> Floats:
    """Without the pull of a few wild rows."""
    lower, upper = np.quantile(values, [0.005, 0.995])
    cut: Floats = np.clip(values, lower, upper)
    return cut
