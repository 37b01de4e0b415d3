"""S0: is the drop real? Labels that are ripe, made as before, and enough of them."""

from dataclasses import dataclass, replace
from datetime import timedelta
from math import inf
from typing import Final

import numpy as np
import scipy

from mlwright.model.diagnosis import LossPoint, Onset, Outcome, Test
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring.diagnosis.case import Case, Floats, Task
from mlwright.stages.monitoring.diagnosis.clusters import Grouping, grouping
from mlwright.stages.monitoring.diagnosis.intervals import Means, difference, means
from mlwright.stages.monitoring.diagnosis.onset import onset_of
from mlwright.stages.monitoring.diagnosis.rows import current_rows

_FEWEST: Final = 30
"""Labelled rows of a side below which nothing is said."""
_RIPE: Final = 0.98
"""Share of the reference's labels that has come after the horizon, where none is declared."""

LOSSES: Final = {
    Task.BINARY: "Brier score",
    Task.REGRESSION: "mean absolute error",
    Task.CLASSES: "error rate",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reality:
    """Whether quality fell. ``answer`` is ``worse``, ``better``, ``no evidence`` or ``too little``."""

    answer: str
    case: Case
    """The case without rows that are too young to judge, clusters filled in; the later links look at this one."""
    drop: Estimate
    loss_before: float
    loss_now: float
    labelled: int
    detectable: float
    """The smallest drop that these rows would have shown in 8 of 10 such samples."""
    onset: Onset | None
    series: tuple[LossPoint, ...]
    test: Test
    notes: tuple[str, ...] = ()


def is_real(case: Case) -> Reality:
    """Compare the loss of the two sides on ripe rows, with clusters resampled, and look for the instant it rose."""
    ripe, notes = _ripe(case)
    groups = grouping(ripe)
    ripe = replace(
        ripe,
        reference=replace(ripe.reference, cluster=groups.before),
        current=replace(ripe.current, cluster=groups.now),
    )
    before, now = (ripe.loss(side.label, side.score) for side in (ripe.reference, ripe.current))
    known = tuple(int(np.isfinite(loss).sum()) for loss in (before, now))
    if min(known) < _FEWEST:
        return _too_little(ripe, known, notes, groups)
    sides = (
        means(before, groups.before, seed=2 * case.seed),
        means(now, groups.now, seed=2 * case.seed + 1),
    )
    drop = difference(*sides, level=case.level, assumption=groups.words)
    if not np.isfinite(drop.lower):
        return _too_little(ripe, known, notes, groups)
    detectable = _detectable(sides, drop.level)
    answer = "worse" if drop.lower > 0 else "better" if drop.upper < 0 else "no evidence"
    onset, series = _onset(ripe, before, now, groups)
    loss_before, loss_now = (float(each.value[0]) for each in sides)
    numbers = {
        "loss before": loss_before,
        "loss now": loss_now,
        "labelled before": float(known[0]),
        "labelled now": float(known[1]),
        "clusters before": float(sides[0].clusters),
        "clusters now": float(sides[1].clusters),
        "smallest detectable drop": detectable,
    }
    test = Test(
        id="S0",
        title="Is it real?",
        outcome=Outcome.FOUND if answer == "worse" else Outcome.CLEAR,
        text=_text(answer, case.task, drop, (loss_before, loss_now), detectable, known, notes),
        numbers=numbers,
        assumption=groups.words,
    )
    return Reality(
        answer=answer,
        case=ripe,
        drop=drop,
        loss_before=loss_before,
        loss_now=loss_now,
        labelled=known[1],
        detectable=detectable,
        onset=onset if answer == "worse" else None,
        series=series,
        test=test,
        notes=notes,
    )


def _ripe(case: Case) -> tuple[Case, tuple[str, ...]]:
    side = case.current
    if side.at is None or len(side) == 0:
        return case, ()
    horizon, words = case.horizon, "declared"
    usual = _usual_delay(case) if horizon is None and side.label_at is not None else None
    if usual is not None:
        horizon, words = timedelta(microseconds=usual), f"{_RIPE:.0%} of the reference"
    if horizon is None:
        return case, ()
    last = int(side.at.max()) if side.label_at is None else max(int(side.at.max()), int(side.label_at.max()))
    now = case.now if case.now is not None else from_micros(last)
    young = side.at > to_micros(now) - horizon // timedelta(microseconds=1)
    if not young.any():
        return case, ()
    note = (
        f"{int(young.sum()):,} current rows are younger than the label horizon ({horizon}, {words}): left out"
    )
    return current_rows(case, ~young), (note,)


def _usual_delay(case: Case) -> float | None:
    """How long nearly all labels of the reference took, µs; of the class that takes longest. None: not on record."""
    past = case.reference
    delays = past.delays()
    if len(delays) < _FEWEST or past.label_at is None:
        return None
    found = [float(np.quantile(delays, _RIPE))]
    if case.task is not Task.REGRESSION:
        labels = past.label[(past.label_at >= 0) & np.isfinite(past.label)]
        own = [delays[labels == each] for each in np.unique(labels)]
        found += [float(np.quantile(each, _RIPE)) for each in own if len(each) >= _FEWEST]
    return max(found)


def _detectable(sides: tuple[Means, Means], level: float) -> float:
    error = float(np.nanstd(sides[1].draws[:, 0] - sides[0].draws[:, 0]))
    return error * float(scipy.special.ndtri(1 - (1 - level) / 2) + scipy.special.ndtri(0.8))


def _onset(
    case: Case, before: Floats, now: Floats, groups: Grouping
) -> tuple[Onset | None, tuple[LossPoint, ...]]:
    at, past = case.current.at, case.reference.at
    if at is None or len(at) == 0:
        return None, ()
    earlier = past is not None and len(past) > 0 and int(past.max()) < int(at.min())
    found, series = onset_of(
        (past, before) if earlier and past is not None else None,
        (at, now),
        base=float(np.nanmean(before)),
        effect=groups.effect,
        seed=case.seed,
    )
    return found, series.points()


def _text(
    answer: str,
    task: Task,
    drop: Estimate,
    losses: tuple[float, float],
    detectable: float,
    known: tuple[int, ...],
    notes: tuple[str, ...],
) -> str:
    told = (
        f"{LOSSES[task]} {losses[0]:.4g} → {losses[1]:.4g}, {drop.value:+.4g} "
        f"({drop.level:.0%} interval {drop.lower:+.4g} to {drop.upper:+.4g}) on {known[0]:,} and {known[1]:,} "
        f"labelled rows"
    )
    end = {
        "worse": "the drop is real",
        "better": "it has become better, not worse",
        "no evidence": f"no evidence of a drop; these rows would have shown one of {detectable:.3g} in 8 of 10 cases",
    }[answer]
    return ". ".join([f"{told}: {end}", *notes])


def _too_little(case: Case, known: tuple[int, ...], notes: tuple[str, ...], groups: Grouping) -> Reality:
    sides = ("reference", "current")
    needs = tuple(
        f"at least {_FEWEST} labelled {side} rows (there are {count})"
        for side, count in zip(sides, known, strict=True)
        if count < _FEWEST
    ) or ("at least two clusters (entities or days) on each side",)
    losses = [
        float(np.nanmean(loss)) if np.isfinite(loss).any() else float("nan")
        for loss in (case.loss(side.label, side.score) for side in (case.reference, case.current))
    ]
    return Reality(
        answer="too little",
        case=case,
        drop=Estimate(
            value=losses[1] - losses[0], lower=-inf, upper=inf, level=case.level, assumption=groups.words
        ),
        loss_before=losses[0],
        loss_now=losses[1],
        labelled=known[1],
        detectable=inf,
        onset=None,
        series=(),
        test=Test(
            id="S0",
            title="Is it real?",
            outcome=Outcome.UNKNOWN,
            text=". ".join([f"too few labels to compare: {known[0]:,} before, {known[1]:,} now", *notes]),
            numbers={"labelled before": float(known[0]), "labelled now": float(known[1])},
            needs=needs,
            assumption=groups.words,
        ),
        notes=notes,
    )
