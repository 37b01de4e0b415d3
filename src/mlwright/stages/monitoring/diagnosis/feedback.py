"""S9: does the model choose the rows that it is judged by, and next learns from?"""

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
import scipy
from numpy.typing import NDArray

from mlwright.model.diagnosis import Outcome, Test
from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring.diagnosis.case import Case, Sample, Task
from mlwright.stages.monitoring.diagnosis.intervals import difference, means

Floats = NDArray[np.float64]

STEEP: Final = 0.25
"""Logit of "label known" for each standard deviation of the score from which labels are selected by it."""
FEW: Final = 100
_SURE: Final = 4.0
_COMPLETE: Final = 0.99
_UNEVEN: Final = 45.0
"""Chi-squared of nine degrees of freedom, p = 1e-6."""
_APART: Final = 0.2
_BINS: Final = 10
_RIDGE: Final = 1e-3
_TITLE: Final = "Does the model choose what it is judged by?"
_ADVICE: Final = (
    "Answers at random to 1–2 % of the requests, marked as explored: without them it cannot be excluded"
)
_ASSUMPTION: Final = (
    "explored rows are drawn independently of everything but the request; clusters are independent"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackLoop:
    """Whether labels are selected by the model's own answers, and what exploration says."""

    test: Test
    selective: bool = False
    """Whether a label is known depends on the score, and more than it did."""
    slope_now: float | None = None
    """Logit of "label known" for each standard deviation of the score; None where (nearly) all or none are known."""
    gap: Estimate | None = None
    """Rise of the loss of rows that the model answered less that of explored rows with the same scores, against the
    reference; None without exploration."""
    selection: float = 0.0
    """Loss that the model expects of the rows whose label is known less that of all it answered, in units of the loss;
    0 where labels are known evenly. As much of a drop was made by choosing the rows."""


def feedback_loop(case: Case) -> FeedbackLoop:
    """Look for labels that are there only because of the model's answers.

    All of it is evidence and no proof but one thing: rows answered at random, on which a loop cannot act. Where their
    loss stands and that of the others rises, the model has chosen its own data; where both do the same, it has not.
    """
    before, now = _slope(case.reference), _slope(case.current)
    known, only = _known_share(case)
    slope_before, slope_now = before[0] if before else None, now[0] if now else None
    changed = now is not None and (
        before is None or abs(now[0] - before[0]) > _SURE * sqrt(now[1] ** 2 + before[1] ** 2)
    )
    steep = now is not None and abs(now[0]) >= STEEP and abs(now[0]) > _SURE * now[1]
    uneven, selection = _selection(case.current)
    selective = only or (steep and changed) or (uneven and not _selection(case.reference)[0])
    sharper = _sharpened(case)
    numbers = {"labels known": known, "sharpening": sharper}
    numbers |= {
        name: value
        for name, value in (("slope before", slope_before), ("slope", slope_now))
        if value is not None
    }
    if uneven:
        numbers["loss by selection"] = selection
    gap = _gap(case)
    if gap is not None:
        numbers["greedy less explored"] = gap.value
    outcome, text, needs = _judged(
        gap, selective=selective, steep=steep, only=only, known=known, slope=slope_now
    )
    return FeedbackLoop(
        test=Test(
            id="S9",
            title=_TITLE,
            outcome=outcome,
            text=text,
            numbers=numbers,
            needs=needs,
            assumption=_ASSUMPTION,
        ),
        selective=selective,
        slope_now=slope_now,
        gap=gap,
        selection=selection if selective else 0.0,
    )


def _selection(sample: Sample) -> tuple[bool, float]:
    """Whether labels are known more often for some scores than for others, and by how much those are the harder ones.

    A slope does not see a band in the middle; ten bins of the score do. What is compared is score · (1 − score), the
    loss that the model expects of itself, which every answer has and not only those with a label.
    """
    rows = np.isfinite(sample.score) & ~_explored(sample)
    score, known = sample.score[rows], np.isfinite(sample.label[rows])
    if len(score) < FEW or not FEW / 2 <= known.sum() <= _COMPLETE * len(known):
        return False, 0.0
    edges = np.unique(np.quantile(score, np.arange(1, _BINS) / _BINS))
    at = np.searchsorted(edges, score, "left")
    size, labelled = np.bincount(at), np.bincount(at, known)
    share, whole = labelled / np.maximum(size, 1), float(known.mean())
    chi2 = float((size * (share - whole) ** 2).sum() / (whole * (1 - whole)))
    uneven = chi2 > _UNEVEN and float(share.max() - share.min()) > _APART
    if score.min() < 0 or score.max() > 1:  # no probability: what it expects of itself is not known
        return uneven, 0.0
    doubt = score * (1 - score)
    return uneven, float(doubt[known].mean() - doubt.mean()) if uneven else 0.0


def logit_slope(known: NDArray[np.bool_], score: Floats) -> tuple[float, float]:
    """Slope and standard error of logit P(known) on the standardised score, by Newton's method with a slight ridge.

    The ridge keeps a perfect separation finite.
    """
    spread = float(score.std())
    if spread == 0 or len(score) < 2:
        return 0.0, np.inf
    x = np.column_stack([np.ones(len(score)), (score - score.mean()) / spread])
    beta, ridge = np.zeros(2), _RIDGE * len(score) * np.array([0.0, 1.0])
    information = np.eye(2)
    for _ in range(50):
        chance = scipy.special.expit(x @ beta)
        information = (x * (chance * (1 - chance))[:, None]).T @ x + np.diag(ridge + 1e-9)
        step = np.linalg.solve(information, x.T @ (known - chance) - ridge * beta)
        beta = beta + np.clip(step, -4.0, 4.0)
        if np.abs(step).max() < 1e-9:
            break
    return float(beta[1]), sqrt(float(np.linalg.inv(information)[1, 1]))


def _slope(sample: Sample) -> tuple[float, float] | None:
    """Of rows that the model answered itself; None where there is next to nothing to be selected."""
    rows = np.isfinite(sample.score) & ~_explored(sample)
    known = np.isfinite(sample.label[rows])
    if len(known) < FEW or not FEW / 2 <= known.sum() <= _COMPLETE * len(known):
        return None
    return logit_slope(known, sample.score[rows])


def _explored(sample: Sample) -> NDArray[np.bool_]:
    return np.zeros(len(sample), dtype=np.bool_) if sample.explored is None else sample.explored


def _known_share(case: Case) -> tuple[float, bool]:
    """The share of current labels that are known; and whether they are so only on one side of the threshold."""
    score, rows = case.current.score, np.isfinite(case.current.score) & ~_explored(case.current)
    known = np.isfinite(case.current.label)
    if not rows.any():
        return 0.0, False
    share = float(known[rows].mean())
    if case.task is not Task.BINARY:
        return share, False
    above, below = rows & (score >= case.threshold), rows & (score < case.threshold)
    if min(above.sum(), below.sum()) < FEW:
        return share, False
    high, low = sorted((float(known[above].mean()), float(known[below].mean())), reverse=True)
    return share, bool(low < 0.02 and high > 0.2)


def _sharpened(case: Case) -> float:
    """Spread of the scores now beside before, less 1: a model that learns from its own answers grows sure of them."""
    old, new = (s.score[np.isfinite(s.score)] for s in (case.reference, case.current))
    spread = float(old.std()) if len(old) else 0.0
    return float(new.std()) / spread - 1.0 if spread > 0 and len(new) else 0.0


def _gap(case: Case) -> Estimate | None:
    """Excess loss over the reference's at the same score, greedy less explored."""
    explored = _explored(case.current)
    loss = case.loss(case.current.label, case.current.score)
    usable = np.isfinite(loss) & np.isfinite(case.current.score)
    if min((usable & explored).sum(), (usable & ~explored).sum()) < FEW:
        return None
    old = case.loss(case.reference.label, case.reference.score)
    fine = np.isfinite(old) & np.isfinite(case.reference.score)
    if fine.sum() < FEW:
        return None
    edges = np.unique(np.quantile(case.reference.score[fine], np.arange(1, _BINS) / _BINS))
    place = np.searchsorted(edges, case.reference.score[fine], "left")
    rows = np.bincount(place, minlength=len(edges) + 1)
    mean = np.bincount(place, old[fine], len(edges) + 1) / np.maximum(rows, 1)
    mean = np.where(rows > 0, mean, old[fine].mean())
    excess = loss - mean[np.searchsorted(edges, case.current.score, "left")]
    sides = [
        means(
            excess[among],
            None if case.current.cluster is None else case.current.cluster[among],
            seed=case.seed + at,
        )
        for at, among in enumerate((usable & explored, usable & ~explored))
    ]
    return difference(sides[0], sides[1], level=case.level, assumption=_ASSUMPTION)


def _judged(
    gap: Estimate | None, *, selective: bool, steep: bool, only: bool, known: float, slope: float | None
) -> tuple[Outcome, str, tuple[str, ...]]:
    if gap is not None and gap.lower > 0:
        return (
            Outcome.FOUND,
            (
                f"The loss rose by {gap.value:.4f} ({gap.lower:.4f} to {gap.upper:.4f}) more on rows that the model "
                "answered than on explored rows with the same scores: it has chosen its own data."
            ),
            (),
        )
    if gap is not None:
        return (
            Outcome.CLEAR,
            (
                f"Explored rows did as the others with the same scores ({gap.value:+.4f}, {gap.lower:.4f} to "
                f"{gap.upper:.4f})."
            ),
            (),
        )
    if selective or steep:
        how = (
            "Labels are known only on one side of the threshold"
            if only
            else f"Whether a label is known depends on the score (slope {slope or 0:.2f} for a standard deviation)"
        )
        return (
            Outcome.UNKNOWN,
            f"{how}, and nothing was explored: a feedback loop cannot be excluded.",
            (_ADVICE,),
        )
    if known >= _COMPLETE or slope is not None:
        return (
            Outcome.CLEAR,
            f"{known:.0%} of the labels are known, and not by the score: nothing selects them.",
            (),
        )
    return (
        Outcome.UNKNOWN,
        f"Only {known:.0%} of the labels are known: too few to see what selects them.",
        ("More labels",),
    )
