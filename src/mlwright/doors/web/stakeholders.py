"""Three views of the same endpoints: for those who keep them running, who build the models, and who pay for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mlwright.doors.http.control.calls import Control
from mlwright.doors.reports.diagnosis.words import tone
from mlwright.doors.web.address import Query
from mlwright.doors.web.charts import Event
from mlwright.doors.web.moments import LEGEND, alert_moment, change_moments, decision_moment
from mlwright.doors.web.monitor_charts import monitor_chart
from mlwright.doors.web.monitor_facts import RANGES, Quality, monitored, quality_of
from mlwright.doors.web.monitor_pages import quality_parts
from mlwright.doors.web.paper import render
from mlwright.doors.web.plain_words import (
    alert_words,
    decision_words,
    quality_words,
    reason_words,
    trend_words,
)
from mlwright.doors.web.words import day
from mlwright.doors.web.worth_facts import Money, money_chart, money_of
from mlwright.model.metrics import higher_is_better
from mlwright.model.monitoring import Alert, AlertLevel, DriftReport, FeatureDrift, Performance
from mlwright.model.rollouts import Rollout
from mlwright.model.settings import EndpointSettings
from mlwright.model.slos import ObjectiveKind, ObjectiveStatus, span_name
from mlwright.model.windows import Window
from mlwright.platform.releases import EndpointStatus

_DAY: Final = timedelta(days=1)
_MOST: Final = 8
"""Endpoints on one page; of more, the first, and a link to each."""
_BUSINESS_DAYS: Final = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What was asked of an endpoint in the last so long: a row of the engineers' table."""

    span: str
    rate: float | None
    """Requests a second."""
    failed: float | None
    slow: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One endpoint for those who keep it running."""

    status: EndpointStatus
    settings: EndpointSettings
    objectives: tuple[ObjectiveStatus, ...]
    traffic: tuple[Traffic, ...]
    rollouts: tuple[Rollout, ...]
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing that happened or was decided, in plain words."""

    at: datetime
    text: str
    mark: str
    colour: str
    why: str = ""
    bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """One endpoint for those who pay for it."""

    settings: EndpointSettings
    money: Money | None
    chart: str | None
    month: Performance | None
    words: tuple[str, ...]
    trend: str
    answers: int
    since: datetime | None
    through: datetime | None
    months: tuple[Performance, ...]
    told: tuple[Told, ...]
    waiting: int
    """Answers of the last days whose truth is not known yet."""


def engineering_page(control: Control, query: Query, path: dict[str, str]) -> str:
    """Promises, budgets, traffic, processes, rollouts and open pages."""
    named, head = _head(control, query, "/views/engineering")
    return render(
        "view_engineering.html",
        **head,
        endpoints=[_running(control, each) for each in named],
        processes=control.processes(),
        turns=control.turns.status,
        looked=control.turns.looks.seen,
        span_name=span_name,
    )


def science_page(control: Control, query: Query, path: dict[str, str]) -> str:
    """Quality as measured and as estimated, maturity, drift, calibration, slices, the last diagnosis."""
    named, head = _head(control, query, "/views/science")
    days = query.whole("days", 90, 1, 3660)
    found = [monitored(control, name, days) for name in named]
    return render(
        "view_science.html",
        **head,
        days=days,
        legend=LEGEND,
        tone_of=tone,
        endpoints=[
            (each, monitor_chart(each, name=f"time-{number}"), quality_parts(each.quality))
            for number, each in enumerate(found)
        ],
        months_of=lambda quality: tuple(reversed(quality.months[-12:])),
        moved=lambda each: _moved(each.drift),
    )


def business_page(control: Control, query: Query, path: dict[str, str]) -> str:
    """Money, volume, quality in plain words, what changed, what was decided. ``?days=`` back; a year unless given."""
    named, head = _head(control, query, "/views/business")
    days = query.whole("days", _BUSINESS_DAYS, 1, 3660)
    return render(
        "view_business.html",
        **head,
        days=days,
        endpoints=[_business(control, name, days, number) for number, name in enumerate(named)],
    )


def _head(control: Control, query: Query, here: str) -> tuple[list[str], dict[str, object]]:
    """The endpoints to be shown, and what the head of each of these pages is made of."""
    names = [each.name for each in control.platform.parts.settings.endpoints]
    asked = query.one("endpoint")
    chosen = control.platform.parts.endpoint(asked).name if asked else None
    named = [chosen] if chosen else names[:_MOST]
    left = 0 if chosen else len(names) - len(named)
    head: dict[str, object] = {
        "here": here,
        "names": names,
        "chosen": chosen,
        "left": left,
        "query": query,
        "ranges": RANGES,
    }
    return named, head


