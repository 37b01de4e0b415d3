"""Keeping rollouts and their verdicts."""

from datetime import timedelta

import msgspec
from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from mlwright.errors import Conflict, NotFound
from mlwright.model.ids import EndpointName, ModelName, RolloutId
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.rollouts import (
    Guardrail,
    Rollout,
    RolloutPlan,
    RolloutState,
    RolloutStep,
    RolloutVerdict,
    Verdict,
)
from mlwright.stages.rollouts import tables

_MICROSECOND = timedelta(microseconds=1)


def save(tx: Connection, rollout: Rollout) -> None:
    """Write a rollout as it is now; the one of the same id is replaced.

    Raises:
        Conflict: another rollout is running on the endpoint.
    """
    if not rollout.state.ended:
        other = running(tx, rollout.endpoint)
        if other is not None and other.id != rollout.id:
            running_now = f"rollout {other.id} of {other.model}/{other.challenger} is already running"
            raise _busy(rollout.endpoint, running_now)
    row = {
        "endpoint": rollout.endpoint,
        "model": rollout.model,
        "champion": rollout.champion,
        "challenger": rollout.challenger,
        "plan": _plan_out(rollout.plan),
        "state": rollout.state.value,
        "step": rollout.step,
        "started_at": to_micros(rollout.started),
        "step_started_at": to_micros(rollout.step_started),
        "ended_at": to_micros(rollout.ended) if rollout.ended else None,
        "last": _verdict_out(rollout.last) if rollout.last else None,
    }
    changed = tx.execute(update(tables.rollouts).where(tables.rollouts.c.id == rollout.id).values(row))
    if changed.rowcount == 0:
        try:
            tx.execute(insert(tables.rollouts).values(id=rollout.id, **row))
        except IntegrityError as error:
            raise _busy(rollout.endpoint, "another rollout was started at the same time") from error


def _busy(endpoint: EndpointName, what: str) -> Conflict:
    return Conflict(
        what,
        where=f"endpoint {endpoint}",
        why="an endpoint takes one challenger at a time, or their effects could not be told apart",
        next_command=f"mlwright rollout abort {endpoint}",
    )


def get(tx: Connection, id: RolloutId) -> Rollout:
    """Read one rollout.

    Raises:
        NotFound: no rollout has this id; the nearest known one is suggested.
    """
    row = tx.execute(select(tables.rollouts).where(tables.rollouts.c.id == id)).one_or_none()
    if row is None:
        known = tx.execute(select(tables.rollouts.c.id)).scalars()
        raise NotFound.named("rollout", id, known, next_command="mlwright rollout list")
    return _rollout_in(row)


def running(tx: Connection, endpoint: EndpointName) -> Rollout | None:
    """The rollout that runs on an endpoint now; there is at most one."""
    table = tables.rollouts
    row = tx.execute(
        select(table).where(table.c.endpoint == endpoint, table.c.state == RolloutState.RUNNING.value)
    ).one_or_none()
    return None if row is None else _rollout_in(row)


def list_rollouts(
    tx: Connection, endpoint: EndpointName | None = None, *, limit: int = 100
) -> tuple[Rollout, ...]:
    """Rollouts of one endpoint or of all, the latest first."""
    query = select(tables.rollouts).order_by(tables.rollouts.c.started_at.desc(), tables.rollouts.c.id)
    if endpoint is not None:
        query = query.where(tables.rollouts.c.endpoint == endpoint)
    return tuple(_rollout_in(row) for row in tx.execute(query.limit(limit)))


def add_verdict(tx: Connection, id: RolloutId, verdict: RolloutVerdict) -> None:
    """Add one verdict to the record of a rollout.

    Raises:
        NotFound: no rollout has this id.
    """
    found = tx.execute(select(func.count()).select_from(tables.rollouts).where(tables.rollouts.c.id == id))
    if not found.scalar_one():
        raise NotFound.named("rollout", id, tx.execute(select(tables.rollouts.c.id)).scalars())
    out = _verdict_out(verdict)
    tx.execute(
        insert(tables.verdicts).values(
            rollout=id,
            verdict_at=to_micros(verdict.at),
            verdict=verdict.verdict.value,
            reason=verdict.reason,
            guardrails=out["guardrails"],
        )
    )


def verdicts(tx: Connection, id: RolloutId, *, limit: int = 1000) -> tuple[RolloutVerdict, ...]:
    """The latest verdicts of a rollout, the oldest of them first."""
    table = tables.verdicts
    rows = tx.execute(
        select(table)
        .where(table.c.rollout == id)
        .order_by(table.c.verdict_at.desc(), table.c.id.desc())
        .limit(limit)
    ).all()
    return tuple(
        RolloutVerdict(
            at=from_micros(row.verdict_at),
            verdict=Verdict(row.verdict),
            reason=row.reason,
            guardrails=msgspec.convert(row.guardrails, tuple[Guardrail, ...]),
        )
        for row in reversed(rows)
    )


def _rollout_in(row: Row[tuple[object, ...]]) -> Rollout:
    return Rollout(
        id=RolloutId(row.id),
        endpoint=EndpointName(row.endpoint),
        model=ModelName(row.model),
        champion=row.champion,
        challenger=row.challenger,
        plan=_plan_in(row.plan),
        state=RolloutState(row.state),
        step=row.step,
        started=from_micros(row.started_at),
        step_started=from_micros(row.step_started_at),
        ended=None if row.ended_at is None else from_micros(row.ended_at),
        last=None if row.last is None else _verdict_in(row.last),
    )


def _plan_out(plan: RolloutPlan) -> dict[str, object]:
    """Durations are whole microseconds, so that they come back exactly."""
    return {
        "steps": [{"share": step.share, "at_least_us": step.at_least // _MICROSECOND} for step in plan.steps],
        "loss_margin": plan.loss_margin,
        "latency_margin": plan.latency_margin,
        "alpha": plan.alpha,
        "deadline_us": plan.deadline // _MICROSECOND,
        "min_labels": plan.min_labels,
    }


def _plan_in(stored: dict[str, object]) -> RolloutPlan:
    plan = msgspec.convert(stored, _StoredPlan)
    return RolloutPlan(
        steps=tuple(
            RolloutStep(share=step.share, at_least=step.at_least_us * _MICROSECOND) for step in plan.steps
        ),
        loss_margin=plan.loss_margin,
        latency_margin=plan.latency_margin,
        alpha=plan.alpha,
        deadline=plan.deadline_us * _MICROSECOND,
        min_labels=plan.min_labels,
    )


class _StoredStep(msgspec.Struct, frozen=True):
    share: float
    at_least_us: int


class _StoredPlan(msgspec.Struct, frozen=True):
    steps: tuple[_StoredStep, ...]
    loss_margin: float
    latency_margin: float
    alpha: float
    deadline_us: int
    min_labels: int


def _verdict_out(verdict: RolloutVerdict) -> dict[str, object]:
    return {
        "at_us": to_micros(verdict.at),
        "verdict": verdict.verdict.value,
        "reason": verdict.reason,
        "guardrails": [msgspec.to_builtins(test) for test in verdict.guardrails],
    }


class _StoredVerdict(msgspec.Struct, frozen=True):
    at_us: int
    verdict: Verdict
    reason: str
    guardrails: tuple[Guardrail, ...]


def _verdict_in(stored: dict[str, object]) -> RolloutVerdict:
    last = msgspec.convert(stored, _StoredVerdict)
    return RolloutVerdict(
        at=from_micros(last.at_us), verdict=last.verdict, reason=last.reason, guardrails=last.guardrails
    )
