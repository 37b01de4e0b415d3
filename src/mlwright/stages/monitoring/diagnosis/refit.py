"""S7: would retraining help, how many labels would it take, and what does a feature no longer tell?"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlwright.model.diagnosis import Outcome, Suspect, Test
from mlwright.model.monitoring import Estimate
from mlwright.ports.learner import Fitted, Learner
from mlwright.stages.monitoring.crossfit import (
    CLASSES,
    cross_fitted,
    folds_of,
    one_of_many,
    sampled,
    shuffled_predictions,
)
from mlwright.stages.monitoring.diagnosis.case import Case, Task
from mlwright.stages.monitoring.diagnosis.figures import percent, portion
from mlwright.stages.monitoring.diagnosis.intervals import means, part_of, share
from mlwright.stages.monitoring.diagnosis.labelled import NO_DROP, Labelled, Sides, proven, sides, untested

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_Fitting = Callable[[Floats, Floats], Fitted]

HELPS: Final = 0.35
"""Share of the drop from which on what a refit takes back speaks for a new relation."""
FEW: Final = 300
_TITLE: Final = "Would retraining help?"
_SIZES: Final = (0.25, 0.5)
_SHUFFLED: Final = 3_000
_COLLAPSED: Final = 0.3
_MATTERED: Final = 0.03
_FADED: Final = 0.7
_NEW: Final = 0.15
_BACK: Final = 0.5
_ASSUMPTION: Final = (
    "clusters are independent; the learner stands for the one that trains the model, and what it loses to that on the "
    "reference it loses on current rows; the fits are taken as given"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refit:
    """What a refit on current rows takes back of the drop."""

    test: Test
    gain: Estimate | None = None
    """``total``, unless a model of the reference takes (nearly) all of that back by leaning less on the features that
    faded: then only what is beyond. 0 for a broken join, which a refit can do no more about than ignore; and for a
    relation that vanished altogether, which rows alone do not tell from a broken join."""
    total: Estimate | None = None
    """1 − (loss of a refit on current rows − loss of a refit on as many reference rows) / drop: sample size and learner
    are held equal, so that 1 means that current rows can be learned as well as reference rows could."""
    raw_gain: Estimate | None = None
    """(loss now − loss of the refit) / drop, whatever the learner is worth beside the model."""
    labels_needed: int | None = None
    """Current labels on which a refit alone takes back half of the drop; extrapolated by a + b/√n from three sizes.
    None where it never would."""
    collapsed: tuple[Suspect, ...] = ()
    """Features that told much on the reference and tell next to nothing now, where that is all a refit learns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """Cross-fitted models of one side: the held-out loss of each row, and the loss added by shuffling features."""

    loss: Floats
    added: Floats
    """Shape (features,)."""
    error: Floats


def refit(case: Case, learner: Learner, drop: Estimate) -> Refit:
    """Fit current rows and as many reference rows by the same learner, each row judged by models that never saw it."""
    if not proven(drop):
        return Refit(
            test=untested("S7", _TITLE, "The drop is not proven, so there is nothing to take back.", NO_DROP)
        )
    both = _equal(sides(case), case)
    rows = len(both.now)
    classes = np.unique(np.concatenate([both.before.label, both.now.label]))
    if rows < FEW or not both.features:
        return Refit(
            test=untested(
                "S7",
                _TITLE,
                f"Only {rows} labelled rows of a side to fit.",
                f"{FEW} labelled rows of each side",
            )
        )
    if case.task is Task.CLASSES and len(classes) > CLASSES:
        return Refit(
            test=untested(
                "S7", _TITLE, f"{len(classes)} classes are too many to refit.", f"At most {CLASSES} classes"
            )
        )
    fit = _learner(case, learner, both, classes)
    old, new = (_fitted(case, side, both, fit) for side in (both.before, both.now))
    faded = _faded(both, old, new, _scale(case, both))
    lost = tuple(at for at in faded if new.added[at] < _COLLAPSED * old.added[at])
    trust, leaned = _leaning(case, both, fit, faded, lost)
    gain, total, raw = _gains(case, both, old.loss, new.loss, leaned)
    points = _curve(case, both.now, fit, float(new.loss.mean()))
    before, now = float(both.before.loss.mean()), float(both.now.loss.mean())
    needed = _needed(points, now - _BACK * (now - before))
    suspects = _collapsed(both, old, new, faded) if gain.value < HELPS else ()
    return Refit(
        test=Test(
            id="S7",
            title=_TITLE,
            outcome=Outcome.FOUND if gain.value >= HELPS else Outcome.CLEAR,
            text=_text(gain, total, needed, suspects, rows),
            numbers={
                "gain": gain.value,
                "total gain": total.value,
                "trust in faded features": trust,
                "raw gain": raw.value,
                "rows": float(rows),
                "loss of refit": float(new.loss.mean()),
                "loss of refit on reference": float(old.loss.mean()),
                **{f"loss of refit on {size} rows": loss for size, loss in points},
            },
            suspects=suspects,
            assumption=_ASSUMPTION,
        ),
        gain=gain,
        total=total,
        raw_gain=raw,
        labels_needed=needed,
        collapsed=suspects,
    )


