"""The drawing of the monitoring page: quality, what it rests on, and drift over one axis, crossed by events."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from math import isfinite
from statistics import fmean, median
from typing import Final

from mlwright.doors.web.charts import COLOURS, Event
from mlwright.doors.web.joint_plots import joint_panel
from mlwright.doors.web.monitor_facts import Monitored, Quality
from mlwright.doors.web.timeline import Cell, HeatPanel, Hint, Line, LinePanel, Panel, Shade, timeline
from mlwright.doors.web.views import Axis
from mlwright.doors.web.words import day, metric_name, number, percent
from mlwright.model.monitoring import (
    DriftReport,
    Estimate,
    FeatureDrift,
    Performance,
)
from mlwright.model.windows import day_start

_DAY: Final = timedelta(days=1)
_ESTIMATE: Final = COLOURS[6]
_SCALES: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
_MANY_ROWS: Final = 60
"""Features that are shown; of more, those that moved most."""


def monitor_chart(found: Monitored, name: str = "time") -> str | None:
    """Everything that has a time, over one axis; None where nothing is known yet."""
    axis, quality = found.axis, found.quality
    panels: list[Panel] = []
    days = [each for each in quality.days if axis.start <= each.window.start]
    if days or quality.young:
        panels += [
            _quality(axis, quality, days),
            *_rates(axis, days, quality.young),
            _volume(axis, days, quality.young),
        ]
    drift = drift_panel(axis, found.drift)
    if drift is not None:
        panels.append(drift)
    joint = joint_panel(axis, found.joint)
    if joint is not None:
        panels.append(joint)
    if not panels:
        return None
    events = [
        Event(
            at=axis.at(each.at),
            label=f"{each.at:%-d %b %Y %H:%M}: {each.kind}. {each.text}",
            colour=each.colour,
            mark=each.mark,
        )
        for each in found.moments
    ]
    said = f"{metric_name(quality.metric)}, answers and drift of {quality.settings.name} by day, with events"
    return timeline(panels, name=name, label=said, days=axis.days, ticks=axis.ticks, events=events)


def _quality(axis: Axis, quality: Quality, days: Sequence[Performance]) -> LinePanel:
    metric, every = quality.metric, [*days, *quality.young]
    word = metric_name(metric)
    measured = [each.metrics.get(metric) for each in days]
    young = [each.metrics.get(metric) for each in quality.young]
    expected = [each.expected.get(metric) for each in every]
    lines = [
        Line(
            name="by day",
            at=[_middle(axis, each) for each in days],
            values=[each.value if each else None for each in measured],
            colour=COLOURS[0],
            bands=[(each.lower, each.upper) if each else None for each in measured],
        )
    ]
    shown = [value for each in (*measured, *expected) if each for value in [each.value]]
    months = [(m, m.metrics.get(metric)) for m in quality.months if m.window.end > axis.start]
    if axis.days > 62 and any(e for _, e in months):
        lines.append(_steps(axis, months, "by month", COLOURS[3]))
        shown += [e.value for _, e in months if e]
    if any(expected):
        lines.append(
            Line(
                name="estimate",
                at=[_middle(axis, each) for each in every],
                values=[each.value if each else None for each in expected],
                colour=_ESTIMATE,
                style="dashed",
            )
        )
    if any(young):
        lines.append(
            Line(
                name="labels so far",
                at=[_middle(axis, each) for each in quality.young],
                values=[each.value if each else None for each in young],
                colour=COLOURS[1],
                style="dotted",
            )
        )
    level = next((each.level for each in measured if each), 0.95)
    note = "; dashed: an estimate before labels, not measured" if any(expected) else ""
    return LinePanel(
        title=f"{word} by day on matured labels (shade: {level:.0%} interval){note}",
        lines=lines,
        bounds=_bounds(shown),
        limit=_limits(axis, quality, days),
        shades=_immature(axis, quality.young),
        hints=[
            Hint(start=axis.at(e.window.start), end=axis.at(e.window.end), text=_told(e, metric))
            for e in every
        ],
    )


def _told(each: Performance, metric: str) -> str:
    """A day in one line: what was measured, on how many labels, and what was expected."""
    measured, expected = each.metrics.get(metric), each.expected.get(metric)
    found = f"{metric_name(metric)} {_interval(measured)}" if measured else f"{metric_name(metric)} not known"
    parts = [f"{day(each.window.start)}: {found}"]
    share = each.labelled / each.predictions if each.predictions else None
    parts.append(f"{each.labelled:,} of {each.predictions:,} labelled ({percent(share, 0)})")
    if not each.matured:
        due = each.maturity.due if each.maturity else None
        parts.append("labels still arrive" + (f", {percent(due, 0)} due by now" if due is not None else ""))
    if expected:
        parts.append(f"estimate {_interval(expected)}")
    return "; ".join(parts)


def _rates(axis: Axis, days: Sequence[Performance], young: Sequence[Performance]) -> Iterator[LinePanel]:
    """What was said on average and what came: the calibration over time."""
    every = [each for each in (*days, *young) if each.mean_score is not None]
    if not every:
        return
    came = [each.positive_rate if each.matured else None for each in every]
    yes = every[0].task == "binary"
    yield LinePanel(
        title="Calibration: mean score and share that came true"
        if yes
        else "Calibration: mean answer and mean label",
        lines=[
            Line(
                name="mean score" if yes else "mean answer",
                at=[_middle(axis, each) for each in every],
                values=[each.mean_score for each in every],
                colour=COLOURS[3],
            ),
            *(
                [
                    Line(
                        name="came true" if yes else "mean label",
                        at=[_middle(axis, each) for each in every],
                        values=came,
                        colour=COLOURS[1],
                    )
                ]
                if any(value is not None for value in came)
                else []
            ),
        ],
        height=130,
        bounds=_from_zero([*(each.mean_score for each in every), *came]) if yes else None,
    )


def _volume(axis: Axis, days: Sequence[Performance], young: Sequence[Performance]) -> LinePanel:
    every = [*days, *young]
    at = [_middle(axis, each) for each in every]
    return LinePanel(
        title="Answers by day, and how many of them have a label",
        lines=[
            Line(name="answers", at=at, values=[float(e.predictions) for e in every], colour=COLOURS[0]),
            Line(name="labelled", at=at, values=[float(e.labelled) for e in every], colour=COLOURS[2]),
        ],
        height=110,
        digits=0,
        bounds=(0.0, max(float(e.predictions) for e in every)),
        shades=_immature(axis, young, said=False),
    )


def drift_panel(axis: Axis, reports: Sequence[DriftReport]) -> HeatPanel | None:
    """PSI of each feature over time: what the model answers on top, then what moved most; None without reports."""
    if not reports:
        return None
    span = 1 if axis.days <= 62 else 7 if axis.days <= 800 else 28
    columns = -(-axis.days // span)
    found: dict[str, dict[int, list[FeatureDrift]]] = {}
    for report in reports:
        at = axis.index(day_start(report.window.start)) // span
        for feature in report.features:
            found.setdefault(feature.column, {}).setdefault(at, []).append(feature)
    order = sorted(found, key=lambda name: _rank(found[name]))[:_MANY_ROWS]
    word = {1: "day", 7: "week", 28: "four weeks"}[span]
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    for name in order:
        cells = (
            _cell(axis, name, column, span, word, found[name].get(column, ())) for column in range(columns)
        )
        kind = next(iter(found[name].values()))[0].kind
        rows.append((f"→ {name}" if kind == "prediction" else name, tuple(cells)))
    values = [cell.value for _, cells in rows for cell in cells if cell.value is not None]
    left = f", the {len(order)} of {len(found)} that moved most" if len(found) > len(order) else ""
    return HeatPanel(
        title=f"Drift: PSI of each feature against the champion's reference, by {word}{left}",
        rows=rows,
        full=_full(values),
        unit="PSI",
    )


def _rank(weeks: Mapping[int, Sequence[FeatureDrift]]) -> tuple[bool, float, float]:
    every = [each for inside in weeks.values() for each in inside]
    moved = sum(each.moved for each in every) / len(every)
    known = [each.psi for each in every if isfinite(each.psi)]
    return every[0].kind != "prediction", -moved, -fmean(known or [0.0])


def _cell(axis: Axis, name: str, column: int, span: int, word: str, days: Sequence[FeatureDrift]) -> Cell:
    first, last = column * span, min((column + 1) * span, axis.days)
    when = (
        f"{axis.start + first * _DAY:%-d %b %Y}"
        if span == 1
        else f"{word} of {axis.start + first * _DAY:%-d %b %Y}"
    )
    known = [each for each in days if isfinite(each.psi)]
    if not known:
        return Cell(start=first, end=last, value=None, moved=False, hint=f"{name}, {when}: nothing served")
    moved = [each for each in known if each.moved]
    psi, limits = median(each.psi for each in known), [e.threshold for e in known if e.threshold is not None]
    parts = [f"{name}, {when}: PSI {psi:.3f}"]
    parts.append(f"threshold {median(limits):.3f}" if limits else "not judged: too few rows")
    missing, usual = fmean(each.null_rate for each in known), known[0].reference_null_rate
    parts.append(f"missing {percent(missing)} (reference {percent(usual)})")
    unseen = fmean(each.unseen_rate for each in known)
    if unseen > 0:
        parts.append(f"new levels {percent(unseen)}")
    if moved:
        reasons = ", ".join(sorted({each.reason for each in moved if each.reason})) or "psi"
        parts.append(f"moved ({reasons})" + (f" on {len(moved)} of {len(known)} days" if span > 1 else ""))
    elif limits:
        parts.append("not moved")
    if (season := next((each for each in known if each.seasonal_psi is not None), None)) is not None:
        parts.append(f"against the season before ({season.season}) PSI {season.seasonal_psi:.3f}")
    return Cell(start=first, end=last, value=psi, moved=2 * len(moved) >= len(known), hint=", ".join(parts))


def _middle(axis: Axis, each: Performance) -> float:
    return (axis.at(each.window.start) + axis.at(each.window.end)) / 2


def _steps(axis: Axis, months: Sequence[tuple[Performance, Estimate | None]], name: str, colour: str) -> Line:
    """One stroke a month; they are not joined by anything that was measured."""
    at: list[float] = []
    values: list[float | None] = []
    for month, measured in months:
        start, end = max(0.0, axis.at(month.window.start)), min(float(axis.days), axis.at(month.window.end))
        at += [start + 0.3, max(end - 0.3, start + 0.3), end]
        values += [measured.value if measured else None] * 2 + [None]
    return Line(name=name, at=at, values=values, colour=colour, style="bold", gap=40.0)


def _limits(
    axis: Axis, quality: Quality, days: Sequence[Performance]
) -> tuple[tuple[float, float, float], ...]:
    """The limit of each stretch of days that one version answered."""
    found: list[tuple[float, float, float]] = []
    for each in (*days, *quality.young):
        limit = quality.limit_of(each)
        start, end = axis.at(each.window.start), axis.at(each.window.end)
        if limit is None:
            continue
        if found and found[-1][2] == limit and start - found[-1][1] < 1.5:
            found[-1] = (found[-1][0], end, limit)
        else:
            found.append((start, end, limit))
    return tuple(found)


def _immature(axis: Axis, young: Sequence[Performance], *, said: bool = True) -> tuple[Shade, ...]:
    if not young:
        return ()
    asked = sum(each.predictions for each in young)
    share = sum(each.labelled for each in young) / asked if asked else 0.0
    start, end = axis.at(young[0].window.start), axis.at(young[-1].window.end)
    return (Shade(start=start, end=end, label=f"labels still arrive: {share:.0%}" if said else ""),)


def _bounds(shown: Sequence[float]) -> tuple[float, float] | None:
    """Where nearly all values lie: one day with few labels shall not flatten all others."""
    known = sorted(value for value in shown if isfinite(value))
    if not known:
        return None
    edge = len(known) // 50
    kept = known[edge : len(known) - edge] or known
    margin = (kept[-1] - kept[0]) * 0.15 or abs(kept[0]) * 0.05 or 0.01
    return kept[0] - margin, kept[-1] + margin


def _from_zero(values: Sequence[float | None]) -> tuple[float, float]:
    """The scale of shares: they are never below 0."""
    return 0.0, max((value for value in values if value is not None and isfinite(value)), default=1.0)


def _full(values: Sequence[float]) -> float:
    """The PSI at which a cell has the full colour: a round number that only the largest cells reach."""
    high = sorted(values)[int(len(values) * 0.95)] if values else 0.0
    return next((each for each in _SCALES if each >= high), 20.0)


def _interval(estimate: Estimate) -> str:
    return f"{number(estimate.value)} [{number(estimate.lower)}, {number(estimate.upper)}]"
