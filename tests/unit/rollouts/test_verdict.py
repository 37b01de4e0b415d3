from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from mlwright.model.rollouts import Guardrail, Rollout, RolloutPlan, Verdict
from mlwright.stages.rollouts.evidence import Counts, Evidence
from mlwright.stages.rollouts.verdict import judge, points_to_harm

MakeEvidence = Callable[..., Evidence]
START = datetime(2013, 7, 1, tzinfo=UTC)
PLAN = RolloutPlan(steps=())
"""The limits that the fixture's plan has as well: all of them are the defaults."""
WEEK = START + timedelta(days=7)


@pytest.fixture
def last(rollout: Rollout) -> Rollout:
    return replace(rollout, step=2, step_started=START + timedelta(days=4))


def named(tests: tuple[Guardrail, ...], name: str) -> Guardrail:
    return next(test for test in tests if test.name == name)


def test_a_challenger_that_is_no_worse_is_promoted_at_the_last_step(
    last: Rollout, make_evidence: MakeEvidence
) -> None:
    verdict = judge(last, make_evidence(), WEEK, mature=True)
    assert verdict.verdict is Verdict.PROMOTE
    assert "1,680 labelled pairs" in verdict.reason
    quality = named(verdict.guardrails, "quality")
    assert quality.lower < 0 < quality.upper < PLAN.loss_margin
    assert {test.name for test in verdict.guardrails} == {
        "quality",
        "errors",
        "latency",
        "challenger fails",
        "pairs",
        "assignment",
    }
    assert all(test.assumption and test.n > 0 for test in verdict.guardrails)


@pytest.mark.parametrize("step", [0, 1])
def test_no_step_but_the_last_promotes(last: Rollout, make_evidence: MakeEvidence, step: int) -> None:
    verdict = judge(replace(last, step=step), make_evidence(), WEEK, mature=True)
    assert verdict.verdict is Verdict.HOLD
    assert "followed by" in verdict.reason


def test_the_last_step_lasts_its_time(last: Rollout, make_evidence: MakeEvidence) -> None:
    verdict = judge(last, make_evidence(), WEEK - timedelta(hours=30), mature=True)
    assert verdict.verdict is Verdict.HOLD
    assert "30.0 hours" in verdict.reason


def test_too_few_labels_hold(last: Rollout, make_evidence: MakeEvidence) -> None:
    patient = replace(last, plan=replace(last.plan, min_labels=2000))
    verdict = judge(patient, make_evidence(), WEEK, mature=True)
    assert verdict.verdict is Verdict.HOLD
    assert verdict.reason == "1,680 of 2,000 labelled pairs"


def test_a_worse_challenger_is_rolled_back_with_numbers(last: Rollout, make_evidence: MakeEvidence) -> None:
    verdict = judge(last, make_evidence(shift=0.01), WEEK, mature=True)
    assert verdict.verdict is Verdict.ROLLBACK
    assert "flight-delay/4 is worse" in verdict.reason
    assert "0.0100" in verdict.reason
    assert named(verdict.guardrails, "quality").e_value > 1 / (PLAN.alpha / 2)


def test_labels_that_are_not_mature_neither_promote_nor_roll_back(
    last: Rollout, make_evidence: MakeEvidence
) -> None:
    for shift in (-0.02, 0.02):
        verdict = judge(last, make_evidence(shift=shift), WEEK, mature=False)
        assert verdict.verdict is Verdict.HOLD
        assert "labels are not mature" in verdict.reason
        assert named(verdict.guardrails, "quality").estimate == pytest.approx(shift)


def test_fast_proxies_roll_back_before_labels_are_mature(last: Rollout, make_evidence: MakeEvidence) -> None:
    slow = make_evidence(hours=0, slow=Counts(champion=5, challenger=40), rows=0)
    slow = replace(slow, calls=Counts(champion=500, challenger=500))
    verdict = judge(last, slow, START + timedelta(hours=1), mature=False)
    assert verdict.verdict is Verdict.ROLLBACK
    assert "is slow more often" in verdict.reason
    assert named(verdict.guardrails, "latency").estimate == pytest.approx(7.0)


def test_a_rise_of_slow_answers_within_the_margin_is_no_harm(
    last: Rollout, make_evidence: MakeEvidence
) -> None:
    within = make_evidence(slow=Counts(champion=1000, challenger=1150))
    assert judge(last, within, WEEK, mature=True).verdict is Verdict.PROMOTE
    beyond = make_evidence(slow=Counts(champion=1000, challenger=1600))
    assert judge(last, beyond, WEEK, mature=True).verdict is Verdict.ROLLBACK


def test_errors_are_compared_by_calls_not_by_traffic(last: Rollout, make_evidence: MakeEvidence) -> None:
    # Harm if both were called as often, none if the challenger took nine tenths of the calls.
    failed = Counts(champion=4, challenger=20)
    even = make_evidence(failed=failed, calls=Counts(champion=1000, challenger=1000))
    assert judge(last, even, WEEK, mature=True).verdict is Verdict.ROLLBACK
    uneven = make_evidence(failed=failed, calls=Counts(champion=200, challenger=1800))
    assert named(judge(last, uneven, WEEK, mature=True).guardrails, "errors").e_value < 1


