"""How performance is kept: one row a window, and one a slice or variant of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import inf, isfinite
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, Table, delete, select

from mlwright.model.ids import EndpointName
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.monitoring import Calibration, Estimate, Maturity, OutcomeWorth, Performance, Worth
from mlwright.model.windows import Window
from mlwright.stages.monitoring import tables
from mlwright.stages.monitoring.rows import upsert

Granularity = Literal["day", "month", "window"]


def save_performance(tx: Connection, performance: Performance, granularity: Granularity) -> None:
    """Keep the measurement of a whole window, in place of an earlier one of the same endpoint and start."""
    upsert(tx, tables.performance, **_row(performance, granularity))


def save_parts(
    tx: Connection, whole: Performance, parts: Sequence[Performance], granularity: Granularity
) -> None:
    """Keep the slices and variants of a window in their order, in place of earlier ones."""
    table, row = tables.performance_parts, _row(whole, granularity)
    same = [table.c[key] == row[key] for key in ("endpoint", "granularity", "start_at")]
    tx.execute(delete(table).where(*same))
    for place, each in enumerate(parts):
        upsert(tx, table, **_row(each, granularity), part=each.part, place=place)


def list_performance(
    tx: Connection, endpoint: EndpointName, granularity: Granularity, since: datetime | None = None
) -> tuple[Performance, ...]:
    """All measurements of whole windows of one granularity in order of time, from ``since`` on."""
    return _listed(tx, tables.performance, endpoint, granularity, since)


def count_answers(tx: Connection, endpoint: EndpointName, granularity: Granularity) -> dict[datetime, int]:
    """How many predictions each kept window of one granularity has, by its start; nothing else is read."""
    table = tables.performance
    wanted = select(table.c.start_at, table.c.numbers["predictions"].as_integer())
    found = tx.execute(wanted.where(table.c.endpoint == endpoint, table.c.granularity == granularity))
    return {from_micros(start): predictions for start, predictions in found}


def list_parts(
    tx: Connection, endpoint: EndpointName, granularity: Granularity, since: datetime | None = None
) -> tuple[Performance, ...]:
    """The measurements of slices and variants in the order of time, then of their places, from ``since`` on."""
    return _listed(tx, tables.performance_parts, endpoint, granularity, since)


def _listed(
    tx: Connection, table: Table, endpoint: EndpointName, granularity: Granularity, since: datetime | None
) -> tuple[Performance, ...]:
    wanted = select(table).where(table.c.endpoint == endpoint, table.c.granularity == granularity)
    if since is not None:
        wanted = wanted.where(table.c.start_at >= to_micros(since))
    order = [table.c.start_at, *([table.c.place] if "place" in table.c else [])]
    return tuple(_performance(row) for row in tx.execute(wanted.order_by(*order)))


def _row(performance: Performance, granularity: Granularity) -> dict[str, object]:
    return {
        "endpoint": performance.endpoint,
        "granularity": granularity,
        "start_at": to_micros(performance.window.start),
        "end_at": to_micros(performance.window.end),
        "matured": performance.matured,
        "numbers": _numbers(performance),
    }


def _numbers(performance: Performance) -> object:
    """All but the key, as JSON has it: a bound that is not finite is null."""
    plain: dict[str, object] = msgspec.to_builtins(performance)
    for key in ("endpoint", "window", "part", "matured"):
        del plain[key]
    return _finite(plain)


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _performance(row: Row[Any]) -> Performance:
    numbers: Mapping[str, Any] = row.numbers
    return Performance(
        endpoint=EndpointName(row.endpoint),
        window=Window(start=from_micros(row.start_at), end=from_micros(row.end_at)),
        matured=row.matured,
        part=getattr(row, "part", ""),
        predictions=numbers["predictions"],
        labelled=numbers["labelled"],
        task=numbers["task"],
        positive_rate=numbers["positive_rate"],
        mean_score=numbers["mean_score"],
        metrics={name: _estimate(each) for name, each in numbers["metrics"].items()},
        expected={name: _estimate(each) for name, each in numbers["expected"].items()},
        calibration=msgspec.convert(numbers["calibration"], Calibration | None),
        maturity=_maturity(numbers["maturity"]),
        worth=_worth(numbers["worth"]),
        versions=tuple(numbers["versions"]),
    )


def _estimate(plain: Mapping[str, Any]) -> Estimate:
    lower, upper = (plain[name] for name in ("lower", "upper"))
    bounds = {"lower": -inf if lower is None else lower, "upper": inf if upper is None else upper}
    return Estimate(**{**plain, **bounds})


def _maturity(plain: Mapping[str, Any] | None) -> Maturity | None:
    if plain is None:
        return None
    final = plain["final"]
    return Maturity(**{**plain, "final": _estimate(final) if final else None})


def _worth(plain: Mapping[str, Any] | None) -> Worth | None:
    if plain is None:
        return None
    return Worth(
        currency=plain["currency"],
        total=_estimate(plain["total"]),
        per_prediction=_estimate(plain["per_prediction"]),
        outcomes=tuple(OutcomeWorth(**each) for each in plain["outcomes"]),
    )
