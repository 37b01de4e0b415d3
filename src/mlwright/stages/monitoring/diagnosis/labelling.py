"""S0, second half: are the labels made as before? A broken label pipeline looks like a change of the world."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlwright.model.diagnosis import Outcome, Test
from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring.diagnosis import arrival, units
from mlwright.stages.monitoring.diagnosis.case import Case, Floats, Task
from mlwright.stages.monitoring.diagnosis.figures import portion
from mlwright.stages.monitoring.diagnosis.intervals import recovered_by
from mlwright.stages.monitoring.diagnosis.standing import auc, calibrated, distance, factor

Mask = NDArray[np.bool_]

_FEWEST: Final = 50
_EXPECTED: Final = 20.0
"""So many labels of a class were to be expected where there is none."""
_BINS: Final = 10
_UNITS: Final = (
    10.0,
    100.0,
    1000.0,
    1e4,
    1e6,
    12.0,
    24.0,
    60.0,
    3600.0,
    86400.0,
    7.0,
    30.0,
    365.0,
    2.54,
    1.609,
    0.4536,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFault:
    """One thing that is wrong with the labels of the current side.

    ``label`` holds them put right, NaN where that cannot be done, and ``weight`` what each row then counts.
    ``sure`` says that nothing but the labels explains it, ``doubtful`` that the scores may as well be what is inverted.
    """

    text: str
    rows: float
    label: Floats | None = None
    weight: Floats | None = None
    recovered: Estimate | None = None
    sure: bool = False
    doubtful: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelling:
    """What is wrong with the labels, worst first, and what is only worth knowing."""

    faults: tuple[LabelFault, ...]
    test: Test
    scores_turned: bool = False
    """The scores, not the labels, look like their own mirror image: class 0's probability in place of class 1's."""

    @property
    def worst(self) -> LabelFault | None:
        """The fault that carries most."""
        return self.faults[0] if self.faults else None


def check_labels(case: Case) -> Labelling:
    """Look for labels that are constant, inverted, lost, of a bad source, in another unit, or no labels at all."""
    now = case.current
    known = np.isfinite(now.label) & np.isfinite(now.score)
    faults: list[LabelFault] = []
    turned = False
    if int(known.sum()) >= _FEWEST and int(np.isfinite(case.reference.label).sum()) >= _FEWEST:
        faults += _values(case)
        if case.task is Task.BINARY:
            faults += _constant(case)
            inverted, turned = _inverted(case)
            faults += inverted
            faults += _lost_class(case)
            faults += _unreported(case) if not faults else ()
        if case.task is Task.REGRESSION:
            faults += _unit(case)
        if not faults:
            faults += _sources(case)
    faults.sort(key=lambda fault: -(fault.recovered.value if fault.recovered else 1.0))
    notes = [*arrival.rate(case), *arrival.delay(case), *arrival.early(case)]
    text = "; ".join([fault.text for fault in faults] + [note for note, _ in notes]) or (
        "labels arrive, take values and follow the scores as before"
    )
    numbers: dict[str, float] = {}
    for _, found in notes:
        numbers |= found
    return Labelling(
        faults=tuple(faults),
        scores_turned=turned,
        test=Test(
            id="S0",
            title="Are the labels made as before?",
            outcome=Outcome.FOUND if faults or notes else Outcome.CLEAR,
            text=text,
            numbers=numbers,
            needs=()
            if now.label_source is not None
            else ("the source of each label (annotator, job version)",),
        ),
    )


def _recovered(case: Case, label: Floats, weight: Floats | None = None) -> Estimate:
    """The share of the drop that goes away with labels put right."""
    after = case.loss(label, case.current.score)
    words = "the labels that were put right are as good as those of the reference"
    return recovered_by(case, after, weight, assumption=words)


def _values(case: Case) -> Iterator[LabelFault]:
    label = case.current.label
    known = np.isfinite(label)
    if case.task is not Task.BINARY:
        return
    strange = known & (label != 0) & (label != 1)
    if strange.sum() < max(5, 0.002 * known.sum()):
        return
    values = np.unique(label[strange])[:5]
    right = np.where(strange, np.nan, label)
    listed = ", ".join(f"{value:g}" for value in values)
    if not np.isfinite(right).any():
        yield LabelFault(text=f"no label is 0 or 1; there is {listed}", rows=1.0, sure=True)
        return
    yield LabelFault(
        text=f"{strange.sum() / known.sum():.1%} of the labels are neither 0 nor 1 but {listed}",
        rows=float(strange.sum() / known.sum()),
        label=right,
        recovered=_recovered(case, right),
        sure=True,
    )


def _constant(case: Case) -> Iterator[LabelFault]:
    label = case.current.label
    known = np.isfinite(label) & np.isfinite(case.current.score)
    past = case.reference.label[np.isfinite(case.reference.label)]
    seen = np.unique(label[known])
    if len(seen) != 1 or len(np.unique(past)) < 2:
        return
    positive = calibrated(case)[known]
    missing = float((1 - positive).sum() if seen[0] == 1 else positive.sum())
    if missing < _EXPECTED:
        return
    yield LabelFault(
        text=f"every one of {int(known.sum()):,} labels is {seen[0]:g}, where about {missing:,.0f} of the other class "
        "were to be expected",
        rows=1.0,
        sure=missing >= 5 * _EXPECTED,
    )


def _inverted(case: Case) -> tuple[list[LabelFault], bool]:
    """Labels that are their own mirror image: of all rows, of a source, or from some instant on."""
    past = case.reference
    good = auc(past.label, past.score)
    if good is None or good < 0.6:
        return [], False
    label = case.current.label
    parts = [("all labels", np.isfinite(label), False), *_parts(case)]
    for words, rows, some in parts:
        here, rest = auc(label[rows], case.current.score[rows]), auc(label[~rows], case.current.score[~rows])
        if here is None or (rows & np.isfinite(label)).sum() < _FEWEST or here > min(0.45, 1 - good + 0.12):
            continue
        if some and (rest is None or rest < 0.5 + (good - 0.5) / 2):
            continue
        right = np.where(rows, 1 - label, label)
        recovered = _recovered(case, right)
        if not 0.75 <= recovered.value <= 1.3:
            continue
        by_source = some and "source" in words
        if not by_source and _scores_mirrored(case, rows):
            return [], not some
        fault = LabelFault(
            text=f"{words} rank as if they were inverted (AUC {here:.2f}, before {good:.2f}); turned back they are as "
            "before",
            rows=float(rows.sum() / max(len(rows), 1)),
            label=right,
            recovered=recovered,
            sure=by_source,
            doubtful=not by_source and not _prior_flipped(case, rows),
        )
        return [fault], False
    return [], False


def _parts(case: Case) -> Iterator[tuple[str, Mask, bool]]:
    source = case.current.label_source
    if source is not None:
        for name in np.unique(source):
            if name:
                yield f"labels of source {name!r}", source == name, True
    at = case.current.at
    if at is not None and len(at):
        for share_of in (0.25, 0.5, 0.75):
            edge = np.quantile(at, share_of)
            yield f"labels of the last {1 - share_of:.0%} of the rows in time", at >= edge, True


def _scores_mirrored(case: Case, rows: Mask) -> bool:
    """Whether the scores, seen with the reference's, look like 1 − score rather than like themselves."""
    past = np.sort(case.reference.score[np.isfinite(case.reference.score)])
    now = case.current.score[rows & np.isfinite(case.current.score)]
    mirrored, plain = distance(past, 1 - now), distance(past, now)
    return mirrored < 0.5 * plain and plain > 2.0 / np.sqrt(min(len(past), len(now)))