def _equal(both: Sides, case: Case) -> Sides:
    """As many rows of one side as of the other."""
    rows = min(len(both.before), len(both.now))
    return Sides(
        before=both.before.at(sampled(len(both.before), rows, case.seed)),
        now=both.now.at(sampled(len(both.now), rows, case.seed + 1)),
        encoder=both.encoder,
    )


def _folds(rows: int) -> int:
    """Few rows lose much by being held out; many do not."""
    return 4 if rows < 1_500 else 3 if rows < 4_000 else 2


def _fitted(case: Case, side: Labelled, both: Sides, fit: _Fitting) -> _Fit:
    fold = folds_of(side.cluster, _folds(len(side)), case.seed)
    found, models = cross_fitted(lambda kept: fit(side.matrix[kept], side.label[kept]), side.matrix, fold)
    added, error = _importance(case, side, both, fold, models)
    return _Fit(loss=case.loss(side.label, found), added=added, error=error)


def _learner(case: Case, learner: Learner, both: Sides, classes: Floats) -> _Fitting:
    """How a task is fitted: a number, a probability, or one class of many."""

    def fit(features: Floats, label: Floats) -> Fitted:
        options = both.encoder.categorical
        if case.task is Task.REGRESSION:
            return learner.regress(features, label, categorical=options, seed=case.seed)
        if case.task is Task.BINARY:
            return learner.classify(features, label, categorical=options, seed=case.seed)
        return one_of_many(learner, features, label, classes, categorical=options, seed=case.seed)

    return fit


