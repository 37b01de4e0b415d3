"""S2: does the recorded model answer what was logged? And, without one, are the logged scores plausible at all?"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlwright.model.diagnosis import Outcome, Test
from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring.crossfit import sampled
from mlwright.stages.monitoring.diagnosis.case import Case, Floats, Sample, Task
from mlwright.stages.monitoring.diagnosis.figures import portion
from mlwright.stages.monitoring.diagnosis.intervals import recovered_by
from mlwright.stages.monitoring.diagnosis.labelling import Labelling
from mlwright.stages.monitoring.diagnosis.standing import factor
from mlwright.stages.monitoring.diagnosis.surrogate import Rescorer, Rescoring

TOLERANCE: Final = 1e-4
_ROWS: Final = 20_000
_SOME: Final = 0.01
"""Share of rows that may differ: a clock or a default at the edge of a day explains so many."""
_ATOM: Final = 0.05
_VARIED: Final = 20
_FALL: Final = 0.15
"""By so much less a surrogate has to agree: other rows than before cost it something by themselves."""
_TITLE: Final = "Does the recorded model answer what was logged?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What the recorded model says on logged inputs.

    ``differs`` is the share of current rows whose logged score is another. ``proven`` is False where there was no model
    and only the scores themselves look wrong.
    """

    differs: float
    recovered: Estimate | None
    """Share of the drop that goes away with what should have been answered."""
    score: Floats | None
    """What should have been answered, shape (current rows,); None where nothing is wrong or it is not known."""
    test: Test
    proven: bool = False


def replay(case: Case, labels: Labelling, surrogate: Rescoring) -> Replay:
    """Run the recorded model over logged inputs of both sides, at most 20,000 rows of each.

    A model that does not answer the reference either is not the one that is asked about: nothing follows then. Without
    a model the scores are looked at by themselves, with what ``labels`` found, and beside those of ``surrogate``, which
    learned on the reference what features are answered with.
    """
    if case.model is None:
        return _without_model(case, labels, surrogate)
    try:
        again = {
            name: _replayed(case, side, seed)
            for seed, (name, side) in enumerate((("before", case.reference), ("now", case.current)))
        }
    except Exception as error:  # noqa: BLE001 — whatever a foreign model raises is an answer, not the end
        return _unknown(
            f"the recorded model could not be run on the logged inputs: {type(error).__name__}: {error}"
        )
    (rows_before, score_before), (rows_now, score_now) = again["before"], again["now"]
    differs_before = _differs(case, score_before, case.reference.score[rows_before])
    differs_now = _differs(case, score_now, case.current.score[rows_now])
    before, now = (float(each.mean()) if len(each) else 0.0 for each in (differs_before, differs_now))
    numbers = {"differs before": before, "differs now": now}
    if now <= max(_SOME, 2 * before if before < 0.5 else _SOME):
        text = f"the recorded model answers what was logged: {now:.2%} of {len(rows_now):,} rows differ"
        test = Test(id="S2", title=_TITLE, outcome=Outcome.CLEAR, text=text, numbers=numbers)
        return Replay(differs=now, recovered=None, score=None, test=test)
    if before > 0.05 and not case.model_known:
        return _unknown(
            f"the model that was given answers {before:.0%} of the reference otherwise than was logged: it is not the "
            "one that is asked about, and nothing follows",
            numbers,
        )
    whole = len(rows_now) == len(case.current)
    score = score_now if whole else np.asarray(case.model(case.current.features), dtype=np.float64)
    recovered = _recovered(case, score)
    versions = _by_version(case.current, rows_now, differs_now)
    worst = ", ".join(f"{name}: {part:.0%}" for name, part in versions.items() if part > _SOME)
    test = Test(
        id="S2",
        title=_TITLE,
        outcome=Outcome.FOUND,
        text=f"{now:.0%} of the rows were answered otherwise than the recorded model answers on the same inputs"
        + (f" ({worst})" if worst else "")
        + f"; with its answers {portion(recovered)} of the drop is gone",
        numbers=numbers | {"recovered": recovered.value},
        assumption="the logged inputs are what the model was given",
    )
    return Replay(differs=now, recovered=recovered, score=score, test=test, proven=True)


def _replayed(case: Case, side: Sample, seed: int) -> tuple[NDArray[np.intp], Floats]:
    assert case.model is not None
    rows = np.flatnonzero(np.isfinite(side.score))
    rows = rows[sampled(len(rows), _ROWS, (case.seed, seed))]
    if len(rows) == 0:
        return rows, np.zeros(0)
    found = np.asarray(case.model(side.features[rows]), dtype=np.float64)
    if found.shape != (len(rows),):
        raise ValueError(f"it gave shape {found.shape} for {len(rows)} rows")
    return rows, found


def _differs(case: Case, again: Floats, logged: Floats) -> NDArray[np.bool_]:
    if case.task is Task.CLASSES:
        return np.asarray(again != logged)
    return ~(np.abs(again - logged) <= TOLERANCE + TOLERANCE * np.abs(logged))


def _by_version(side: Sample, rows: NDArray[np.intp], differs: NDArray[np.bool_]) -> dict[str, float]:
    if side.version is None or len(rows) == 0:
        return {}
    versions = side.version[rows]
    return {str(name): float(differs[versions == name].mean()) for name in np.unique(versions)}


def _recovered(case: Case, score: Floats) -> Estimate:
    after = case.loss(case.current.label, score)
    return recovered_by(case, after, assumption="the logged inputs are what the model was given")


