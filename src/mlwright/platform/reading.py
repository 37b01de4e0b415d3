"""Connections that read, for journeys and for processes that do without the journeys."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection to read with; it sees one state of the database, waits for no writer and cannot write."""
    with engine.connect().execution_options(mlwright_read=True) as tx:
        yield tx
