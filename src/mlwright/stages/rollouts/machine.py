"""The life of a rollout as pure functions: start, one step at a time, one end."""

from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from itertools import pairwise

from mlwright.errors import Conflict, Fault, UsageError
from mlwright.model.endpoints import Variant
from mlwright.model.ids import EndpointName, ModelName, RolloutId
from mlwright.model.rollouts import Rollout, RolloutPlan, RolloutState, RolloutVerdict, Verdict
from mlwright.stages.rollouts.verdict import points_to_harm

_ENDS = {
    Verdict.ROLLBACK: RolloutState.ROLLED_BACK,
    Verdict.INVALID: RolloutState.INVALID,
    Verdict.INCONCLUSIVE: RolloutState.INCONCLUSIVE,
}


def start(
    *,
    endpoint: EndpointName,
    model: ModelName,
    champion: int,
    challenger: int,
    plan: RolloutPlan,
    now: datetime,
    id: RolloutId | None = None,
) -> Rollout:
    """Begin the first step. Without an id, one is made from the instant, the endpoint and the challenger.

    Raises:
        UsageError: the plan cannot be followed (all faults are listed), or champion and challenger are one
            version.
    """
    faults = _plan_faults(plan)
    if champion == challenger:
        faults.append(Fault(where="challenger", what=f"version {challenger} is already the champion"))
    if faults:
        raise UsageError(
            f"a rollout of {model}/{challenger} cannot start",
            where=f"endpoint {endpoint}",
            next_command=f"mlwright deploy {endpoint} {model}/{challenger}",
            faults=faults,
        )
    return Rollout(
        id=id or _id_of(endpoint, model, challenger, now),
        endpoint=endpoint,
        model=model,
        champion=champion,
        challenger=challenger,
        plan=plan,
        state=RolloutState.RUNNING,
        step=0,
        started=now,
        step_started=now,
    )


def _id_of(endpoint: EndpointName, model: ModelName, challenger: int, now: datetime) -> RolloutId:
    """Ids sort by their start, and the same start of the same rollout gives the same id."""
    digest = blake2b(f"{endpoint}\n{model}\n{challenger}\n{now.isoformat()}".encode(), digest_size=4)
    return RolloutId(f"ro-{now:%Y%m%d-%H%M%S}-{digest.hexdigest()}")


def _plan_faults(plan: RolloutPlan) -> list[Fault]:
    faults = []
    if not plan.steps:
        faults.append(Fault(where="steps", what="there is none: write at least one, such as 'shadow'"))
    shares = [step.share for step in plan.steps]
    faults += [
        Fault(where=f"steps[{index}]", what=f"the share {share:g} is not between 0 and 1")
        for index, share in enumerate(shares)
        if not 0 <= share <= 1
    ]
    faults += [
        Fault(where=f"steps[{index + 1}]", what=f"the share falls from {before:.0%} to {after:.0%}")
        for index, (before, after) in enumerate(pairwise(shares))
        if after < before
    ]
    if not 0 < plan.alpha < 1:
        faults.append(Fault(where="alpha", what=f"{plan.alpha:g} is not between 0 and 1"))
    if plan.loss_margin < 0:
        faults.append(Fault(where="loss_margin", what=f"{plan.loss_margin:g} is below 0"))
    if plan.latency_margin < 0:
        faults.append(Fault(where="latency_margin", what=f"{plan.latency_margin:g} is below 0"))
    return faults


def advance(rollout: Rollout, verdict: RolloutVerdict, now: datetime) -> Rollout:
    """Follow a verdict: end, move on by one step, or stay.

    A running rollout moves on when its step has lasted its time, quality has bounds and no test points to
    harm: nothing known is no reason to give a challenger more traffic. It is promoted only by PROMOTE at the
    last step. The value keeps the last verdict only; the store keeps all of them. A
    rollout that has ended is returned as it is.
    """
    if rollout.state.ended:
        return rollout
    heard = replace(rollout, last=verdict)
    end = _ENDS.get(verdict.verdict)
    if end is not None:
        return replace(heard, state=end, ended=now)
    due = now - rollout.step_started >= rollout.plan.steps[rollout.step].at_least
    known = any(test.name == "quality" and test.lower is not None for test in verdict.guardrails)
    if not due or not known or any(points_to_harm(test) for test in verdict.guardrails):
        return heard
    if rollout.step < len(rollout.plan.steps) - 1:
        return replace(heard, step=rollout.step + 1, step_started=now)
    if verdict.verdict is Verdict.PROMOTE:
        return replace(heard, state=RolloutState.PROMOTED, ended=now)
    return heard


def abort(rollout: Rollout, at: datetime, reason: str) -> Rollout:
    """End a rollout because a person said so; the champion stays.

    Raises:
        Conflict: it has already ended.
    """
    if rollout.state.ended:
        raise Conflict(
            f"rollout {rollout.id} has already ended: {rollout.state.value}",
            where=f"endpoint {rollout.endpoint}",
            next_command="mlwright rollout list",
        )
    tests = rollout.last.guardrails if rollout.last else ()
    last = RolloutVerdict(at=at, verdict=Verdict.INCONCLUSIVE, reason=f"aborted: {reason}", guardrails=tests)
    return replace(rollout, state=RolloutState.ABORTED, ended=at, last=last)


def variants(rollout: Rollout) -> tuple[Variant, ...]:
    """What stands behind the endpoint: both variants while the rollout runs, its winner alone afterwards."""
    if rollout.state is RolloutState.PROMOTED:
        return (Variant(name="champion", model=rollout.model, version=rollout.challenger, share=1.0),)
    if rollout.state.ended:
        return (Variant(name="champion", model=rollout.model, version=rollout.champion, share=1.0),)
    share = rollout.plan.steps[rollout.step].share
    return (
        Variant(name="champion", model=rollout.model, version=rollout.champion, share=1.0 - share),
        Variant(
            name="challenger", model=rollout.model, version=rollout.challenger, share=share, shadow=share == 0
        ),
    )
