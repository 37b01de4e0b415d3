"""What monitoring keeps as flat tables, for other tools: one row a window, a feature of a window, an alert, a slot."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import polars as pl
from sqlalchemy import Connection, Row, Table, select

from mlwright.stages.monitoring import tables

_INSTANT: Final = "_at"
_TABLES: Final[Mapping[str, tuple[Table, str | None]]] = {
    "performance": (tables.performance, None),
    "performance_parts": (tables.performance_parts, None),
    "drift": (tables.drift, "features"),
    "part_drift": (tables.part_drift, "features"),
    "joint_drift": (tables.joint_drift, "features"),
    "alerts": (tables.alerts, None),
    "slo_windows": (tables.slo_windows, None),
}
"""Each with the column whose elements are rows of their own."""
_AS_TEXT: Final = frozenset({"evidence"})
"""Whose keys differ from row to row."""


def monitoring_frames(tx: Connection) -> Iterator[tuple[str, pl.DataFrame]]:
    """Name and rows of each table. Structures become columns with dotted names, lists JSON, instants UTC."""
    for name, (table, many) in _TABLES.items():
        rows = tx.execute(select(table).order_by(*table.primary_key.columns)).all()
        columns = [each.name for each in table.columns if each.name != many]
        yield name, _frame([flat for row in rows for flat in _flat(row, columns, many)], columns)


def _flat(row: Row[Any], columns: Sequence[str], many: str | None) -> Iterator[dict[str, object]]:
    of: dict[str, object] = {}
    for name in columns:
        of |= _opened(name, getattr(row, name))
    if many is None:
        yield of
        return
    elements: Sequence[Mapping[str, object]] = getattr(row, many)
    for element in elements or ({},):  # a part that was not judged has a row too
        yield of | dict(element)


def _opened(name: str, value: object) -> dict[str, object]:
    if isinstance(value, Mapping) and name not in _AS_TEXT:
        found: dict[str, object] = {}
        for key, each in value.items():
            found |= _opened(f"{name}.{key}", each)
        return found
    if isinstance(value, Mapping | list | tuple):
        return {name: json.dumps(value, ensure_ascii=False)}
    return {name: value}


def _frame(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> pl.DataFrame:
    if not rows:
        return pl.DataFrame({name: pl.Series([], dtype=pl.String) for name in columns})
    names = dict.fromkeys(name for row in rows for name in row)
    series = [pl.Series(name, [row.get(name) for row in rows], strict=False) for name in names]
    frame = pl.DataFrame(series)
    return frame.with_columns(
        [pl.col(each.name).cast(pl.String) for each in series if each.dtype == pl.Null]
        + [
            pl.from_epoch(each.name, "us").dt.replace_time_zone("UTC").alias(each.name)
            for each in series
            if each.name.endswith(_INSTANT) and each.dtype == pl.Int64
        ]
    )