def _importance(
    case: Case, side: Labelled, both: Sides, fold: Integers, models: dict[int, Fitted]
) -> tuple[Floats, Floats]:
    """The held-out loss that shuffling each feature adds, and its standard error."""
    random = np.random.default_rng(case.seed)
    added = [np.empty(0)] * len(both.features)
    for number, model in models.items():
        rows = np.flatnonzero(fold == number)
        rows = rows[sampled(len(rows), _SHUFFLED // len(models), case.seed)]
        whole = _apart(case, side.label[rows], model.predict(side.matrix[rows]))
        wanted = [both.encoder.places(feature) for feature in both.features]
        for at, changed in enumerate(shuffled_predictions(model, side.matrix[rows], wanted, random)):
            added[at] = np.concatenate([added[at], _apart(case, side.label[rows], changed) - whole])
    return (
        np.array([each.mean() for each in added]),
        np.array([each.std() / sqrt(max(len(each), 1)) for each in added]),
    )


def _apart(case: Case, label: Floats, found: Floats) -> Floats:
    """What importance is counted in. Of absolute differences a feature would seem to fade whenever another does: what
    it adds to them falls with the rest of the noise. Squares do not, cut at the wildest of a thousand rows."""
    if case.task is not Task.REGRESSION:
        return case.loss(label, found)
    squared = np.square(label - found)
    cut: Floats = np.minimum(squared, np.quantile(squared, 0.999))
    return cut


def _gains(
    case: Case, both: Sides, old: Floats, new: Floats, leaned: Floats | None
) -> tuple[Estimate, Estimate, Estimate]:
    """The gain in what is new, the whole of it, and the raw one."""
    other = new if leaned is None else leaned
    first = means(np.column_stack([both.before.loss, old]), both.before.cluster, seed=case.seed)
    second = means(np.column_stack([both.now.loss, new, other]), both.now.cluster, seed=case.seed + 1)
    raw = share(first, second, level=case.level, assumption=_ASSUMPTION)

    def parts(one: Floats, two: Floats) -> tuple[Floats, Floats, Floats]:
        delta = two[..., 0] - one[..., 0]
        return delta, delta - (two[..., 1] - one[..., 1]), two[..., 2] - two[..., 1]

    delta, whole, fresh = parts(first.value, second.value)
    deltas, wholes, freshs = parts(first.draws, second.draws)
    clusters = min(first.clusters, second.clusters)

    def estimate(part: Floats, drawn: Floats) -> Estimate:
        return part_of(
            float(part),
            drawn,
            float(delta),
            deltas,
            clusters=clusters,
            level=case.level,
            assumption=_ASSUMPTION,
        )

    total, new_part = estimate(whole, wholes), estimate(fresh, freshs)
    learned = leaned is None or (new_part.lower > 0 and new_part.value >= _NEW * total.value)
    return (total if learned else new_part), total, raw


def _scale(case: Case, both: Sides) -> float:
    """The drop in the units that importance is counted in."""
    old, new = (_apart(case, side.label, side.score).mean() for side in (both.before, both.now))
    return max(float(new - old), 0.0)


def _faded(both: Sides, old: _Fit, new: _Fit, drop: float) -> tuple[int, ...]:
    """The places of features that told something and tell surely less now; the most faded first."""
    found = [
        at
        for at in range(len(both.features))
        if old.added[at] > _MATTERED * drop
        and new.added[at] < _FADED * old.added[at]
        and old.added[at] - new.added[at] > 4 * float(np.hypot(old.error[at], new.error[at]))
    ]
    return tuple(sorted(found, key=lambda at: float(new.added[at] / old.added[at])))


def _leaning(
    case: Case, both: Sides, fit: _Fitting, faded: tuple[int, ...], lost: tuple[int, ...]
) -> tuple[float, Floats | None]:
    """The best that a model of the reference does on current rows by leaning less on the features that faded.

    Where a share 1 − w of their values is not the row's own, P(y|x) becomes w P(y|all) + (1 − w) P(y|the others):
    a mixture with one number to be found. What a refit does beyond it is a new relation.

    Returns:
        w, and the loss of each current row; 1 and None where nothing faded.
    """
    if not faded:
        return 1.0, None
    full = fit(both.before.matrix, both.before.label).predict(both.now.matrix)
    tried = (0.0, 1.0) if case.task is Task.CLASSES else tuple(np.linspace(0.0, 1.0, 11).tolist())
    best: tuple[float, Floats] | None = None
    # a feature fades too where it acted together with a broken one: hiding it as well would be one too many
    for hidden in dict.fromkeys((faded, lost, faded[:1])):
        places = [place for at in hidden for place in both.encoder.places(both.features[at])]
        blind, seen = both.before.matrix.copy(), both.now.matrix.copy()
        blind[:, places], seen[:, places] = 0.0, 0.0
        rest = fit(blind, both.before.label).predict(seen)
        for w in tried:
            loss = case.loss(both.now.label, w * full + (1.0 - w) * rest)
            if best is None or loss.mean() < best[1].mean():
                best = w, loss
    assert best is not None
    return best


def _curve(case: Case, side: Labelled, fit: _Fitting, whole: float) -> tuple[tuple[int, float], ...]:
    """Labels fitted on and the held-out loss, at a quarter, at half, and at all of the rows."""
    fold = folds_of(side.cluster, 2, case.seed)
    points = []
    for part in _SIZES:
        losses = []
        for number in (0, 1):
            kept = np.flatnonzero(fold != number)
            kept = kept[sampled(len(kept), max(int(part * len(side)), 1), case.seed)]
            held = fold == number
            found = fit(side.matrix[kept], side.label[kept]).predict(side.matrix[held])
            losses.append(case.loss(side.label[held], found))
        points.append((round(part * len(side)), float(np.concatenate(losses).mean())))
    folds = _folds(len(side))
    return (*points, (len(side) * (folds - 1) // folds, whole))


def _needed(points: tuple[tuple[int, float], ...], wanted: float) -> int | None:
    """Where a + b/√n, fitted to the points by least squares, comes down to a loss; None where it does not."""
    at = np.array([1.0 / sqrt(max(size, 1)) for size, _ in points])
    slope, base = np.polyfit(at, np.array([loss for _, loss in points]), 1)
    if slope <= 0:  # more rows did not help: what is reached is reached by the fewest that were tried
        return points[0][0] if min(loss for _, loss in points) <= wanted else None
    if base >= wanted:
        return None
    found = (slope / (wanted - base)) ** 2
    return max(ceil(found), 100) if found < 1e8 else None


def _collapsed(both: Sides, old: _Fit, new: _Fit, faded: tuple[int, ...]) -> tuple[Suspect, ...]:
    """The features that faded and tell less than a third of what they told, by what was lost with them."""
    found = []
    for at in faded:
        before, now = float(old.added[at]), float(new.added[at])
        if now < _COLLAPSED * before:
            feature = both.features[at]
            text = f"{feature} told the label ({before:.4f} of the loss) and tells next to nothing now ({now:.4f})"
            found.append((before - now, Suspect(column=feature, mechanism="importance", text=text, rows=1.0)))
    return tuple(suspect for _, suspect in sorted(found, key=lambda each: (-each[0], each[1].column)))


def _text(
    gain: Estimate, total: Estimate, needed: int | None, suspects: tuple[Suspect, ...], rows: int
) -> str:
    said = (
        f"A refit on {rows} current rows takes back {portion(total)} of the drop, "
        f"beside a refit on as many reference rows."
    )
    if gain is not total:
        said += f" Only {percent(gain.value)} is new; the rest is had by leaning less on features that faded."
    if needed is not None:
        said += (
            f" By the learning curve about {needed} current labels are enough for half of it (extrapolated)."
        )
    elif total.value < HELPS:
        said += " More labels would not change that by the learning curve (extrapolated)."
    if suspects:
        said += (
            " " + ", ".join(each.column for each in suspects) + " told much before and next to nothing now."
        )
    return said
