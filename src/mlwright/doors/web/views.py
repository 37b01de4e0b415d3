"""What the templates draw, made from values of the façade by pure functions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from statistics import fmean, median
from typing import Final

from mlwright.doors.web.charts import COLOURS, Event, Series, line_chart
from mlwright.doors.web.facts import EndpointFacts, Facts
from mlwright.doors.web.heatmap import heat_map
from mlwright.doors.web.moments import decision_moment
from mlwright.doors.web.words import day, metric_name
from mlwright.model.ledger import Decision
from mlwright.model.monitoring import Alert, DriftReport, Estimate, Performance
from mlwright.model.rollouts import Rollout, RolloutState
from mlwright.model.windows import day_start

_DAY: Final = timedelta(days=1)
WIDTH: Final = 1180
"""Of the drawings, in pixels: that of the page, so that letters in them are as large as around them."""
_HEAD: Final = 80
_SPAN: Final = re.compile(r" in \d{4}-\d\d-\d\d \d\d:\d\d to \d{4}-\d\d-\d\d \d\d:\d\d UTC")
"""The window that an alert's summary names; beside a month it only takes the place of the number."""
_ALERT: Final = COLOURS[4]
_DECIDED: Final = ("retrain", "rollout")
"""Kinds of decisions with a mark here; the page of monitoring has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The days from the first to the last one that was judged, without gaps."""

    start: datetime
    days: int

    @classmethod
    def over(cls, days: Sequence[Performance]) -> "Axis":
        """The axis of some judged days, in order; at least one."""
        start, end = days[0].window.start, days[-1].window.end
        return cls(start=start, days=max(1, (end - start) // _DAY))

    def at(self, instant: datetime) -> float:
        """Where an instant lies, in days from the start."""
        return (instant - self.start) / _DAY

    def index(self, instant: datetime) -> int:
        """The day that holds an instant."""
        return (instant - self.start) // _DAY

    def holds(self, instant: datetime) -> bool:
        """Whether an instant lies on the axis, or at most two days beyond: judged days are those before now."""
        return -1 <= self.at(instant) <= self.days + 2

    @property
    def names(self) -> list[str]:
        """Each day as ``2013-12-31``."""
        return [f"{self.start + _DAY * at:%Y-%m-%d}" for at in range(self.days)]

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """At most about twelve marks: single days, or firsts of months."""
        if self.days <= 62:
            step = max(1, -(-self.days // 10))
            return [(float(at), f"{self.start + _DAY * at:%-d %b}") for at in range(0, self.days, step)]
        firsts = [at for at in range(self.days) if (self.start + _DAY * at).day == 1]
        step = -(-len(firsts) // 14)
        form = "%b" if step == 1 else "%b %y"
        return [(float(at), f"{self.start + _DAY * at:{form}}") for at in firsts[::step]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graphs:
    """The drawings of one endpoint as SVG; None where there is nothing to draw."""

    quality: str | None = None
    calibration: str | None = None
    drift: str | None = None
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a rollout: its name, how long it takes at least, and whether it is done, now or ahead."""

    name: str
    at_least: timedelta
    when: str


def graphs(facts: EndpointFacts, decisions: Sequence[Decision], alerts: Sequence[Alert]) -> Graphs:
    """Everything that is drawn of an endpoint's past."""
    if not facts.days:
        return Graphs()
    axis = Axis.over(facts.days)
    events = moments(axis, facts.settings.name, decisions, alerts)
    return Graphs(
        quality=quality_chart(axis, facts, events),
        calibration=calibration_chart(axis, facts.days, events),
        drift=drift_map(facts.drift),
        first=facts.days[0].window.start,
        last=facts.days[-1].window.end,
    )


def moments(
    axis: Axis, endpoint: str, decisions: Sequence[Decision], alerts: Sequence[Alert]
) -> tuple[Event, ...]:
    """Alerts, retrainings and ends of rollouts as marks on the axis."""
    found = [
        Event(
            at=axis.at(each.fired), label=f"{day(each.fired)}: alert, {each.summary}", colour=_ALERT, mark="▲"
        )
        for each in alerts
        if each.endpoint == endpoint and axis.holds(each.fired)
    ]
    for each in decisions:
        if each.kind in _DECIDED and each.subject == endpoint and axis.holds(each.at):
            drawn = decision_moment(each)
            label = f"{day(each.at)}: {each.kind}, {each.outcome}"
            found.append(Event(at=axis.at(each.at), label=label, colour=drawn.colour, mark=drawn.mark))
    return tuple(sorted(found, key=lambda event: event.at))


def quality_chart(axis: Axis, facts: EndpointFacts, events: Sequence[Event]) -> str | None:
    """The monitored metric by day with its interval, and by month."""
    metric = facts.settings.monitor.metric
    by_day = [_metric(each, metric) for each in facts.days]
    if not any(by_day):
        return None
    daily: list[float | None] = [None] * axis.days
    bands: list[tuple[float, float] | None] = [None] * axis.days
    for performance, measured in zip(facts.days, by_day, strict=True):
        if measured is not None:
            at = axis.index(performance.window.start)
            daily[at] = measured.value
            bands[at] = (measured.lower, measured.upper)
    months: list[float | None] = [None] * axis.days
    for each in facts.months:
        measured = _metric(each, metric)
        inside = range(max(0, axis.index(each.window.start)), min(axis.days, axis.index(each.window.end)))
        # A day is left out between two months: their values are not joined by anything that was measured.
        for at in inside[:-1] if len(inside) > 1 else inside:
            months[at] = measured.value if measured else None
    word = metric_name(metric)
    series = [Series(name="day", values=daily, colour=COLOURS[0], bands=bands)]
    if any(value is not None for value in months):
        series.append(Series(name="month", values=months, colour=COLOURS[3], bold=True))
    return line_chart(
        title=f"{word} on matured labels, by day (shade: 95 % interval) and by month",
        places=axis.names,
        series=series,
        events=events,
        markers=False,
        ticks=axis.ticks,
        bounds=_bounds(daily, months),
        width=WIDTH,
        height=280,
    )


def calibration_chart(axis: Axis, days: Sequence[Performance], events: Sequence[Event]) -> str | None:
    """What the model said on average, and what came; by week where days would be too many to see."""
    span = 7 if axis.days > 62 else 1
    said: list[float | None] = [None] * axis.days
    came: list[float | None] = [None] * axis.days
    for group in _groups(axis, days, span):
        rows = sum(each.labelled for each in group)
        if rows:
            inside = range(axis.index(group[0].window.start), axis.index(group[-1].window.start) + 1)
            scores = sum((each.mean_score or 0.0) * each.labelled for each in group) / rows
            labels = sum((each.positive_rate or 0.0) * each.labelled for each in group) / rows
            for at in inside:
                said[at], came[at] = scores, labels
    if not any(value is not None for value in said):
        return None
    return line_chart(
        title=f"Calibration: mean score against positive rate, by {'week' if span == 7 else 'day'}",
        places=axis.names,
        series=[
            Series(name="mean score", values=said, colour=COLOURS[3]),
            Series(name="positive rate", values=came, colour=COLOURS[1]),
        ],
        events=[each for each in events if each.mark.startswith("v")],
        markers=False,
        ticks=axis.ticks,
        width=WIDTH,
        height=200,
    )


def drift_map(reports: Sequence[DriftReport]) -> str | None:
    """PSI of each feature over time, the features that moved most on top; the median of the days of a week."""
    if not reports:
        return None
    start, end = day_start(reports[0].window.start), reports[-1].window.end
    count = max(1, (end - start) // _DAY)
    span = 1 if count <= 31 else 7
    columns = -(-count // span)
    found: dict[str, list[list[float]]] = {}
    for report in reports:
        at = min((report.window.start - start) // _DAY // span, columns - 1)
        for feature in report.features:
            if isfinite(feature.psi):
                found.setdefault(feature.column, [[] for _ in range(columns)])[at].append(feature.psi)
    rows = {name: [median(cell) if cell else None for cell in cells] for name, cells in found.items()}
    order = sorted(rows, key=lambda name: -fmean([cell for cell in rows[name] if cell is not None] or [0.0]))
    firsts = [start + _DAY * span * at for at in range(columns)]
    return heat_map(
        title=f"Drift: PSI of each feature against the champion's reference, by {'week' if span == 7 else 'day'}",
        rows=order,
        columns=[f"{'week' if span == 7 else 'day'} of {first:%-d %b %Y}" for first in firsts],
        values=[rows[name] for name in order],
        ticks=_week_ticks(firsts),
        full=_full([cell for name in order for cell in rows[name] if cell is not None]),
        unit="PSI",
        width=WIDTH,
    )


def steps(rollout: Rollout) -> tuple[Step, ...]:
    """The plan of a rollout, and how far it came."""
    state = rollout.state

    def when(at: int) -> str:
        if at < rollout.step or state is RolloutState.PROMOTED:
            return "done"
        return "now" if at == rollout.step and not state.ended else "ended" if at == rollout.step else "ahead"

    return tuple(
        Step(name=each.name, at_least=each.at_least, when=when(at))
        for at, each in enumerate(rollout.plan.steps)
    )


def evidence_rows(evidence: Mapping[str, object]) -> tuple[tuple[str, object], ...]:
    """The plain facts of an evidence, without what is nested; that has its own place or is too much for a page."""
    return tuple(
        (name.replace("_", " "), value)
        for name, value in evidence.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    )


def told(did: Sequence[str]) -> tuple[str, ...]:
    """What was decided in a month, each without its reasons: ``27 Apr retrain: keep the champion``."""
    heads = (_SPAN.sub("", each.partition(" — ")[0]) for each in did)
    return tuple(head if len(head) <= _HEAD else f"{head[: _HEAD - 1].rstrip()}…" for head in heads)


def first_fact(facts: Facts) -> str | None:
    """What to type next in a project in which something is still missing; None where the loop is closed."""
    if not facts.runs and not facts.versions:
        return "mlwright run --list"
    if not facts.versions:
        return f"mlwright runs {facts.runs[0].id}"
    empty = next((each for each in facts.endpoints if each.status.route is None), None)
    return f"mlwright deploy {empty.settings.name} {facts.versions[0].ref}" if empty else None


def _metric(performance: Performance, metric: str) -> Estimate | None:
    return performance.metrics.get(metric)


def _bounds(daily: Sequence[float | None], months: Sequence[float | None]) -> tuple[float, float]:
    """Where nearly all values lie: one day with few labels shall not flatten all others."""
    known = sorted(value for value in daily if value is not None)
    edge = len(known) // 50
    shown = [*known[edge : len(known) - edge], *(value for value in months if value is not None)]
    margin = max(0.01, (max(shown) - min(shown)) * 0.15)
    low, high = min(shown) - margin, max(shown) + margin
    if min(shown) >= 0.0 and max(shown) <= 1.0:
        return max(0.0, low), min(1.0, high)
    return low, high  # an error in units of the label, or a score that may be negative


def _full(values: Sequence[float]) -> float:
    """The PSI at which a cell has the full colour: a round number that only the largest cells reach."""
    high = sorted(values)[int(len(values) * 0.95)] if values else 0.0
    return next((each for each in (0.25, 0.5, 1.0, 2.0, 5.0, 10.0) if each >= high), 20.0)


def _groups(axis: Axis, days: Sequence[Performance], span: int) -> list[list[Performance]]:
    groups: dict[int, list[Performance]] = {}
    for each in days:
        groups.setdefault(axis.index(each.window.start) // span, []).append(each)
    return list(groups.values())


def _week_ticks(firsts: Sequence[datetime]) -> list[tuple[int, str]]:
    if len(firsts) <= 16:
        return [(at, f"{first:%-d %b}") for at, first in enumerate(firsts) if at % 2 == 0 or len(firsts) <= 9]
    changed = [at for at in range(1, len(firsts)) if firsts[at].month != firsts[at - 1].month]
    step = -(-len(changed) // 14) or 1
    return [(at, f"{firsts[at]:%b}") for at in changed[::step]]
