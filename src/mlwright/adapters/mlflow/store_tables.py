"""The tables of an MLflow database as far as they are read, whatever release made them.

Names as in mlflow/store/tracking/dbmodels/models.py and mlflow/store/model_registry/dbmodels/models.py. Older releases
lack tables and columns; what is missing reads as nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from sqlalchemy import Column, Connection, Engine, MetaData, Select, Table, create_engine, inspect, select
from sqlalchemy.engine import Row
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.types import NullType

from mlwright.errors import MissingExtra, ServerUnavailable

Found = Row[tuple[object, ...]]

_AT_ONCE: Final = 400
NEEDED: Final = ("experiments", "runs", "params", "tags", "metrics")


def open_database(uri: str, start: Path, shown: str) -> Engine:
    """An engine that reads an MLflow database and cannot write to it.

    Args:
        uri: ``sqlite:///FILE`` or ``postgresql://…``.
        start: the folder that a relative file counts from.
        shown: the address without user and password.

    Raises:
        ServerUnavailable: there is no such file.
        MissingExtra: PostgreSQL without its driver.
    """
    if uri.startswith("sqlite:///"):
        file = start / unquote(uri.removeprefix("sqlite:///"))
        if not file.is_file():
            raise ServerUnavailable(
                "there is no such database", where=shown, next_command="mlwright import sqlite:///mlflow.db"
            )
        address = f"sqlite+pysqlite:///{file.absolute().as_uri()}?mode=ro&uri=true"
        return create_engine(address, poolclass=NullPool, connect_args={"timeout": 30.0})
    plain = "postgresql+psycopg://" + uri.partition("://")[2]
    try:
        return create_engine(
            plain, poolclass=NullPool, execution_options={"postgresql_readonly": True}, connect_args={}
        )
    except ModuleNotFoundError as error:
        raise MissingExtra.needed("a PostgreSQL database", "postgres") from error


class MlflowTables:
    """The tables of one database.

    Raises:
        ServerUnavailable: it cannot be opened, or is no database of MLflow.
    """

    def __init__(self, engine: Engine, shown: str) -> None:
        self._metadata = MetaData()
        self._shown = shown
        try:
            names = set(inspect(engine).get_table_names())
            if not names.issuperset(NEEDED):
                missing = ", ".join(sorted(set(NEEDED) - names))
                raise self.refused(f"it has no table {missing}")
            self.names = names
            self._engine = engine
        except SQLAlchemyError as error:
            raise self.refused(f"{type(error).__name__}: {getattr(error, 'orig', error)}") from error

    def refused(self, why: str) -> ServerUnavailable:
        """The error for a database that cannot be read."""
        return ServerUnavailable(
            "this is not a readable database of MLflow",
            where=self._shown,
            why=why,
            next_command="mlflow db upgrade URL, or name another one",
        )

    def table(self, name: str) -> Table:
        """A table with the columns that it has."""
        known = self._metadata.tables.get(name)
        if known is None:
            columns = [each["name"] for each in inspect(self._engine).get_columns(name)]
            known = Table(name, self._metadata, *(Column(each, NullType()) for each in columns))
        return known

    def rows(
        self, tx: Connection, name: str, column: str, values: Sequence[object], **same: object
    ) -> Iterator[Mapping[str, object]]:
        """The rows whose column has one of the values, and that have these others; none without such a table."""
        if name not in self.names:
            return
        table = self.table(name)
        for first in range(0, len(values), _AT_ONCE):
            part = values[first : first + _AT_ONCE]
            query = select(table).where(table.c[column].in_(part))
            for key, value in same.items():
                query = query.where(table.c[key] == value)
            for row in tx.execute(query):
                yield row._mapping  # type: ignore[misc]

    def texts(
        self, tx: Connection, name: str, owner: str, values: Sequence[object], key: str = "key"
    ) -> dict[object, dict[str, str]]:
        """Keys and values by owner, as tags and params are kept."""
        value = key.replace("key", "value") if "key" in key else "value"
        found: dict[object, dict[str, str]] = defaultdict(dict)
        for row in self.rows(tx, name, owner, values):
            found[row[owner]][str(row[key])] = "" if row[value] is None else str(row[value])
        return found

    def all(self, tx: Connection, name: str, *order: str) -> Iterator[Mapping[str, object]]:
        """All rows in an order; none where there is no such table."""
        if name in self.names:
            table = self.table(name)
            query: Select[tuple[object, ...]] = select(table).order_by(*(table.c[each] for each in order))
            for row in tx.execute(query):
                yield row._mapping  # type: ignore[misc]
