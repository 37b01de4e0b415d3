"""What is left of the drop, repair by repair."""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.model.diagnosis import Cause
from mlwright.model.monitoring import Estimate
from mlwright.ports.learner import Learner
from mlwright.stages.monitoring.diagnosis.case import Case, Floats
from mlwright.stages.monitoring.diagnosis.findings import Repair
from mlwright.stages.monitoring.diagnosis.intervals import Means, difference, means, scaled, share
from mlwright.stages.monitoring.diagnosis.surrogate import Rescorer, rescorer

_FEWEST: Final = 100
COUNTS: Final = 0.05
"""A repair that recovers less of the drop is not applied."""


@dataclass(slots=True)
class Repairing:
    """A case as repaired so far. Each repair counts with what it recovers after those before it.

    ``claimed`` is what repairs recovered that could not be applied to the rows, as a share of the whole drop.
    """

    case: Case
    learner: Learner
    repairs: list[Repair] = field(default_factory=list)
    losses: list[Floats] = field(default_factory=list)
    claimed: float = 0.0
    _before: Means = field(init=False)
    _rescorer: Rescorer | None = None
    _asked: bool = False

    def __post_init__(self) -> None:
        case = self.case
        self.losses.append(case.loss(case.current.label, case.current.score))
        before = case.loss(case.reference.label, case.reference.score)
        self._before = means(before, case.reference.cluster, seed=2 * case.seed)

    def relabel(
        self, label: Floats, weight: Floats | None, claim: Estimate, text: str, *, sure: bool
    ) -> None:
        """Labels put right. With weights nothing can be applied to rows: the share is taken as it was found."""
        if weight is not None:
            self.claim(Cause.LABELS, claim, text, sure=sure)
            return
        repaired = replace(self.case, current=replace(self.case.current, label=label))
        self._apply(repaired, Cause.LABELS, text, sure=sure)

    def rescore(self, score: Floats, cause: Cause, text: str, *, sure: bool) -> None:
        """Scores put right."""
        repaired = replace(self.case, current=replace(self.case.current, score=score))
        self._apply(repaired, cause, text, sure=sure)

    def restore(
        self, features: pl.DataFrame, claim: Estimate, cause: Cause, text: str, *, certain: bool = False
    ) -> None:
        """Features put right; rows that they change are scored again, by the recorded model or a surrogate of it.

        What is ``certain`` to be wrong is put right although nothing is recovered by that alone: what is left is to be
        explained by rows as they should have been.
        """
        found = self.rescoring()
        if found is None:
            return
        current = self.case.current
        changed = _changed(current.features, features)
        score = current.score.copy()
        places = np.flatnonzero(changed)
        if len(places) == 0:
            return
        score[places] = found.scores(features[places])
        repaired = replace(self.case, current=replace(current, features=features, score=score))
        before = self.left()
        sure = found.exact or found.trusted
        applied = self._apply(repaired, cause, text, sure=sure, anyway=certain and found.exact)
        if not applied and claim.value * before >= COUNTS:
            # the link compares with intact rows where no repair can bring the values back
            self.claim(cause, claim, text, sure=False)

    def only(self, rows: NDArray[np.bool_]) -> None:
        """Judge by these rows from now on: the others may have a fault that cannot be repaired in them."""
        label = np.where(rows, self.case.current.label, np.nan)
        if int(np.isfinite(label).sum()) < _FEWEST:
            return
        self.case = replace(self.case, current=replace(self.case.current, label=label))
        self.losses = [np.where(rows, loss, np.nan) for loss in self.losses]

    def claim(self, cause: Cause, claim: Estimate, text: str, *, sure: bool, of: float | None = None) -> None:
        """Take a link's own share of what is left, or was left (``of``), without rows that could be repaired."""
        own = scaled(claim, self.left() if of is None else of)
        if own.value >= COUNTS:
            self.repairs.append(Repair(cause=cause, share=own, text=text, proven=sure))
            self.claimed += own.value

    def rescoring(self) -> Rescorer | None:
        """The scorer of repaired features, fitted once."""
        if not self._asked:
            self._rescorer, self._asked = rescorer(self.case, self.learner), True
        return self._rescorer

    def left(self) -> float:
        """The share of the drop that is left."""
        return self.rest().value

    def rest(self) -> Estimate:
        """The share of the drop that is left, with its interval."""
        gone = self._share(self.losses[0], self.losses[-1])
        return replace(
            gone,
            value=1.0 - gone.value - self.claimed,
            lower=1.0 - gone.upper - self.claimed,
            upper=1.0 - gone.lower - self.claimed,
        )

    def drop(self) -> Estimate:
        """The drop that is left, in units of the loss."""
        case = self.case
        now = means(self.losses[-1], case.current.cluster, seed=2 * case.seed + 1)
        return difference(
            self._before, now, level=case.level, assumption="what was repaired is as it should be"
        )

    def _apply(self, repaired: Case, cause: Cause, text: str, *, sure: bool, anyway: bool = False) -> bool:
        loss = repaired.loss(repaired.current.label, repaired.current.score)
        if not np.isfinite(loss).any():
            return False
        whole = self._share(self.losses[0], loss)
        so_far = self._share(self.losses[0], self.losses[-1]).value if len(self.losses) > 1 else 0.0
        value = whole.value - so_far
        if value < COUNTS:
            if anyway:
                self.case = repaired
                self.losses.append(loss)
            return False
        own = whole
        if len(self.losses) > 1:
            # (last − repaired) / (first − before): the same drop below, a step of it above
            half = (whole.upper - whole.lower) / 2
            own = replace(whole, value=value, lower=value - half, upper=value + half)
        self.case = repaired
        self.losses.append(loss)
        self.repairs.append(Repair(cause=cause, share=own, text=text, proven=sure))
        return True

    def _share(self, now: Floats, after: Floats) -> Estimate:
        case = self.case
        both = means(np.column_stack([now, after]), case.current.cluster, seed=2 * case.seed + 1)
        return share(
            self._before, both, level=case.level, assumption="the repair is what should have been there"
        )


def _changed(served: pl.DataFrame, repaired: pl.DataFrame) -> NDArray[np.bool_]:
    changed = np.zeros(served.height, dtype=np.bool_)
    for name in repaired.columns:
        if name not in served.columns:
            continue
        old, new = served[name], repaired[name]
        if old.dtype != new.dtype:
            changed[:] = True
            return changed
        changed |= old.ne_missing(new).to_numpy()
    return changed
