"""The verdict machine: what the evidence says about a challenger now, in one of five words.

The order matters. Harm that needs no comparison (a challenger that fails half of its calls) comes first,
since it also breaks the pairs; then doubts about the evidence itself (INVALID); then proven harm
(ROLLBACK); then PROMOTE, only at the last step; then the deadline (INCONCLUSIVE: the champion stays); else
HOLD, with what is still missing. All tests may be looked at at any time; ``plan.alpha`` is split over them
by :data:`ALPHA_SHARES`.
"""

from datetime import datetime, timedelta
from math import log, sqrt
from typing import NamedTuple

from mlwright.model.durations import format_duration
from mlwright.model.rollouts import Guardrail, Rollout, RolloutPlan, RolloutVerdict, Verdict
from mlwright.stages.rollouts.evidence import Counts, Evidence
from mlwright.stages.rollouts.statistics import (
    FIRST_CLUSTERS,
    ConfidenceSequence,
    confidence_sequence,
    e_value,
    log_share_e_value,
    rows_to_decision,
    share_bounds,
    srm_log_e_value,
)

ALPHA_SHARES = {"quality": 0.5, "errors": 0.25, "latency": 0.25}
"""How the plan's alpha is split; by the union bound the chance of any wrong ROLLBACK is at most alpha."""

SRM_LIMIT = 1000.0
MISSING_LIMIT = 0.2
MISSING_FROM_ROWS = 100
FAILED_LIMIT = 0.5
FAILED_FROM_CALLS = 20
DOUBT = sqrt(10)
"""Evidence that Jeffreys (1961) calls substantial: too little to roll back, too much to give more traffic."""


def points_to_harm(guardrail: Guardrail) -> bool:
    """Whether this test, though it proves nothing yet, speaks against giving the challenger more traffic."""
    if guardrail.verdict in (Verdict.ROLLBACK, Verdict.INVALID):
        return True
    return guardrail.e_value is not None and guardrail.e_value >= DOUBT


def judge(rollout: Rollout, evidence: Evidence, now: datetime, *, mature: bool) -> RolloutVerdict:
    """Say what the evidence means for a running rollout.

    Args:
        rollout: the rollout, in the step for which the evidence was put together.
        evidence: all of the rollout's predictions so far.
        now: the present instant.
        mature: whether the labels are complete up to the evidence's last row. Where they are not, quality
            is shown but neither rolls back nor promotes: labels that come early are not like those that
            come late.

    Returns:
        The verdict, its reason in one sentence, and every test, also those that found nothing.
    """
    plan = rollout.plan
    sequence = confidence_sequence(
        evidence.differences,
        evidence.clusters,
        alpha=plan.alpha * ALPHA_SHARES["quality"],
        planned=_planned_hours(plan),
    )
    quality = _quality(sequence, plan, mature=mature)
    tests = [
        quality,
        _events(
            "errors", evidence.failed, evidence.calls, margin=0.0, alpha=plan.alpha * ALPHA_SHARES["errors"]
        ),
        _events(
            "latency",
            evidence.slow,
            evidence.calls,
            margin=plan.latency_margin,
            alpha=plan.alpha * ALPHA_SHARES["latency"],
        ),
        _failing(evidence),
        _pairs(evidence),
    ]
    if 0 < evidence.share < 1:
        tests.append(_assignment(evidence))
    verdict, reason = _decide(rollout, tests, sequence, now, mature=mature)
    return RolloutVerdict(at=now, verdict=verdict, reason=reason, guardrails=tuple(tests))


def _planned_hours(plan: RolloutPlan) -> int:
    """The clusters after which a decision is wanted: fixed by the plan, so the data cannot choose it."""
    hours = sum((step.at_least for step in plan.steps), timedelta()) / timedelta(hours=1)
    return max(2 * FIRST_CLUSTERS, round(hours))


def _quality(sequence: ConfidenceSequence, plan: RolloutPlan, *, mature: bool) -> Guardrail:
    verdict, known = Verdict.HOLD, sequence.started
    if known and mature and sequence.lower > 0:
        verdict = Verdict.ROLLBACK
    elif known and mature and sequence.upper < plan.loss_margin:
        verdict = Verdict.PROMOTE
    assumption = sequence.assumption
    if not mature:
        assumption += "; labels are not complete yet, so this test cannot decide"
    if not known:
        assumption += f"; bounds start at {FIRST_CLUSTERS} hours"
    return Guardrail(
        name="quality",
        n=sequence.rows,
        estimate=sequence.estimate if sequence.rows else None,
        lower=sequence.lower if known else None,
        upper=sequence.upper if known else None,
        e_value=e_value(sequence.log_e_value) if known and mature else None,
        limit=plan.loss_margin,
        verdict=verdict,
        assumption=assumption,
    )


