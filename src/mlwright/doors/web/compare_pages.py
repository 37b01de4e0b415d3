"""The comparison of up to 200 runs: what differs, charts of metrics, and a scatter of one value against another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from mlwright.doors.web.address import Query
from mlwright.doors.web.columns import Column, parse
from mlwright.doors.web.paper import render
from mlwright.doors.web.plots import Curve, plot
from mlwright.doors.web.scatter import Dot, scatter
from mlwright.doors.web.shelf import Desk, Found, Range
from mlwright.doors.wire import to_json
from mlwright.errors import BadRequest, NotFound
from mlwright.model.ids import RunId
from mlwright.model.tracking import History, MetricSummary

MOST_RUNS = 200
_POINTS = 600
"""Of a line; a chart is about as many pixels wide."""
_BUDGET = 60_000
"""Points of a chart: with many lines each has fewer, since they cover each other."""
_FIRST = 4
_CHARTS = 16
_AXES = ("step", "time", "relative")
_WIDTH = 1180
_SIDE = 5
"""Runs up to which they stand side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One param or metric over all runs; ``best`` is not told, since nobody said what is better."""

    column: Column
    texts: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the runs have different values."""
        return len(set(self.texts)) > 1


def compare_page(desk: Desk, query: Query, path: dict[str, str]) -> str:
    """Runs side by side.

    Raises:
        BadRequest: more than 200 runs are asked for, or the range is none.
    """
    found, missing = _runs(desk, query)
    axis = query.one("x") if query.one("x") in _AXES else "step"
    log = query.one("log") == "1"
    rows = _rows(found)
    keys = _plottable(found)
    asked = query.all("metric")
    wanted = [key for key in asked if key in keys][:_CHARTS] or keys[:_FIRST]
    numbers = {record.id: number for number, (record, _) in enumerate(found)}
    window = _window(query, axis)
    charts = [
        plot(
            _curves(desk, found, key, axis, window, numbers),
            title=key,
            axis=axis,
            log=log,
            width=_WIDTH,
            height=300,
        )
        for key in wanted
    ]
    across, upward = _scattered(query, rows)
    return render(
        "compare.html",
        query=query,
        runs=[record for record, _ in found],
        missing=missing,
        params=[each for each in rows if each.column.kind == "params" and each.differs],
        same=[each for each in rows if each.column.kind == "params" and not each.differs],
        metrics=[each for each in rows if each.column.kind == "metrics"],
        side=len(found) <= _SIDE,
        keys=keys,
        wanted=wanted,
        charts=charts,
        axis=axis,
        log=log,
        window=window,
        scatter=_scatter(found, across, upward, numbers) if across and upward else None,
        choices=[each.column for each in rows if each.column.kind == "metrics" or each.differs],
        across=across.id if across else "",
        upward=upward.id if upward else "",
        experiments=sorted({record.experiment_id for record, _ in found}),
    )


def series_json(desk: Desk, query: Query) -> bytes:
    """The points of one metric of some runs, at most so many each, no peak lost; for charts of others.

    Raises:
        BadRequest: no run or metric is named, there are too many, or the range is none.
        NotFound: one of the runs is not there.
    """
    metric = query.one("metric")
    if not metric:
        raise BadRequest(
            "no metric is named", where="?metric", next_command="curl '…/api/series?runs=ID&metric=loss'"
        )
    found, missing = _runs(desk, query)
    if missing:
        desk.tracking.runs.get(missing[0])
    if not found:
        raise BadRequest("no run is named", where="?runs")
    axis = query.one("x") if query.one("x") in _AXES else "step"
    points = query.whole("points", _POINTS, 4, 5000)
    window = _window(query, axis)
    series = desk.series(found, metric, points, axis=axis, window=window)
    if not series:
        known = sorted({key for _, own in found for key in own})
        raise NotFound.named("metric of these runs", metric, known)
    answer = [
        {
            "run": record.id,
            "name": record.name,
            "points": own[metric].points,
            "steps": series[record.id].steps,
            "at_ms": series[record.id].at_ms,
            "values": series[record.id].values,
        }
        for record, own in found
        if record.id in series
    ]
    return to_json({"metric": metric, "x": axis, "series": answer})


def _runs(desk: Desk, query: Query) -> tuple[tuple[Found, ...], tuple[RunId, ...]]:
    ids = query.listed("runs")
    if len(ids) > MOST_RUNS:
        raise BadRequest(
            f"{len(ids)} runs at once", where="?runs", why=f"at most {MOST_RUNS} are compared: choose fewer"
        )
    return desk.tracking.looking.runs([RunId(each) for each in ids])


