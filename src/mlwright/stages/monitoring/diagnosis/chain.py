"""The whole chain, S0 to S9, in the order that excludes defects before the world is blamed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import msgspec
import numpy as np
import polars as pl
from blake3 import blake3

from mlwright.model.diagnosis import Cause, Diagnosis, Outcome, Test
from mlwright.model.monitoring import Estimate
from mlwright.ports.learner import Learner
from mlwright.stages.monitoring.crossfit import ROWS
from mlwright.stages.monitoring.diagnosis.case import Case, Task
from mlwright.stages.monitoring.diagnosis.changed import what_changed
from mlwright.stages.monitoring.diagnosis.feedback import feedback_loop
from mlwright.stages.monitoring.diagnosis.figures import percent
from mlwright.stages.monitoring.diagnosis.findings import Findings
from mlwright.stages.monitoring.diagnosis.integrity import integrity
from mlwright.stages.monitoring.diagnosis.labelling import check_labels
from mlwright.stages.monitoring.diagnosis.mixture import mix_or_rate
from mlwright.stages.monitoring.diagnosis.priors import label_shift
from mlwright.stages.monitoring.diagnosis.reality import LOSSES, Reality, is_real
from mlwright.stages.monitoring.diagnosis.refit import refit
from mlwright.stages.monitoring.diagnosis.repairing import COUNTS, Repairing
from mlwright.stages.monitoring.diagnosis.replay import Replay, replay
from mlwright.stages.monitoring.diagnosis.rows import canonical
from mlwright.stages.monitoring.diagnosis.skew import skew
from mlwright.stages.monitoring.diagnosis.slices import slices
from mlwright.stages.monitoring.diagnosis.standing import auc
from mlwright.stages.monitoring.diagnosis.verdict import LEFT, Judgement, judge
from mlwright.stages.monitoring.diagnosis.words import commands, limits, summary, suspects, would_change
from mlwright.stages.monitoring.encoding import kind_of

Progress = Callable[[str, int, int], None]

_LINKS: Final = ("S0", "S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9")
_TITLES: Final = {
    "S5": "Is the population harder, or is the model wrong where it was right?",
    "S6": "Did only the share of the classes change?",
    "S7": "Would retraining help?",
    "S8": "Where is the drop?",
    "S9": "Does the model choose the rows that it is judged by?",
}
_RANKS: Final = 0.03
_DIGITS: Final = 6


def diagnose(case: Case, learner: Learner, *, progress: Progress | None = None) -> Diagnosis:
    """Ask every link and give the verdict.

    Rows are first put in an order of their own and every draw has a fixed seed: the same rows in any order give the
    same digest.

    Args:
        case: the question.
        learner: fits the small models.
        progress: told each link, its number from 1, and how many there are.
    """

    def told(link: str) -> None:
        if progress is not None:
            progress(link, _LINKS.index(link) + 1, len(_LINKS))

    told("S0")
    real = is_real(canonical(case))
    found, state = _defects(real, learner, told)
    if found.rest_proven and found.rest is not None and found.rest.value >= LEFT and not _unusable(found):
        found = _world(found, state, told)
    judged = judge(found)
    return _sealed(_report(real.case, found, judged))


def _unusable(found: Findings) -> bool:
    """Whether the labels say nothing, so that nothing else can be asked."""
    worst = found.labelling.worst
    return worst is not None and worst.recovered is None


def _defects(real: Reality, learner: Learner, told: Callable[[str], None]) -> tuple[Findings, Repairing]:
    """S0 to S4. Each defect that is proven is repaired before the next one is looked for."""
    case, proven = real.case, real.answer == "worse"
    labels = check_labels(case)
    told("S1")
    changes = what_changed(case, real.onset)
    told("S2")
    state = Repairing(case=case, learner=learner)
    again = replay(case, labels, state.rescoring)
    if proven and again.proven and again.score is not None:
        state.rescore(again.score, Cause.SERVING, again.test.text, sure=True)
        labels = check_labels(state.case) if state.repairs else labels
    worst = labels.worst
    if proven and worst is not None and worst.label is not None and worst.recovered is not None:
        sure = worst.sure or (worst.doubtful and again.test.outcome is Outcome.CLEAR)
        state.relabel(worst.label, worst.weight, worst.recovered, worst.text, sure=sure)
    told("S3")
    skewed = skew(state.case, state.drop() if proven else real.drop, state.rescoring)
    if proven:
        copied = case.recomputed_rows
        if copied is not None and skewed.recovered is not None and skewed.recovered.value >= COUNTS:
            state.only(copied)
        _apply(state, skewed.repaired, skewed.recovered, Cause.SKEW, skewed.test, certain=True)
    told("S4")
    whole = integrity(state.case, learner, state.drop() if proven else real.drop, state.rescoring)
    if proven:
        # rows that could not be recomputed have the fault of those that could; a copy in another type is no agreement
        known = {each.column for each in skewed.suspects} | _typed_otherwise(case)
        same = {each.column for each in whole.suspects} <= known
        rest_of = Cause.SKEW if same and whole.suspects else Cause.QUALITY
        left = state.left()
        _apply(state, whole.repaired, whole.recovered, rest_of, whole.test, certain=whole.certain)
        if whole.imitated is not None:
            state.claim(rest_of, whole.imitated, whole.test.text, sure=False, of=left)
        _suspected_scores(state, again)
    drop = state.drop() if proven else real.drop
    found = Findings(
        reality=real,
        labelling=labels,
        changes=changes,
        replay=again,
        skew=skewed,
        integrity=whole,
        repairs=tuple(state.repairs),
        rest=state.rest() if proven else None,
        rest_proven=proven and drop.lower > 0,
        has_copy=case.recomputed is not None and skewed.test.outcome is not Outcome.UNKNOWN,
    )
    return found, state


def _typed_otherwise(case: Case) -> set[str]:
    """Features that the second copy holds in another type than they were served in."""
    if case.recomputed is None:
        return set()
    served, copy = case.current.features.schema, case.recomputed.schema
    return {name for name in served if name in copy and kind_of(served[name]) is not kind_of(copy[name])}


def _apply(
    state: Repairing,
    repaired: pl.DataFrame | None,
    claim: Estimate | None,
    cause: Cause,
    test: Test,
    *,
    certain: bool,
) -> None:
    if claim is None:
        return
    if repaired is not None:
        state.restore(repaired, claim, cause, test.text, certain=certain)
    else:
        state.claim(cause, claim, test.text, sure=False)


def _suspected_scores(state: Repairing, again: Replay) -> None:
    """Scores that look wrong by themselves are blamed only where no feature is."""
    if again.proven or again.recovered is None or state.repairs:
        return
    if again.score is not None:
        state.rescore(again.score, Cause.SERVING, again.test.text, sure=False)
    else:
        state.claim(Cause.SERVING, again.recovered, again.test.text, sure=False)


def _world(found: Findings, state: Repairing, told: Callable[[str], None]) -> Findings:
    """S5 to S9, on the rows as repaired, for what is left of the drop."""
    case, left, learner = state.case, state.drop(), state.learner
    told("S5")
    mixture = mix_or_rate(case, learner, left)
    told("S6")
    shift = label_shift(case, learner, left, mixture.domain_auc)
    told("S7")
    again = refit(case, learner, left)
    told("S8")
    where = slices(case, left)
    told("S9")
    loop = feedback_loop(case)
    return replace(
        found,
        mixture=mixture,
        shift=shift,
        refit=again,
        slices=where,
        loop=loop,
        ranking_lost=_ranking_lost(case),
    )


def _ranking_lost(case: Case) -> bool:
    """Whether the AUC fell by more than its error: under a shift of the classes alone it stays (P(score|y) does)."""
    if case.task is not Task.BINARY:
        return False
    made = []
    for side in (case.reference, case.current):
        area = auc(side.label, side.score)
        if area is None:
            return False
        # Hanley and McNeil 1982 with the smaller class only, which is on the safe side
        few = min(int((side.label == 0).sum()), int((side.label == 1).sum()))
        made.append((area, area * (1 - area) / max(few, 1)))
    (before, one), (now, other) = made
    return before - now > _RANKS + 2 * float(np.sqrt(one + other))


def _report(case: Case, found: Findings, judged: Judgement) -> Diagnosis:
    real = found.reality
    return Diagnosis(
        subject=case.subject,
        metric=LOSSES[case.task],
        reference_rows=len(case.reference),
        current_rows=len(case.current),
        labelled_rows=real.labelled,
        loss_before=real.loss_before,
        loss_now=real.loss_now,
        drop=real.drop,
        verdict=judged.cause,
        sureness=judged.sureness,
        summary=summary(case, found, judged),
        shares=judged.shares,
        suspects=suspects(found, judged),
        onset=real.onset,
        happenings=found.changes.near,
        tests=_tests(found),
        slices=found.slices.slices if found.slices is not None else (),
        series=real.series,
        retrain_gain=found.refit.total if found.refit is not None else None,
        would_change=would_change(case, found, judged),
        commands=commands(case, judged),
        limits=limits(case, found, ROWS),
    )


def _tests(found: Findings) -> tuple[Test, ...]:
    """All links in order; those that were not asked say why."""
    real = found.reality
    made = [
        real.test,
        found.labelling.test,
        found.changes.test,
        found.replay.test,
        found.skew.test,
        found.integrity.test,
    ]
    later = (found.mixture, found.shift, found.refit, found.slices, found.loop)
    for (id, title), each in zip(_TITLES.items(), later, strict=True):
        made.append(each.test if each is not None else _unasked(id, title, found))
    return tuple(made)


def _unasked(id: str, title: str, found: Findings) -> Test:
    if found.reality.answer != "worse":
        text = "not asked: no drop is proven"
    elif _unusable(found):
        text = "not asked: the labels say nothing"
    else:
        rest = found.rest
        share = f"{percent(max(rest.value, 0.0))} of the drop" if rest is not None else "nothing"
        text = (
            f"not asked: after the repairs {share} is left, which is within chance or too little to explain"
        )
    return Test(id=id, title=title, outcome=Outcome.UNKNOWN, text=text)


def _sealed(diagnosis: Diagnosis) -> Diagnosis:
    """The diagnosis with the digest of its canonical JSON; numbers count to six digits, so that the order of a sum
    inside a library does not.
    """
    plain = _rounded(msgspec.to_builtins(replace(diagnosis, digest="")))
    return replace(diagnosis, digest=blake3(msgspec.json.encode(plain, order="deterministic")).hexdigest())


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
