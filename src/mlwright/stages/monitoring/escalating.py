"""Who has to hear of an alert now: pure functions of the plan, of what was told, and of the instant.

An escalation is a time line from the instant it runs since: each step has a delay and names channels. Where several
steps have come due while nobody looked (the process was down), the last of them alone is told: people are told what is
due now, not what would have been due. Whoever acknowledges ends it; so does the alert's end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mlwright.model.monitoring import AlertLevel
from mlwright.model.watch_settings import EscalationSettings, EscalationStep, NotifySettings

_USUAL: Final = (AlertLevel.PAGE.value, AlertLevel.TICKET.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationClock:
    """Where one alert's escalation stands: ``step`` is the index of the last step told, -1 before the first."""

    since: datetime
    step: int = -1
    told: datetime | None = None


def told_at_once(
    channels: Iterable[str],
    notify: Sequence[NotifySettings],
    escalations: Sequence[EscalationSettings],
    *,
    level: AlertLevel,
    endpoint: str,
) -> tuple[str, ...]:
    """The channels that hear of an alert when it fires: those that no escalation names, and that want it."""
    by_turns = {channel for plan in escalations for step in plan.steps for channel in step.to}
    wishes = {each.name or each.kind: each for each in notify}

    def wants(channel: str) -> bool:
        wish = wishes.get(channel)
        levels, endpoints = (wish.levels, wish.endpoints) if wish else ((), ())
        return level.value in (levels or _USUAL) and (not endpoints or endpoint in endpoints)

    return tuple(each for each in channels if each not in by_turns and wants(each))


def plan_for(
    escalations: Sequence[EscalationSettings], *, level: AlertLevel, endpoint: str
) -> EscalationSettings | None:
    """The escalation of an alert: the first that names its endpoint, else the first for all; None: there is none.

    Its steps are in order of their delay, and steps with the same delay are one.
    """
    fits = [each for each in escalations if each.level == level.value]
    named = [each for each in fits if endpoint in each.endpoints]
    chosen = next(iter([*named, *(each for each in fits if not each.endpoints)]), None)
    if chosen is None:
        return None
    channels: dict[timedelta, dict[str, None]] = {}
    for step in sorted(chosen.steps, key=lambda step: step.after):
        channels.setdefault(step.after, {}).update(dict.fromkeys(step.to))
    steps = tuple(EscalationStep(after=after, to=tuple(to)) for after, to in channels.items())
    return EscalationSettings(
        level=chosen.level, steps=steps, endpoints=chosen.endpoints, repeat=chosen.repeat
    )


def due_step(plan: EscalationSettings, clock: EscalationClock, now: datetime) -> int | None:
    """The index of the step to tell now, or None.

    Args:
        plan: from :func:`plan_for`.
        clock: what was told so far.
        now: the present instant; one before the clock's beginning has nothing due.
    """
    reached = -1
    for index, step in enumerate(plan.steps):
        if clock.since + step.after <= now:
            reached = index
    if reached > clock.step:
        return reached
    last = len(plan.steps) - 1
    # More steps may have been told than there are: the settings were changed meanwhile.
    if clock.step >= last and plan.repeat is not None and clock.told is not None:
        return last if clock.told + plan.repeat <= now else None
    return None


def next_step(plan: EscalationSettings, clock: EscalationClock) -> tuple[datetime, tuple[str, ...]] | None:
    """When somebody is told next unless the alert is taken, and by which channels; None: nobody is."""
    last = len(plan.steps) - 1
    if clock.step < last:
        step = plan.steps[clock.step + 1]
        return clock.since + step.after, step.to
    if plan.repeat is not None and clock.told is not None:
        return clock.told + plan.repeat, plan.steps[last].to
    return None
