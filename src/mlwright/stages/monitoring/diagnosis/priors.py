"""S6: did only the share of the classes change (label shift), while each class looks as it did?"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlwright.model.diagnosis import Outcome, Test
from mlwright.model.monitoring import Estimate
from mlwright.ports.learner import Learner
from mlwright.stages.monitoring.crossfit import domain
from mlwright.stages.monitoring.diagnosis.case import Case, Task
from mlwright.stages.monitoring.diagnosis.figures import portion
from mlwright.stages.monitoring.diagnosis.intervals import means, share
from mlwright.stages.monitoring.diagnosis.labelled import Labelled, Sides, proven, sides, untested

Floats = NDArray[np.float64]

LEAST_MOVE: Final = 0.03
MARGINAL: Final = 0.55
WITHIN: Final = 0.54
FEW: Final = 100
_CLASSES: Final = 8
_MARGIN: Final = 0.01
_TITLE: Final = "Only the share of the classes?"
_ASSUMPTION: Final = "P(x|y) is as it was; clusters are independent"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelShift:
    """Whether P(y) moved and P(x|y) did not."""

    test: Test
    shifted: bool = False
    recovered: Estimate | None = None
    """Share of the drop that goes away when the scores are corrected for the new prior; None where it cannot be."""


def label_shift(case: Case, learner: Learner, drop: Estimate, marginal: Estimate | None = None) -> LabelShift:
    """Look for a changed prior with unchanged classes, and correct the scores for it.

    Under label shift the features tell the two samples apart only by what they tell of the class: a domain classifier
    finds something over all rows and nothing within a class. Without current labels the new prior is estimated by the
    model's own answers (BBSE, Lipton, Wang and Smola 2018), which shows a shift but not that the classes are the same.

    Args:
        case: both sides.
        learner: fits the classifiers; none is fitted where the shares did not move.
        drop: loss now less before.
        marginal: the area of a domain classifier over all rows, where there is one already.
    """
    if case.task is Task.REGRESSION:
        text = "A number has no classes whose share could change; a shift of its distribution is in S5."
        return LabelShift(test=untested("S6", _TITLE, text, "A classification"))
    both = sides(case)
    if min(len(both.before), len(both.now)) < FEW:
        return _unlabelled(case, both)
    old, new = _rates(both.before, both.now)
    move, chance = _largest_move(both, old, new)
    numbers = _told_rates(old, new) | {"moved": move}
    if move <= LEAST_MOVE or not chance:
        return _clear(
            numbers, f"The shares of the classes moved by at most {move:.3f}, which is little or chance."
        )
    if marginal is None:
        marginal = _told(case, learner, both.before, both.now, both, 0)
    numbers["domain AUC"] = marginal.value
    if marginal.value <= MARGINAL and marginal.lower <= 0.5 + _MARGIN / 2:
        return _clear(
            numbers,
            f"The share of a class moved by {move:.3f}, but nothing in the cases moved with it: their features tell "
            f"the samples apart with AUC {marginal.value:.3f}.",
        )
    recovered = _recovered(case, both, old, new)
    return _by_classes(_within(case, learner, both), move, marginal, recovered, numbers, proven(drop))


def _by_classes(
    within: float | None,
    move: float,
    marginal: Estimate,
    recovered: Estimate | None,
    numbers: dict[str, float],
    fell: bool,
) -> LabelShift:
    """The answer once the area within a class is known."""
    if recovered is not None:
        numbers["recovered"] = recovered.value
    if within is None:
        text = "No class has enough rows on both sides."
        return LabelShift(test=untested("S6", _TITLE, text, f"{FEW} rows of a class on both sides"))
    numbers["domain AUC within a class"] = within
    # a class that moves features a little moves the whole little: the area within has to be small beside the other
    shifted = within < WITHIN and within - 0.5 <= (marginal.value - 0.5) / 2 + _MARGIN
    shown = recovered if fell else None
    return LabelShift(
        test=Test(
            id="S6",
            title=_TITLE,
            outcome=Outcome.FOUND if shifted else Outcome.CLEAR,
            text=_text(move, marginal, within, shown, shifted=shifted),
            numbers=numbers,
            assumption=_ASSUMPTION,
        ),
        shifted=shifted,
        recovered=shown,
    )


def _clear(numbers: dict[str, float], text: str) -> LabelShift:
    test = Test(
        id="S6", title=_TITLE, outcome=Outcome.CLEAR, text=text, numbers=numbers, assumption=_ASSUMPTION
    )
    return LabelShift(test=test)


def corrected(scores: ArrayLike, prior: float, now: float) -> Floats:
    """Probabilities of 1 under another prior (Saerens, Latinne and Decaestecker 2002), shape (n,).

    Args:
        scores: shape (n,), probabilities under the old prior.
        prior: old share of class 1, in (0, 1).
        now: new share, in [0, 1].
    """
    score = np.clip(np.asarray(scores, dtype=np.float64), 0.0, 1.0)
    one, zero = score * now / prior, (1.0 - score) * (1.0 - now) / (1.0 - prior)
    with np.errstate(invalid="ignore"):
        found: Floats = one / (one + zero)
    return np.where(one + zero > 0, found, score)


def black_box_weights(
    labels: ArrayLike, answers: ArrayLike, current: ArrayLike, classes: ArrayLike
) -> Floats | None:
    """How much more frequent each class became, q(y) / p(y), from answers alone (BBSE).

    Solves C w = μ with C[i, j] = P(answer i and label j) on the reference and μ[i] = P(answer i) now, cut at 0.

    Args:
        labels: of the reference, shape (n,).
        answers: the classes answered there, shape (n,).
        current: the classes answered now, shape (m,).
        classes: shape (k,).

    Returns:
        Shape (k,), so that Σ p(y) w = 1; None where the answers do not tell the classes apart (C is singular).
    """
    names = np.asarray(classes)
    label, answer, now = np.asarray(labels), np.asarray(answers), np.asarray(current)
    if len(label) == 0 or len(now) == 0:
        return None
    joint = np.array([[np.mean((answer == i) & (label == j)) for j in names] for i in names])
    if np.linalg.cond(joint) > 1e3:
        return None
    weights = np.maximum(np.linalg.solve(joint, np.array([np.mean(now == i) for i in names])), 0.0)
    total = float(joint.sum(axis=0) @ weights)
    return weights / total if total > 0 else None


def _rates(before: Labelled, now: Labelled) -> tuple[dict[float, float], dict[float, float]]:
    names = np.unique(np.concatenate([before.label, now.label])).tolist()
    return (
        {name: float(np.mean(before.label == name)) for name in names},
        {name: float(np.mean(now.label == name)) for name in names},
    )


def _told_rates(old: dict[float, float], new: dict[float, float]) -> dict[str, float]:
    told = {f"rate of {name:g}": rate for name, rate in new.items()}
    return told | {f"rate of {name:g} before": rate for name, rate in old.items()}


def _largest_move(both: Sides, old: dict[float, float], new: dict[float, float]) -> tuple[float, bool]:
    """The class whose share changed most: by how much, and whether by more than chance (three standard errors)."""
    name = max(old, key=lambda each: (abs(new[each] - old[each]), -each))
    errors = [
        float(np.nanstd(means((side.label == name).astype(float), side.cluster, seed=1).draws[:, 0]))
        for side in (both.before, both.now)
    ]
    move = abs(new[name] - old[name])
    return move, bool(move > 3 * float(np.hypot(errors[0], errors[1])))


def _told(case: Case, learner: Learner, before: Labelled, now: Labelled, both: Sides, more: int) -> Estimate:
    return domain(
        before.matrix,
        now.matrix,
        learner,
        categorical=both.encoder.categorical,
        groups=(before.cluster, now.cluster),
        folds=2,
        level=case.level,
        seed=case.seed + more,
    ).auc


def _within(case: Case, learner: Learner, both: Sides) -> float | None:
    """The area of domain classifiers within classes, each by its current rows; None where no class is large enough."""
    areas, rows = [], []
    names, counts = np.unique(both.now.label, return_counts=True)
    for at in np.argsort(-counts, kind="stable")[:_CLASSES]:
        before, now = (side.at(side.label == names[at]) for side in (both.before, both.now))
        if min(len(before), len(now)) >= FEW:
            areas.append(_told(case, learner, before, now, both, 1 + int(at)).value)
            rows.append(min(len(before), len(now)))
    return float(np.average(areas, weights=rows)) if areas else None


def _recovered(case: Case, both: Sides, old: dict[float, float], new: dict[float, float]) -> Estimate | None:
    """What the prior correction takes back; a code of a class cannot be corrected, nor a class never seen."""
    if case.task is not Task.BINARY or not 0 < old.get(1.0, 0.0) < 1 or both.now.score.min() < 0:
        return None
    if max(both.now.score.max(), both.before.score.max()) > 1:
        return None
    repaired = case.loss(both.now.label, corrected(both.now.score, old[1.0], new[1.0]))
    return share(
        means(both.before.loss, both.before.cluster, seed=case.seed),
        means(np.column_stack([both.now.loss, repaired]), both.now.cluster, seed=case.seed + 1),
        level=case.level,
        assumption=_ASSUMPTION,
    )


def _unlabelled(case: Case, both: Sides) -> LabelShift:
    """What the answers alone say of the new prior."""
    needs = (f"At least {FEW} labelled rows of each side",)
    score = case.current.score[np.isfinite(case.current.score)]

    def answers(scores: Floats) -> Floats:
        return (scores >= case.threshold).astype(np.float64) if case.task is Task.BINARY else scores

    names, counts = np.unique(both.before.label, return_counts=True)
    weights = black_box_weights(both.before.label, answers(both.before.score), answers(score), names)
    if len(both.before) < FEW or weights is None:
        return LabelShift(test=untested("S6", _TITLE, "There are too few labels.", *needs))
    old = counts / counts.sum()
    numbers = {
        f"estimated rate of {name:g}": float(rate) for name, rate in zip(names, old * weights, strict=True)
    }
    numbers |= {f"rate of {name:g} before": float(rate) for name, rate in zip(names, old, strict=True)}
    test = Test(
        id="S6",
        title=_TITLE,
        outcome=Outcome.UNKNOWN,
        text=f"Too few current labels. By the answers alone the share of a class moved by at most "
        f"{np.abs(old * weights - old).max():.3f}, if each class looks as it did.",
        numbers=numbers,
        needs=needs,
        assumption=_ASSUMPTION,
    )
    return LabelShift(test=test)


def _text(
    move: float, marginal: Estimate, within: float, recovered: Estimate | None, *, shifted: bool
) -> str:
    told = f"The features tell the samples apart with AUC {marginal.value:.3f}, within a class {within:.3f}"
    if not shifted:
        return (
            f"The share of a class moved by {move:.3f}, but the cases within the classes did not stay as they were. "
            f"{told}."
        )
    said = f"The share of a class moved by {move:.3f} and the classes look as they did. {told}."
    if recovered is not None:
        said += f" Scores corrected for the new share take back {portion(recovered)} of the drop."
    return said
