"""The book of the project: lineage, decisions, the audit chain, and tables to take away."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Row,
    Table,
    inspect,
    select,
)
from sqlalchemy.types import TypeEngine

from mlwright.errors import NotFound, UsageError
from mlwright.model.ledger import AuditRow, Decision, Node, Trace
from mlwright.platform.monitoring_tables import monitoring_frames
from mlwright.platform.parts import Parts
from mlwright.stages.ledger import store as ledger
from mlwright.stages.registry import store as registry

_ENOUGH: Final = 6
"""Letters of an id that stand for the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """One table that was written: its name, file and number of rows."""

    table: str
    file: Path
    rows: int


class RecordsJourney:
    """Reads what was written down, and hands it out."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def trace(self, subject: str) -> Trace:
        """What a thing came from and what came from it.

        Args:
            subject: ``kind:id``, such as ``model:flight-delay/3``, ``run:…``, ``dataset:name@digest``,
                ``endpoint:delay``, or a plain model reference. A data set's name, or the first six letters of an
                id, are enough where only one begins so.

        Raises:
            UsageError: the text has none of these forms.
            NotFound: nothing is recorded under this name; the error lists what begins so.
        """
        with self._parts.read() as tx:
            text = subject if ":" in subject else f"model:{registry.resolve(tx, subject).ref}"
            try:
                node = Node.parse(text)
            except ValueError as error:
                raise UsageError(str(error), next_command="mlwright trace --help") from error
            found = ledger.trace(tx, node)
            if found.causes or found.effects:
                return found
            near = ledger.find_nodes(tx, f"{text}@")
            if not near and len(node.id) >= _ENOUGH:
                near = ledger.find_nodes(tx, text)
            if len(near) == 1:
                return ledger.trace(tx, near[0])
        raise NotFound(
            f"nothing is recorded about {text!r}",
            why=f"these begin so: {', '.join(map(str, near))}" if near else None,
            next_command=f"mlwright trace {near[0]}" if near else "mlwright runs",
        )

    def decisions(self, subject: str | None = None, *, limit: int = 100) -> tuple[Decision, ...]:
        """The latest decisions first."""
        with self._parts.read() as tx:
            return tuple(ledger.list_decisions(tx, subject=subject, limit=limit))

    def audit(self, *, limit: int = 100) -> tuple[AuditRow, ...]:
        """The latest audit rows first."""
        with self._parts.read() as tx:
            return tuple(ledger.list_audit(tx, limit=limit))

    def broken_audit_row(self) -> int | None:
        """The number of the first audit row that does not fit the chain, or None where all do."""
        with self._parts.read() as tx:
            return ledger.verify_chain(tx)

    def export(self, folder: Path) -> tuple[Exported, ...]:
        """Write every table of the database, and all predictions and labels, as Parquet files."""
        folder.mkdir(parents=True, exist_ok=True)
        written: list[Exported] = []
        with self._parts.read() as tx:
            look = inspect(tx)
            for name in sorted(look.get_table_names()):
                # Without the indexes, of which SQLAlchemy cannot read all back.
                columns = [Column(each["name"], each["type"]) for each in look.get_columns(name)]
                table = Table(name, MetaData(), *columns)
                written.append(_write(folder, table.name, _frame(table, tx.execute(select(table)).all())))
        written.append(_write(folder, "predictions", self._parts.log.predictions(None, served_only=False)))
        written.append(_write(folder, "labels", self._parts.log.labels(None)))
        return tuple(written)

    def monitoring(self, folder: Path, form: Literal["parquet", "csv"] = "parquet") -> tuple[Exported, ...]:
        """Write performance, drift, alerts and the counts of objectives as flat tables, one file each."""
        folder.mkdir(parents=True, exist_ok=True)
        with self._parts.read() as tx:
            return tuple(_write(folder, name, frame, form) for name, frame in monitoring_frames(tx))


def _frame(table: Table, rows: Sequence[Row[Any]]) -> pl.DataFrame:
    """A table's rows with a type a column. Structured values become JSON: their form differs from row to row."""
    columns: list[pl.Series] = []
    for place, column in enumerate(table.columns):
        values = [row[place] for row in rows]
        if isinstance(column.type, JSON):
            values = [None if each is None else json.dumps(each, ensure_ascii=False) for each in values]
        columns.append(pl.Series(column.name, values, dtype=_type_of(column.type)))
    return pl.DataFrame(columns)


def _type_of(kind: TypeEngine[Any]) -> pl.DataType:
    if isinstance(kind, Boolean):
        return pl.Boolean()
    if isinstance(kind, LargeBinary):
        return pl.Binary()
    if isinstance(kind, Integer):
        return pl.Int64()
    return pl.Float64() if isinstance(kind, Numeric | Float) else pl.String()


def _write(folder: Path, name: str, frame: pl.DataFrame, form: str = "parquet") -> Exported:
    file = folder / f"{name}.{form}"
    partial = file.with_suffix(".partial")
    if form == "csv":
        frame.write_csv(partial)
    else:
        frame.write_parquet(partial)
    partial.replace(file)
    return Exported(table=name, file=file, rows=frame.height)
