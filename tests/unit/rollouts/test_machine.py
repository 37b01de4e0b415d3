from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mlwright.errors import Conflict, UsageError
from mlwright.model.endpoints import Route
from mlwright.model.ids import EndpointName, ModelName
from mlwright.model.rollouts import (
    Guardrail,
    Rollout,
    RolloutPlan,
    RolloutState,
    RolloutStep,
    RolloutVerdict,
    Verdict,
)
from mlwright.stages.rollouts.machine import abort, advance, start, variants

START = datetime(2013, 7, 1, tzinfo=UTC)
PLAN = RolloutPlan(
    steps=(
        RolloutStep(share=0.0, at_least=timedelta(days=2)),
        RolloutStep(share=0.1, at_least=timedelta(days=2)),
        RolloutStep(share=0.5, at_least=timedelta(days=3)),
    )
)


def verdict(kind: Verdict, e_value: float = 1.0, *, known: bool = True) -> RolloutVerdict:
    test = Guardrail(
        name="quality",
        n=1,
        estimate=0.0 if known else None,
        lower=-0.1 if known else None,
        upper=0.1 if known else None,
        e_value=e_value,
        limit=0.0,
        verdict=Verdict.HOLD,
        assumption="none",
    )
    return RolloutVerdict(at=START, verdict=kind, reason="because", guardrails=(test,))


def begin(plan: RolloutPlan = PLAN, challenger: int = 4) -> Rollout:
    return start(
        endpoint=EndpointName("delay"),
        model=ModelName("flight-delay"),
        champion=3,
        challenger=challenger,
        plan=plan,
        now=START,
    )


def test_a_rollout_climbs_step_by_step_and_is_promoted_at_the_last() -> None:
    rollout = begin()
    shares = []
    for day in (2, 4):
        shares.append(variants(rollout)[1].share)
        rollout = advance(rollout, verdict(Verdict.HOLD), START + timedelta(days=day))
    assert (shares, rollout.step, rollout.step_started) == ([0.0, 0.1], 2, START + timedelta(days=4))
    early = advance(rollout, verdict(Verdict.PROMOTE), START + timedelta(days=6))
    assert early.state is RolloutState.RUNNING
    held = advance(rollout, verdict(Verdict.HOLD), START + timedelta(days=9))
    assert (held.state, held.step) == (RolloutState.RUNNING, 2)
    done = advance(rollout, verdict(Verdict.PROMOTE), START + timedelta(days=9))
    assert (done.state, done.ended) == (RolloutState.PROMOTED, START + timedelta(days=9))
    assert [(each.name, each.version, each.share) for each in variants(done)] == [("champion", 4, 1.0)]


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (Verdict.ROLLBACK, RolloutState.ROLLED_BACK),
        (Verdict.INVALID, RolloutState.INVALID),
        (Verdict.INCONCLUSIVE, RolloutState.INCONCLUSIVE),
    ],
)
def test_other_ends_leave_the_champion(kind: Verdict, state: RolloutState) -> None:
    ended = advance(begin(), verdict(kind), START)
    assert ended.state is state
    assert ended.last is not None
    assert ended.last.reason == "because"
    assert [(each.version, each.share) for each in variants(ended)] == [(3, 1.0)]


def test_substantial_evidence_of_harm_keeps_the_step() -> None:
    later = START + timedelta(days=3)
    assert advance(begin(), verdict(Verdict.HOLD, e_value=3.2), later).step == 0
    assert advance(begin(), verdict(Verdict.HOLD, e_value=3.1), later).step == 1


def test_only_a_challenger_without_share_is_a_shadow() -> None:
    champion, challenger = variants(begin())
    assert (champion.name, champion.share, champion.shadow) == ("champion", 1.0, False)
    assert (challenger.name, challenger.share, challenger.shadow) == ("challenger", 0.0, True)
    assert not variants(replace(begin(), step=1))[1].shadow


def test_an_abort_says_why_and_comes_once() -> None:
    ended = abort(begin(), START, "the airport is closed")
    assert ended.state is RolloutState.ABORTED
    assert ended.last is not None
    assert ended.last.reason == "aborted: the airport is closed"
    with pytest.raises(Conflict, match="already ended: aborted"):
        abort(ended, START, "again")


def test_ids_are_their_own() -> None:
    assert begin().id == begin().id
    assert begin().id != begin(challenger=5).id
    assert begin().id.startswith("ro-20130701-000000-")


def test_all_faults_of_a_plan_are_told_at_once() -> None:
    day = timedelta(days=1)
    plan = RolloutPlan(
        steps=(RolloutStep(share=0.5, at_least=day), RolloutStep(share=0.1, at_least=day)), alpha=2.0
    )
    with pytest.raises(UsageError, match="cannot start") as caught:
        begin(plan, challenger=3)
    assert [fault.where for fault in caught.value.faults] == ["steps[1]", "alpha", "challenger"]
    with pytest.raises(UsageError, match="write at least one"):
        begin(RolloutPlan(steps=()))
    with pytest.raises(UsageError, match=r"1.5 is not between"):
        begin(RolloutPlan(steps=(RolloutStep(share=1.5, at_least=day),)))


class Life(RuleBasedStateMachine):
    """Any verdicts at any times: no step is skipped, what has ended stays, and shares add up to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.rollout = begin()
        self.now = START

    @rule(
        kind=st.sampled_from([Verdict.HOLD, Verdict.PROMOTE] * 4 + list(Verdict)),
        wait=st.integers(0, 100),
        e_value=st.floats(0, 5),
    )
    def hear(self, kind: Verdict, wait: int, e_value: float) -> None:
        before, self.now = self.rollout, self.now + timedelta(hours=wait)
        after = advance(before, verdict(kind, e_value), self.now)
        if before.state.ended:
            assert after == before
        assert after.step - before.step in (0, 1)
        if after.step != before.step:
            assert self.now - before.step_started >= PLAN.steps[before.step].at_least
            assert after.step_started == self.now
        if after.state is RolloutState.PROMOTED and not before.state.ended:
            assert before.step == len(PLAN.steps) - 1
            assert kind is Verdict.PROMOTE
        self.rollout = after

    @rule()
    def stop(self) -> None:
        if self.rollout.state.ended:
            with pytest.raises(Conflict):
                abort(self.rollout, self.now, "enough")
        else:
            self.rollout = abort(self.rollout, self.now, "enough")

    @invariant()
    def shares_make_a_route(self) -> None:
        Route(endpoint=self.rollout.endpoint, generation=1, salt="s", variants=variants(self.rollout))
        assert (self.rollout.ended is not None) == self.rollout.state.ended


Life.TestCase.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
TestLife = Life.TestCase


def test_a_challenger_of_which_nothing_is_known_gets_no_traffic() -> None:
    rollout = begin()
    late = START + timedelta(days=10)
    waiting = advance(rollout, verdict(Verdict.HOLD, known=False), late)
    assert (waiting.step, waiting.state) == (0, RolloutState.RUNNING)
    assert advance(waiting, verdict(Verdict.HOLD), late).step == 1
