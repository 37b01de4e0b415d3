"""The inbox of alerts: what is open, worst first, with all that somebody needs who is called about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mlwright.doors.http.control.calls import Control
from mlwright.doors.web import views
from mlwright.doors.web.address import Query
from mlwright.doors.web.paper import render
from mlwright.model.alerting import SEVERITY
from mlwright.model.monitoring import Alert, AlertLevel, AlertState
from mlwright.model.settings import Settings
from mlwright.stages.monitoring.escalating import EscalationClock, next_step, plan_for, told_at_once
from mlwright.stages.monitoring.levels import rule_level

_ALERTS = 300
_RESOLVED = 30
SPANS = ("1h", "4h", "1d", "7d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Who hears of an open alert.

    ``at_once`` are the channels that hear of it when it fires, ``last`` those that an escalation told last, ``next_to``
    those that are told at about ``next_at``.
    """

    at_once: tuple[str, ...]
    last: tuple[str, ...]
    next_at: datetime | None = None
    next_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Open alerts that are told together, the worst first."""

    name: str
    endpoint: str
    alerts: tuple[Alert, ...]

    @property
    def level(self) -> AlertLevel:
        """Of the worst of them."""
        return self.alerts[0].level


def inbox_page(control: Control, query: Query, path: dict[str, str]) -> str:
    """All alerts of the project, or of one endpoint by ``?endpoint=``.

    Raises:
        NotFound: there is no such endpoint; the nearest is suggested.
    """
    platform = control.platform
    endpoint = platform.parts.endpoint(query.one("endpoint")).name if query.one("endpoint") else None
    alerts = platform.alerting.alerts(endpoint, limit=_ALERTS)
    is_open = [each for each in alerts if each.resolved is None]
    now, settings = platform.parts.clock.now(), platform.parts.settings
    return render(
        "inbox.html",
        here="/alerts",
        endpoint=endpoint,
        names=[each.name for each in settings.endpoints],
        judged={each.name for each in settings.endpoints if each.label is not None},
        groups=grouped(is_open),
        is_open=is_open,
        resolved=[each for each in alerts if each.resolved is not None][:_RESOLVED],
        more=len(alerts) > len(is_open) + _RESOLVED,
        told={each.id: told(each, settings, now) for each in is_open},
        silences=(silences := platform.alerting.silences(everything=True)),
        held={each.id: each for each in silences},
        active=[each for each in silences if each.active(now)],
        troubles=platform.alerting.troubles(),
        who=platform.parts.actor,
        now=now,
        spans=SPANS,
        views=views,
        why=lambda rule: rule_level(rule).why,
        is_link=is_link,
    )


def grouped(alerts: Sequence[Alert]) -> tuple[Group, ...]:
    """Open alerts by their group: what nobody has taken first, then by level, then the latest first."""
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        found.setdefault(alert.group or alert.id, []).append(alert)

    def urgency(alert: Alert) -> tuple[bool, int, float]:
        taken = alert.state is not AlertState.FIRING or alert.silenced is not None
        return taken, -SEVERITY[alert.level], -alert.fired.timestamp()

    groups = [sorted(inside, key=urgency) for inside in found.values()]
    groups.sort(key=lambda inside: urgency(inside[0]))
    return tuple(
        Group(name=inside[0].group or inside[0].id, endpoint=inside[0].endpoint, alerts=tuple(inside))
        for inside in groups
    )


def told(alert: Alert, settings: Settings, now: datetime) -> Told:
    """Where the escalation of an open alert stands, as far as the alert itself says it.

    What is next counts from the instant it fired; after a silence it counts from the silence's end, and is later.
    """
    plan = plan_for(settings.escalations, level=alert.level, endpoint=alert.endpoint)
    last, at_once = alert.escalated_to, _at_once(alert, settings)
    if plan is None or alert.state is not AlertState.FIRING or alert.silenced is not None:
        return Told(at_once=at_once, last=last)
    step = max((at for at, each in enumerate(plan.steps) if each.to == last), default=-1)
    coming = next_step(plan, EscalationClock(since=alert.fired, step=step, told=now if last else None))
    if coming is None:
        return Told(at_once=at_once, last=last)
    return Told(at_once=at_once, last=last, next_at=max(coming[0], now), next_to=coming[1])


def _at_once(alert: Alert, settings: Settings) -> tuple[str, ...]:
    channels = [each.name or each.kind for each in settings.notify]
    return told_at_once(
        channels, settings.notify, settings.escalations, level=alert.level, endpoint=alert.endpoint
    )


def is_link(text: str) -> bool:
    """Whether a runbook is an address of the web; anything else, as a script, is shown as text."""
    return text.startswith(("https://", "http://")) and not any(each.isspace() for each in text)