def _prior_flipped(case: Case, rows: Mask) -> bool:
    """Whether the share of positives became what that of negatives was."""
    before = float(np.nanmean(case.reference.label))
    now = float(np.nanmean(case.current.label[rows]))
    return abs(now - (1 - before)) < 0.4 * abs(now - before)


def _lost_class(case: Case) -> Iterator[LabelFault]:
    """Labels of one class that no longer arrive: fewer labels a row, and all the missing ones are of that class."""
    rates = [float(np.isfinite(side.label).mean()) for side in (case.reference, case.current)]
    label, rows = case.current.label, len(case.current)
    if rates[1] > 0.93 * rates[0] or rows < 4 * _FEWEST:
        return
    positive = calibrated(case)
    expected = np.array([np.nansum(1 - positive), np.nansum(positive)]) * rates[0]
    seen = np.array([(label == 0).sum(), (label == 1).sum()], dtype=np.float64)
    if expected.min() < _EXPECTED or seen.max() == 0:
        return
    ratio = seen / expected
    lost = int(np.argmin(ratio))
    noise = 3 * np.sqrt(1 / expected[lost] + 1 / expected[1 - lost])
    if not (abs(ratio[1 - lost] - 1) < 0.1 + noise / 2 and ratio[lost] < 0.85 - noise / 2) or seen[lost] == 0:
        return
    weight = np.where(label == lost, 1 / ratio[lost], 1.0)
    yield LabelFault(
        text=f"{rates[1]:.0%} of the rows have a label, before {rates[0]:.0%}; what is missing is of class {lost} "
        f"({ratio[lost]:.0%} of the expected ones arrived, of the other class {ratio[1 - lost]:.0%})",
        rows=1 - rates[1] / rates[0],
        label=label,
        weight=weight,
        recovered=_recovered(case, label, weight),
    )


