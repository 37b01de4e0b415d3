"""S4: is a feature broken in a way that shows without a second copy, and does quality return when it is repaired?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from mlwright.model.diagnosis import Outcome, Suspect, Test
from mlwright.model.monitoring import Estimate
from mlwright.ports.learner import Learner
from mlwright.stages.monitoring.diagnosis import clocks, levels, missing, repeats, staleness, typed, units
from mlwright.stages.monitoring.diagnosis.case import Case
from mlwright.stages.monitoring.diagnosis.columns import Column, column, columns
from mlwright.stages.monitoring.diagnosis.figures import portion
from mlwright.stages.monitoring.diagnosis.repairs import Fault, Guesses, judge, weigh
from mlwright.stages.monitoring.diagnosis.surrogate import Rescoring
from mlwright.stages.monitoring.encoding import Kind, kind_of

_TITLE: Final = "Integrity of the features"
_ASSUMED: Final = "what a fault does to a distribution is known; drift does not imitate it exactly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrity:
    """What is wrong with the current features beside the reference."""

    mismatch: dict[str, float]
    """Share of rows that a fault affects, by feature; features without a fault are not in it."""
    suspects: tuple[Suspect, ...]
    recovered: Estimate | None
    """Share of the drop that goes away with all repairs together."""
    repaired: pl.DataFrame | None
    """The current features after all repairs; None where nothing was repaired."""
    test: Test
    lost: tuple[str, ...] = ()
    """Features of which no repair brings back all."""
    certain: bool = False
    """Whether all faults show by themselves, whatever the loss says, and are undone exactly."""
    imitated: Estimate | None = None
    """Share of the drop by faults that cannot be undone, as the reference loses by the same."""


def integrity(case: Case, learner: Learner, drop: Estimate, rescoring: Rescoring) -> Integrity:
    """Look for faults in every feature, repair them, rescore.

    Args:
        case: both sides.
        learner: guesses lost values, fitted on the reference only.
        drop: loss now less before; shares are of it, and there are none where it is not above 0.
        rescoring: what scores the repairs; asked where something is to be repaired.
    """
    shared = [name for name in case.reference.features.columns if name in case.current.features.columns]
    if not shared or min(len(case.reference), len(case.current)) < 50:
        return _untested("at least 50 rows of both sides with a feature in common")
    suspected = faults(case)
    if not suspected:
        return _clear(case, len(shared))
    scorer = rescoring()
    found = weigh(judge(case, scorer, drop), Guesses(case, learner), suspected)
    if not found.suspects:
        return _clear(case, len(shared))
    mismatch: dict[str, float] = {}
    for suspect in found.suspects:
        mismatch[suspect.column] = max(mismatch.get(suspect.column, 0.0), suspect.rows)
    numbers = _numbers(case, len(shared)) | {"suspects": float(len(found.suspects))}
    text = "; ".join(f"{one.column}: {one.text}" for one in found.suspects[:3])
    if found.recovered is not None:
        numbers["recovered"] = found.recovered.value
        text += f". Repaired, {portion(found.recovered)} of the drop goes away"
    if found.imitated is not None:
        numbers["imitated"] = found.imitated.value
        text += f". The reference, spoilt alike, loses {portion(found.imitated)} of the drop"
    if scorer is not None:
        numbers["fidelity"] = scorer.fidelity
    needs = () if scorer is not None and scorer.trusted else ("the recorded model, to score the repairs",)
    return Integrity(
        mismatch=mismatch,
        suspects=found.suspects,
        recovered=found.recovered,
        repaired=found.repaired,
        lost=found.lost,
        certain=found.certain,
        imitated=found.imitated,
        test=Test(
            id="S4",
            title=_TITLE,
            outcome=Outcome.FOUND,
            text=text,
            numbers=numbers,
            suspects=found.suspects,
            needs=needs,
            assumption=_ASSUMED,
        ),
    )


def faults(case: Case) -> list[Fault]:
    """Everything that looks wrong, before it is judged by the loss."""
    found = list(_absent(case))
    clean: list[Column] = []
    for one in columns(case):
        of_one, left = _scan(one, case)
        found += of_one
        if not of_one and left.kind is not Kind.INSTANT:
            clean.append(left)
    repeated = repeats.duplicates(case)
    if repeated is not None:
        found.append(repeated)
    return found + _together(clean, case)


def _absent(case: Case) -> list[Fault]:
    """Columns of the reference that are not served at all."""
    everything = np.ones(len(case.current), dtype=np.bool_)
    return [
        Fault(
            column=name, mechanism="missing", text="the column is not served", touched=everything, lost=True
        )
        for name in case.reference.features.columns
        if name not in case.current.features.columns
        and name not in case.keep_texts
        and kind_of(case.reference.features[name].dtype) is not Kind.OTHER
    ]


def _scan(one: Column, case: Case) -> tuple[list[Fault], Column]:
    """The faults that a column shows by itself, and the column with those undone that can be."""
    found: list[Fault] = []
    other = typed.other_type(one)
    if other is not None:
        found.append(other)
        if other.undone is None:
            return found, one
        one = _undone(one, other.undone)
    gone = missing.nulls(one)
    if gone is not None:
        found.append(gone)
    stuck = missing.constant(one)
    if stuck is not None:
        return [*found, stuck], one
    if one.kind is Kind.LEVELS:
        spelled = levels.respelled(one)
        if spelled is not None and spelled.undone is not None:
            found.append(spelled)
            one = _undone(one, spelled.undone)
        word = missing.spikes(one)
        return (found if word is None else [*found, word]), one
    shifted = clocks.zone(one, case.reference.at, case.current.at)
    if shifted is not None:
        return [*found, shifted], one
    if one.kind is Kind.INSTANT or clocks.cycle(one) is not None or one.old.dtype == pl.Boolean:
        spike = missing.spikes(one) if one.old.dtype != pl.Boolean else None
        return (found if spike is None else [*found, spike]), one
    more, one = _numeric(one)
    if not found and not more:
        more = _shape(one)
    return found + more, one


def _numeric(one: Column) -> tuple[list[Fault], Column]:
    """Units, stand-ins, values from nowhere, lost digits."""
    found: list[Fault] = []
    change = units.unit(*one.sampled())
    spike = None
    if change is None:
        spike = missing.spikes(one)
        if spike is not None:
            found.append(spike)
            one = one.served(np.where(spike.touched, np.nan, one.now))
            change = units.unit(*one.sampled())
    if change is not None:
        fault = units.unit_fault(one, change, weak=False)
        if fault.touched.any() and fault.undone is not None:
            found.append(fault)
            back = np.where(fault.touched, (one.now - change.b) / change.a, one.now)
            one = one.served(back, fault.undone)
            spike = missing.spikes(one) if spike is None else None
            found += [] if spike is None else [spike]
    if not found:
        found += [each for each in (missing.out_of_range(one), typed.coarse(one)) if each is not None]
    return found, one


def _shape(one: Column) -> list[Fault]:
    """An offset or factor that is in no table: weak, it needs the loss to speak for it."""
    change = units.shape_kept(*one.sampled())
    return [] if change is None else [units.unit_fault(one, change, weak=True)]


def _together(clean: Sequence[Column], case: Case) -> list[Fault]:
    """Faults that show beside the other features: codes, staleness, joins."""
    found: list[Fault] = []
    built = staleness.basis(clean)
    before, now = staleness.steps(case.reference), staleness.steps(case.current)
    for one in clean:
        fault = levels.recoded(one, *built.means_of(one.name)) if levels.coded(one) else None
        unseen = levels.unseen(one) if fault is None else None
        stale = staleness.stale(one, before, now, case.seed)
        found += [each for each in (fault, unseen, stale) if each is not None]
    named = {fault.column for fault in found}
    sound = [one for one in clean if one.name not in named]
    if len(sound) > 1:
        found += staleness.broken(sound, built, case)
    return found


def _undone(one: Column, new: pl.Series) -> Column:
    return column(one.old, new, old_rows=one.old_rows, new_rows=one.new_rows)


def _numbers(case: Case, scanned: int) -> dict[str, float]:
    numbers = {"features": float(scanned)}
    for name, sample in (("longest gap before, h", case.reference), ("longest gap now, h", case.current)):
        gap = repeats.longest_gap(sample)
        if gap is not None:
            numbers[name] = gap
    return numbers


def _clear(case: Case, scanned: int) -> Integrity:
    test = Test(
        id="S4",
        title=_TITLE,
        outcome=Outcome.CLEAR,
        text=f"none of {scanned} features shows a fault: nulls, types, levels, units, stand-ins, ranges, clocks, joins",
        numbers=_numbers(case, scanned),
        needs=("a second copy of the features, for faults that keep distributions and dependences",),
        assumption=_ASSUMED,
    )
    return Integrity(mismatch={}, suspects=(), recovered=None, repaired=None, test=test)


def _untested(needs: str) -> Integrity:
    test = Test(id="S4", title=_TITLE, outcome=Outcome.UNKNOWN, text="nothing to compare", needs=(needs,))
    return Integrity(mismatch={}, suspects=(), recovered=None, repaired=None, test=test)
