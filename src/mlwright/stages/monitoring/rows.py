"""Writing rows that may be there already, in the words of either database. The caller owns the transaction."""

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert(tx: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert that can say what to do on a conflict."""
    return postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)


def upsert(tx: Connection, table: Table, **row: object) -> None:
    """Insert the row, or replace the one with the same primary key."""
    keys = [column.name for column in table.primary_key]
    rest = {name: value for name, value in row.items() if name not in keys}
    tx.execute(insert(tx, table).values(row).on_conflict_do_update(index_elements=keys, set_=rest))