def _rows(found: Sequence[Found]) -> list[Row]:
    keys: dict[Column, None] = {}
    for record, own in found:
        keys.update(dict.fromkeys(Column("params", key) for key in record.params))
        keys.update(dict.fromkeys(Column("metrics", key) for key in own))
    columns = sorted(keys, key=lambda each: (each.kind != "params", each.key))
    return [Row(column=each, texts=tuple(each.text(record) for record, _ in found)) for each in columns]


def _plottable(found: Sequence[Found]) -> list[str]:
    """Metrics with more than one point, those that most runs have first."""
    counts: dict[str, int] = {}
    for _, own in found:
        for key, summary in own.items():
            if summary.points > 1:
                counts[key] = counts.get(key, 0) + 1
    return sorted(counts, key=lambda key: (-counts[key], key.startswith("system/"), key))


def _curves(
    desk: Desk, found: Sequence[Found], key: str, axis: str, window: Range | None, numbers: dict[RunId, int]
) -> list[Curve]:
    lines = sum(key in own for _, own in found)
    points = min(_POINTS, max(100, _BUDGET // max(lines, 1)))
    series = desk.series(found, key, points, axis=axis, window=window)
    return [
        Curve(
            id=record.id,
            name=record.name or record.id,
            number=numbers[record.id],
            x=_across(series[record.id], axis, record.started_ms),
            y=series[record.id].values,
        )
        for record, _ in found
        if record.id in series and len(series[record.id].values)
    ]


def _across(history: History, axis: str, started_ms: int) -> np.ndarray:
    if axis == "step":
        return history.steps.astype(np.float64)
    return (history.at_ms - (started_ms if axis == "relative" else 0)).astype(np.float64)


def _window(query: Query, axis: str) -> Range | None:
    """The range that the charts are cut to: steps, instants, or seconds since the run began."""
    if not query.one("from") and not query.one("to"):
        return None
    first, last = _end(query, "from", axis, -(2**53)), _end(query, "to", axis, 2**53)
    if last < first:
        raise BadRequest("the range ends before it begins", where="?from, ?to")
    return first, last


def _end(query: Query, name: str, axis: str, otherwise: int) -> int:
    text = query.one(name)
    if not text:
        return otherwise
    try:
        if axis == "time":
            at = datetime.fromisoformat(text)
            return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
        value = float(text) * (1000 if axis == "relative" else 1)
        if not abs(value) <= 2**53:
            raise ValueError("it is too large")
    except (ValueError, OverflowError) as error:
        form = {"step": "a step such as 1200", "relative": "seconds such as 90"}.get(
            axis, "an instant such as 2026-05-01T12:00"
        )
        raise BadRequest(f"{name} must be {form}, not {text[:60]!r}", where=f"?{name}") from error
    return int(np.floor(value) if name == "from" else np.ceil(value))


def _scattered(query: Query, rows: Sequence[Row]) -> tuple[Column | None, Column | None]:
    """What stands against what: as asked for, else the first param that differs and the first metric."""
    if len(rows) == 0 or len(rows[0].texts) < 2:
        return None, None
    known = [each.column for each in rows]
    params = [each.column for each in rows if each.column.kind == "params" and each.differs]
    metrics = [each for each in known if each.kind == "metrics"]
    across, upward = parse(query.one("across")), parse(query.one("up"))
    return (
        across if across in known else next(iter(params), metrics[0] if len(metrics) > 1 else None),
        upward if upward in known else next(reversed(metrics[:2]), None),
    )


def _scatter(found: Sequence[Found], across: Column, upward: Column, numbers: dict[RunId, int]) -> str:
    dots = [
        Dot(
            id=record.id,
            name=record.name or record.id,
            number=numbers[record.id],
            x=_value(record.params.get(across.key) if across.kind == "params" else None, own, across),
            y=_value(record.params.get(upward.key) if upward.kind == "params" else None, own, upward),
        )
        for record, own in found
    ]
    return scatter(dots, across=across.title, upward=upward.title, width=_WIDTH, height=320)


def _value(param: str | None, own: Mapping[str, MetricSummary], column: Column) -> float | str | None:
    if column.kind == "metrics":
        summary = own.get(column.key)
        return None if summary is None else float(summary.value)
    return param