def _unreported(case: Case) -> Iterator[LabelFault]:
    """1s that are filed as 0 because labels are closed earlier than before, or come later.

    Two things must come together: the time that labels of a class take is another, and of the 1s that the scores
    promise one and the same share is missing at every score, which a change of the world would hardly do.
    """
    if not any(
        moved and words for words, _, moved in arrival.delays(case)
    ):  # of a class: the mix moves those of all
        return
    label, past = case.current.label, case.reference
    rows = np.isfinite(label) & np.isfinite(case.current.score)
    expected, seen = calibrated(case)[rows], label[rows]
    share = float(seen.sum() / max(expected.sum(), 1e-9))
    noise = 3 * np.sqrt(1 / max(expected.sum(), 1.0) + 1 / max(float(np.nansum(past.label)), 1.0))
    if expected.sum() < 2 * _EXPECTED or share > 0.85 - noise / 2:
        return
    edges = np.unique(np.quantile(expected, np.linspace(0, 1, _BINS + 1)[1:-1]))
    place = np.searchsorted(edges, expected, side="right")
    many = np.bincount(place).astype(np.float64)
    promised, came = share * np.bincount(place, expected), np.bincount(place, seen)
    rate = promised / np.maximum(many, 1.0)
    # the promise is an estimate too, from about as many rows of the reference as fall into the bin now
    error = many * rate * (1 - rate) * (1 + share * len(label) / max(len(past), 1)) + 1.0
    misfit, free = float((np.square(came - promised) / error).sum()), len(many) - 1
    if misfit > free + 3 * np.sqrt(2 * free):
        return
    lost = expected * (1 - share) / np.maximum(1 - share * expected, 1e-9)
    whole = np.zeros(len(label))
    whole[rows] = np.where(seen == 0, lost, 0.0)
    score = case.current.score
    wrong, right = (case.loss(np.full(len(label), value), score) for value in (0.0, 1.0))
    loss = np.where(label == 0, (1 - whole) * wrong + whole * right, case.loss(label, score))
    words = "1s that are not reported are lost at every score alike"
    yield LabelFault(
        text=f"labels take another time than before, and {1 - share:.0%} of the 1s that the scores promise are "
        "missing, at every score alike: filed as 0 before they are known",
        rows=float(lost[seen == 0].sum() / max(len(seen), 1)),
        label=label,
        weight=np.ones(len(label)),
        recovered=recovered_by(case, loss, assumption=words),
    )


def _sources(case: Case) -> Iterator[LabelFault]:
    """A source of labels whose losses rose while those of the others did not."""
    now, past = case.current.label_source, case.reference.label_source
    if now is None:
        return
    loss = case.loss(case.current.label, case.current.score)
    usual = case.loss(case.reference.label, case.reference.score)
    base = float(np.nanmean(usual))
    known = np.isfinite(loss)
    names = [name for name in np.unique(now[known]) if name and (now[known] == name).sum() >= _FEWEST]
    if len(np.unique(now[known])) < 2:
        return
    for name in names:
        rows = now == name
        if not (known & ~rows).sum() >= _FEWEST:
            continue
        own = usual[past == name] if past is not None else usual[:0]
        level = float(np.nanmean(own)) if np.isfinite(own).sum() >= _FEWEST else base
        right = np.where(rows, np.nan, case.current.label)
        recovered = _recovered(case, right)
        if recovered.value < 0.6 or recovered.lower < 0.2 or np.nanmean(loss[rows]) < 1.3 * level:
            continue
        yield LabelFault(
            text=f"source {name!r} gives {rows[known].mean():.0%} of the labels; without them "
            f"{portion(recovered)} of the drop is gone",
            rows=float(rows[known].mean()),
            label=right,
            recovered=recovered,
        )


def _unit(case: Case) -> Iterator[LabelFault]:
    """Labels in another unit: their quantiles moved by one factor and the scores' did not."""
    found = factor(case.reference.label, case.current.label)
    if found is None:
        known = (np.sort(side.label[np.isfinite(side.label)]) for side in (case.reference, case.current))
        change = units.unit(*known)  # labels of both signs
        found = (
            change.a if change is not None and not change.b and change.a > 0 and change.share == 1.0 else None
        )
    if found is None or abs(log(found)) < log(1.9):
        return
    moved = factor(case.reference.score, case.current.score)
    if moved is not None and abs(log(moved)) > 0.5 * abs(log(found)):
        return
    unit = min((one for each in _UNITS for one in (each, 1 / each)), key=lambda each: abs(log(found / each)))
    if abs(log(found / unit)) > 0.2:
        return
    right = case.current.label / unit
    recovered = _recovered(case, right)
    if recovered.value < 0.6:
        return
    yield LabelFault(
        text=f"labels are {unit:g} times what they were, scores are not: another unit",
        rows=1.0,
        label=right,
        recovered=recovered,
        sure=abs(log(unit)) > log(5),
    )