def _running(control: Control, name: str) -> Running:
    platform = control.platform
    objectives = platform.objectives.status(name)
    return Running(
        status=platform.releases.status(name),
        settings=platform.parts.endpoint(name),
        objectives=objectives,
        traffic=_traffic(objectives),
        rollouts=platform.rollouts.list(name, limit=5),
        alerts=tuple(each for each in platform.alerting.alerts(name, limit=200) if each.resolved is None),
    )


def _traffic(objectives: Sequence[ObjectiveStatus]) -> tuple[Traffic, ...]:
    """Requests, errors and slow answers of the spans that burn rates are taken over, from the same counts."""
    by_kind = {each.objective.kind: each for each in objectives}
    asked, answered = by_kind.get(ObjectiveKind.AVAILABILITY), by_kind.get(ObjectiveKind.LATENCY)
    if asked is None:
        return ()
    slow = {each.span: each.tally for each in answered.burns} if answered else {}
    found: list[Traffic] = []
    for each in asked.burns:
        tally, late = each.tally, slow.get(each.span)
        found.append(
            Traffic(
                span=span_name(each.span),
                rate=tally.total / each.span.total_seconds() if tally.total else None,
                failed=tally.bad / tally.total if tally.total else None,
                slow=late.bad / late.total if late is not None and late.total else None,
            )
        )
    return tuple(found) if any(each.rate is not None for each in found) else ()


def _moved(reports: Sequence[DriftReport]) -> tuple[FeatureDrift, ...]:
    """The columns of the last report that moved, the farthest beyond its limit first."""
    moved = [each for each in reports[-1].features if each.moved] if reports else []
    return tuple(sorted(moved, key=lambda each: -(each.score or 0.0)))


def _business(control: Control, name: str, days: int, number: int) -> Business:
    platform = control.platform
    quality = quality_of(control, name)
    shown = quality.days[-1].window.end - days * _DAY if quality.days else None
    inside = [each for each in quality.days if shown is not None and each.window.start >= shown]
    now = platform.parts.clock.now()
    since = inside[0].window.start if inside else now - days * _DAY
    through = inside[-1].window.end if inside else now
    told = _told(control, quality, Window(start=since, end=max(now, through) + _DAY))
    money = money_of(inside)
    months = tuple(each for each in quality.months if each.window.end > since)
    month = (months or (quality.lately,))[-1]
    before = months[-2] if len(months) > 1 else None
    up = higher_is_better(quality.metric)
    return Business(
        settings=quality.settings,
        money=money,
        chart=money_chart(
            money,
            [
                Event(at=money.axis.at(e.at), label=f"{day(e.at)}: {e.text}", colour=e.colour, mark=e.mark)
                for e in told
            ],
            f"money-{number}",
        )
        if money
        else None,
        month=month,
        words=quality_words(quality.settings, month) if month else (),
        trend=trend_words(month, before, quality.metric, up=up) if month else "",
        answers=sum(each.predictions for each in inside),
        since=inside[0].window.start if inside else None,
        through=inside[-1].window.end if inside else None,
        months=tuple(reversed(months[-12:])),
        told=tuple(reversed(told))[:25],
        waiting=sum(each.predictions - each.labelled for each in quality.young),
    )


def _told(control: Control, quality: Quality, window: Window) -> tuple[Told, ...]:
    """What happened and was decided, in order of time; deploys by hand too, settings and small alerts not."""
    platform, name = control.platform, quality.settings.name
    found: list[Told] = []
    for decision in platform.records.decisions(name, limit=400):
        moment = decision_moment(decision)
        text, why = decision_words(decision), reason_words(decision)
        found.append(Told(at=decision.at, text=text, why=why, mark=moment.mark, colour=moment.colour))
    for alert in platform.alerting.alerts(name, limit=400):
        moment, bad = alert_moment(alert), alert.level is AlertLevel.PAGE
        if alert.level is not AlertLevel.INFO:
            text = alert_words(alert) + _ended(alert)
            found.append(Told(at=alert.fired, text=text, bad=bad, mark=moment.mark, colour=moment.colour))
    said = {
        "deploy": "A model was put into service by hand.",
        "out of service": "The service was stopped by hand.",
    }
    for change in change_moments(platform, name, window):
        if change.kind in said:
            found.append(Told(at=change.at, text=said[change.kind], mark=change.mark, colour=change.colour))
    inside = (each for each in found if window.start <= each.at < window.end)
    return tuple(sorted(inside, key=lambda each: each.at))


def _ended(alert: Alert) -> str:
    if alert.resolved is None:
        return " It is so still" + (
            f"; {alert.acknowledged_by} looks after it." if alert.acknowledged_by else "."
        )
    days = (alert.resolved - alert.fired) / _DAY
    return (
        f" It was over after {days:.0f} day{'' if round(days) == 1 else 's'}."
        if days >= 0.5
        else " It was over soon."
    )