def _events(name: str, bad: Counts, calls: Counts, *, margin: float, alpha: float) -> Guardrail:
    """Compare the rates of bad calls by asking whose the bad calls are (sequential binomial test).

    The estimate and the bounds are the relative rise of the challenger's rate over the champion's.
    """
    what = "failed calls" if name == "errors" else "calls slower than the SLO"
    assumption = (
        f"given the calls of both variants, each of the {bad.total} {what} is the challenger's independently"
        f" with the same chance; exact at any time; alpha {alpha:.2%}"
    )
    estimate = lower = upper = evidence = None
    verdict = Verdict.HOLD
    if calls.champion and calls.challenger:
        share = calls.challenger / calls.total
        # A rate (1 + margin) times the champion's is still no harm: this is its share of the bad calls.
        tolerated = share * (1 + margin) / (share * (1 + margin) + 1 - share)
        log_e = log_share_e_value(bad.challenger, bad.total, tolerated)
        evidence = e_value(log_e)
        if bad.champion:
            estimate = _rise(bad.challenger / bad.total, share)
        bounds = share_bounds(bad.challenger, bad.total, alpha)
        lower, upper = _rise(bounds[0], share), _rise(bounds[1], share)
        if log_e >= -log(alpha):
            verdict = Verdict.ROLLBACK
        elif upper is not None and upper < margin:
            verdict = Verdict.PROMOTE
    return Guardrail(
        name=name,
        n=calls.total,
        estimate=estimate,
        lower=lower,
        upper=upper,
        e_value=evidence,
        limit=margin,
        verdict=verdict,
        assumption=assumption,
    )


def _rise(q: float, share: float) -> float | None:
    """The relative rise of the rate that makes a share q of bad calls the challenger's; None if unbounded."""
    return None if q >= 1 else q / (1 - q) * (1 - share) / share - 1


def _failing(evidence: Evidence) -> Guardrail:
    calls, failed = evidence.calls.challenger, evidence.failed.challenger
    over = calls >= FAILED_FROM_CALLS and failed > FAILED_LIMIT * calls
    return Guardrail(
        name="challenger fails",
        n=calls,
        estimate=failed / calls if calls else None,
        lower=None,
        upper=None,
        e_value=None,
        limit=FAILED_LIMIT,
        verdict=Verdict.ROLLBACK if over else Verdict.HOLD,
        assumption=f"a fixed limit from {FAILED_FROM_CALLS} calls on, no test: broken is broken",
    )


def _pairs(evidence: Evidence) -> Guardrail:
    missing = evidence.unpaired / evidence.rows if evidence.rows else None
    broken = missing is not None and evidence.rows >= MISSING_FROM_ROWS and missing > MISSING_LIMIT
    return Guardrail(
        name="pairs",
        n=evidence.rows,
        estimate=missing,
        lower=None,
        upper=None,
        e_value=None,
        limit=MISSING_LIMIT,
        verdict=Verdict.INVALID if broken else Verdict.HOLD,
        assumption=f"a fixed limit from {MISSING_FROM_ROWS} rows on: pairs are not missing by chance",
    )


def _assignment(evidence: Evidence) -> Guardrail:
    log_e = srm_log_e_value(
        [evidence.assigned.champion, evidence.assigned.challenger], [1 - evidence.share, evidence.share]
    )
    total = evidence.assigned.total
    return Guardrail(
        name="assignment",
        n=total,
        estimate=evidence.assigned.challenger / total - evidence.share if total else None,
        lower=None,
        upper=None,
        e_value=e_value(log_e),
        limit=SRM_LIMIT,
        verdict=Verdict.INVALID if log_e >= log(SRM_LIMIT) else Verdict.HOLD,
        assumption="anytime multinomial test of the shares; units are assigned independently of each other",
    )


class _Finding(NamedTuple):
    verdict: Verdict
    reason: str


