"""Writing rows that may be there already, in the words of either database. The caller owns the transaction."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert(tx: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert that can say what to do on a conflict."""
    return postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)


def upsert(tx: Connection, table: Table, **row: object) -> None:
    """Insert the row, or replace the one with the same primary key."""
    upsert_all(tx, table, [row])


def upsert_all(tx: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows, all of the same columns, each in place of the one with the same primary key."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    made = insert(tx, table)
    rest = {name: made.excluded[name] for name in rows[0] if name not in keys}
    tx.execute(made.on_conflict_do_update(index_elements=keys, set_=rest), [dict(row) for row in rows])