def test_a_challenger_that_breaks_is_rolled_back_although_its_pairs_are_missing(
    last: Rollout, make_evidence: MakeEvidence
) -> None:
    broken = make_evidence(
        hours=0,
        calls=Counts(champion=20, challenger=20),
        failed=Counts(champion=20, challenger=20),
        slow=Counts(),
        rows=200,
        unpaired=200,
    )
    verdict = judge(last, broken, START + timedelta(hours=1), mature=False)
    assert verdict.verdict is Verdict.ROLLBACK
    assert verdict.reason == "flight-delay/4 failed 100% of its 20 calls (limit 50%)"
    few = replace(broken, calls=Counts(champion=19, challenger=19), failed=Counts(challenger=1, champion=19))
    assert judge(last, few, START + timedelta(hours=1), mature=False).verdict is Verdict.INVALID


def test_missing_pairs_make_the_comparison_invalid(last: Rollout, make_evidence: MakeEvidence) -> None:
    verdict = judge(last, make_evidence(shift=0.01, unpaired=400), WEEK, mature=True)
    assert verdict.verdict is Verdict.INVALID
    assert "24% of 1,680 predictions have no partner" in verdict.reason
    assert judge(last, make_evidence(unpaired=300), WEEK, mature=True).verdict is Verdict.PROMOTE
    assert judge(last, make_evidence(rows=99, unpaired=90), WEEK, mature=True).verdict is Verdict.PROMOTE


def test_broken_assignment_is_invalid_but_not_tested_in_shadow(
    last: Rollout, make_evidence: MakeEvidence
) -> None:
    tilted = make_evidence(assigned=Counts(champion=1000, challenger=680))
    verdict = judge(last, tilted, WEEK, mature=True)
    assert verdict.verdict is Verdict.INVALID
    assert "assignment is broken" in verdict.reason
    shadow = judge(last, replace(tilted, share=0.0), WEEK, mature=True)
    assert shadow.verdict is Verdict.PROMOTE
    assert "assignment" not in {test.name for test in shadow.guardrails}


def test_the_deadline_ends_without_promotion(last: Rollout, make_evidence: MakeEvidence) -> None:
    wide = make_evidence(spread=0.4)
    assert judge(last, wide, WEEK, mature=True).verdict is Verdict.HOLD
    verdict = judge(last, wide, START + PLAN.deadline, mature=True)
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert "the champion stays" in verdict.reason
    assert judge(last, make_evidence(), START + PLAN.deadline, mature=True).verdict is Verdict.PROMOTE
    assert (
        judge(last, make_evidence(shift=0.01), START + PLAN.deadline, mature=True).verdict is Verdict.ROLLBACK
    )


def test_hold_says_how_long(last: Rollout, make_evidence: MakeEvidence) -> None:
    verdict = judge(last, make_evidence(spread=0.09), WEEK, mature=True)
    assert verdict.verdict is Verdict.HOLD
    assert "more labelled pairs until it passes the margin +0.0050 (in " in verdict.reason
    hopeless = judge(last, make_evidence(shift=0.006, spread=0.2), WEEK, mature=True)
    assert "no end in sight" in hopeless.reason
    early = judge(last, make_evidence(hours=20), WEEK, mature=True)
    assert "20 labelled hours" in early.reason


def test_doubt_holds_back_what_would_be_promoted(last: Rollout, make_evidence: MakeEvidence) -> None:
    doubtful = make_evidence(failed=Counts(champion=2, challenger=11))
    verdict = judge(last, doubtful, WEEK, mature=True)
    errors = named(verdict.guardrails, "errors")
    assert 10**0.5 <= errors.e_value < 1 / (PLAN.alpha / 4)
    assert points_to_harm(errors)
    assert verdict.verdict is Verdict.HOLD
    assert "errors speaks against it" in verdict.reason


def test_no_labels_and_no_traffic_is_a_hold(rollout: Rollout, make_evidence: MakeEvidence) -> None:
    nothing = make_evidence(hours=0, slow=Counts(), share=0.0)
    verdict = judge(rollout, nothing, START, mature=True)
    assert verdict.verdict is Verdict.HOLD
    assert "no labelled hours" in verdict.reason
    assert all(test.estimate is None for test in verdict.guardrails)


def test_every_number_of_a_verdict_is_finite(last: Rollout, make_evidence: MakeEvidence) -> None:
    constant = make_evidence(
        spread=0.0, shift=0.1, failed=Counts(challenger=1600), slow=Counts(challenger=1680)
    )
    for evidence in (constant, make_evidence(hours=0, slow=Counts())):
        for test in judge(last, evidence, WEEK, mature=True).guardrails:
            numbers = [test.estimate, test.lower, test.upper, test.e_value, test.limit]
            assert np.isfinite([number for number in numbers if number is not None]).all()


def test_a_good_challenger_is_rarely_rolled_back_however_often_one_looks(
    last: Rollout, make_evidence: MakeEvidence
) -> None:
    """A/A runs through the whole machine: ten looks each at equally good variants with correlated hours."""
    rng = np.random.default_rng(3)
    runs, hours, wrong = 150, 150, 0
    base = make_evidence(hours=hours)
    for _ in range(runs):
        shared = np.repeat(rng.normal(0, 0.02, hours), 10)
        noise = shared + rng.normal(0, 0.02, hours * 10)
        slow = rng.random((2, hours * 10)) < 0.02
        for end in range(60, hours + 1, 10):
            rows = slice(0, end * 10)
            counts = Counts(champion=int(slow[0, rows].sum()), challenger=int(slow[1, rows].sum()))
            evidence = replace(
                base,
                champion_loss=base.champion_loss[rows],
                challenger_loss=base.champion_loss[rows] + noise[rows],
                clusters=base.clusters[rows],
                slow=counts,
                calls=Counts(champion=end * 10, challenger=end * 10),
            )
            if judge(last, evidence, WEEK, mature=True).verdict is Verdict.ROLLBACK:
                wrong += 1
                break
    assert wrong / runs <= PLAN.alpha