def _unknown(text: str, numbers: Mapping[str, float] | None = None) -> Replay:
    test = Test(
        id="S2",
        title=_TITLE,
        outcome=Outcome.UNKNOWN,
        text=text,
        numbers=numbers or {},
        needs=("the recorded model of the endpoint, to be run on logged inputs",),
    )
    return Replay(differs=0.0, recovered=None, score=None, test=test)


def _without_model(case: Case, labels: Labelling, surrogate: Rescoring) -> Replay:
    """Scores that are mirrored, in another unit, one and the same for many rows, or not what such rows used to get."""
    found = (_mirrored(case) if labels.scores_turned else None) or _other_unit(case) or _default(case)
    if found is not None:
        return found
    scorer = surrogate()
    if scorer is None or not scorer.trusted:
        return _unknown(
            "there is no recorded model to run; the logged scores themselves show nothing strange"
        )
    return _unlike(case, scorer)


def _unlike(case: Case, scorer: Rescorer) -> Replay:
    """Whether rows within what the reference knows get the scores that such rows got there."""
    rows = np.flatnonzero(_within(case) & np.isfinite(case.current.score))
    rows = rows[sampled(len(rows), _ROWS, case.seed)]
    if len(rows) < _VARIED * 10:
        return _unknown(
            "there is no recorded model to run, and too few rows are like the reference's to stand in"
        )
    logged, expected = case.current.score[rows], scorer.scores(case.current.features[rows])
    if case.task is Task.CLASSES:
        agreement = float((logged == expected).mean())
    else:
        spread = max(float(np.var(case.reference.score[np.isfinite(case.reference.score)])), 1e-300)
        agreement = 1.0 - float(np.mean((logged - expected) ** 2)) / spread
    numbers = {"agreement before": scorer.fidelity, "agreement now": agreement}
    told = (
        f"a surrogate that reproduces the reference's scores (R² {scorer.fidelity:.2f}) agrees with those of "
        f"{len(rows):,} current rows within the reference's ranges at {agreement:.2f}"
    )
    if agreement > scorer.fidelity - _FALL:
        return _unknown(f"there is no recorded model to run; {told}: nothing strange", numbers)
    score = case.current.score.copy()
    score[rows] = expected
    if len(rows) < len(score):
        score = scorer.scores(case.current.features)
    found = _suspected(case, f"rows get other scores than such rows got before: {told}", score, rows=1.0)
    return found if found is not None else _unknown(f"{told}; that does not explain the drop", numbers)


def _within(case: Case) -> NDArray[np.bool_]:
    """Rows all of whose features lie within the reference's ranges and levels, nulls only where it knows some."""
    inside = np.ones(len(case.current), dtype=np.bool_)
    for name in case.reference.features.columns:
        if name not in case.current.features.columns or name in case.keep_texts:
            continue
        past, now = case.reference.features[name], case.current.features[name]
        if past.dtype.is_numeric() and now.dtype.is_numeric():
            known = past.drop_nulls().drop_nans() if past.dtype.is_float() else past.drop_nulls()
            if len(known) == 0:
                continue
            lower, upper = known.quantile(0.005), known.quantile(0.995)
            held = now.is_between(lower, upper).fill_null(bool(past.null_count() > 0.01 * len(past)))
        elif past.dtype == now.dtype and not past.dtype.is_nested():
            held = now.is_in(past.unique().implode()).fill_null(bool(past.null_count()))
        else:
            continue
        inside &= held.to_numpy()
    return inside


def _suspected(case: Case, text: str, score: Floats, *, rows: float, known: bool = True) -> Replay | None:
    recovered = _recovered(case, score)
    if recovered.value < 0.15:
        return None
    return Replay(
        differs=rows,
        recovered=recovered,
        score=score if known else None,
        test=Test(
            id="S2",
            title=_TITLE,
            outcome=Outcome.FOUND,
            text=f"{text}; {'put right' if known else 'without those rows'}, {portion(recovered)} of the drop is gone",
            numbers={"rows": rows, "recovered": recovered.value},
            needs=("the recorded model of the endpoint, to be run on logged inputs",),
            assumption="seen in the logged scores alone",
        ),
    )


def _mirrored(case: Case) -> Replay | None:
    return _suspected(
        case,
        "the scores are the mirror image of what they were (1 − score)",
        1 - case.current.score,
        rows=1.0,
    )


def _other_unit(case: Case) -> Replay | None:
    if case.task is not Task.REGRESSION:
        return None
    moved, labels = (
        factor(case.reference.score, case.current.score),
        factor(case.reference.label, case.current.label),
    )
    if (
        moved is None
        or abs(log(moved)) < log(1.9)
        or labels is None
        or abs(log(labels)) > 0.25 * abs(log(moved))
    ):
        return None
    return _suspected(
        case,
        f"the scores are {moved:.3g} times what they were, the labels are not",
        case.current.score / moved,
        rows=1.0,
    )


def _default(case: Case) -> Replay | None:
    """One score for many different rows, which the reference hardly knows: an answer without a model behind it."""
    if case.task is Task.CLASSES or len(case.current) < 200:
        return None
    values, counts = np.unique(case.current.score[np.isfinite(case.current.score)], return_counts=True)
    if len(values) == 0:
        return None
    value, part = values[np.argmax(counts)], counts.max() / len(case.current)
    usual = float(np.mean(case.reference.score == value))
    if part < _ATOM or usual > part / 5:
        return None
    rows = case.current.score == value
    if case.current.features.width == 0 or case.current.features[np.flatnonzero(rows)].n_unique() < _VARIED:
        return None
    return _suspected(
        case,
        f"{part:.0%} of the rows have the score {value:g}, before {usual:.1%}",
        np.where(rows, np.nan, case.current.score),
        rows=float(part),
        known=False,
    )