def _decide(
    rollout: Rollout, tests: list[Guardrail], sequence: ConfidenceSequence, now: datetime, *, mature: bool
) -> _Finding:
    by_name = {test.name: test for test in tests}
    if by_name["challenger fails"].verdict is Verdict.ROLLBACK:
        return _Finding(Verdict.ROLLBACK, _harm(by_name["challenger fails"], rollout))
    for test in tests:
        if test.verdict is Verdict.INVALID:
            return _Finding(Verdict.INVALID, _doubt(test))
    for test in tests:
        if test.verdict is Verdict.ROLLBACK:
            return _Finding(Verdict.ROLLBACK, _harm(test, rollout))
    missing = _missing(rollout, tests, sequence, now, mature=mature)
    if not missing:
        quality = by_name["quality"]
        return _Finding(
            Verdict.PROMOTE,
            f"over {quality.n:,} labelled pairs the loss changed by {sequence.estimate:+.4f}, at most by"
            f" {sequence.upper:+.4f} (margin {rollout.plan.loss_margin:+.4f}), and no test points to harm",
        )
    if now - rollout.started >= rollout.plan.deadline:
        span = format_duration(rollout.plan.deadline)
        return _Finding(
            Verdict.INCONCLUSIVE, f"no decision within {span}, the champion stays: {'; '.join(missing)}"
        )
    return _Finding(Verdict.HOLD, "; ".join(missing))


def _harm(test: Guardrail, rollout: Rollout) -> str:
    challenger = f"{rollout.model}/{rollout.challenger}"
    if test.name == "challenger fails":
        return (
            f"{challenger} failed {test.estimate or 0:.0%} of its {test.n:,} calls (limit {test.limit:.0%})"
        )
    if test.name == "quality":
        return (
            f"{challenger} is worse: over {test.n:,} labelled pairs its loss is higher by"
            f" {test.estimate or 0:.4f}, at least by {test.lower or 0:.4f}"
        )
    kind = "fails" if test.name == "errors" else "is slow"
    return (
        f"{challenger} {kind} more often than {rollout.model}/{rollout.champion}"
        f"{f' by more than {test.limit:.0%}' if test.limit else ''}:"
        f" evidence {test.e_value or 0:,.0f} to 1 over {test.n:,} calls"
    )


def _doubt(test: Guardrail) -> str:
    if test.name == "pairs":
        return f"{test.estimate or 0:.0%} of {test.n:,} predictions have no partner (limit {test.limit:.0%})"
    return (
        f"assignment is broken: the challenger's part of {test.n:,} units is off by"
        f" {test.estimate or 0:+.2%}, evidence {test.e_value or 0:,.0f} to 1"
    )


def _missing(
    rollout: Rollout, tests: list[Guardrail], sequence: ConfidenceSequence, now: datetime, *, mature: bool
) -> list[str]:
    """What stands between the challenger and PROMOTE, in words."""
    plan, step = rollout.plan, rollout.plan.steps[rollout.step]
    missing = []
    stay = rollout.step_started + step.at_least - now
    if rollout.step < len(plan.steps) - 1:
        rest = len(plan.steps) - 1 - rollout.step
        missing.append(f"step {step.name} is followed by {rest} more step{'s' if rest > 1 else ''}")
    if stay > timedelta():
        missing.append(f"step {step.name} lasts another {_hours(stay)}")
    if not mature:
        missing.append("labels are not mature")
    if sequence.rows < plan.min_labels:
        missing.append(f"{sequence.rows:,} of {plan.min_labels:,} labelled pairs")
    if not sequence.started or sequence.upper >= plan.loss_margin:
        missing.append(_outlook(rollout, sequence, now))
    missing += [
        f"the test of {test.name} speaks against it (evidence {test.e_value or 0:.1f} to 1)"
        for test in tests
        if points_to_harm(test)
    ]
    return missing


def _outlook(rollout: Rollout, sequence: ConfidenceSequence, now: datetime) -> str:
    """How long until the upper bound passes the margin, in labelled pairs and in time at the rate so far."""
    margin = rollout.plan.loss_margin
    if sequence.clusters < 2:
        return "no labelled hours to compare yet"
    bound = (
        f"upper bound {sequence.upper:+.4f}" if sequence.started else f"{sequence.clusters} labelled hours"
    )
    ahead = rows_to_decision(sequence, margin)
    if ahead is None:
        return f"the loss rose by {sequence.estimate:.4f}, not below the margin {margin:.4f}: no end in sight"
    text = f"{bound}, about {ahead.rows:,} more labelled pairs until it passes the margin {margin:+.4f}"
    elapsed = now - rollout.started
    if elapsed <= timedelta():
        return text
    wait = elapsed * (ahead.clusters / sequence.clusters)
    late = now + wait > rollout.started + rollout.plan.deadline
    return f"{text} (in {_hours(wait)} at this rate{', after the deadline' if late else ''})"


def _hours(span: timedelta) -> str:
    hours = span / timedelta(hours=1)
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"
