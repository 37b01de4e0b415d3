"""Opening the database: SQLite or PostgreSQL by URL. Open wire: SQL.

What was acknowledged survives ``kill -9`` with ``synchronous=NORMAL`` as well as with ``FULL``: a committed
page already belongs to the operating system. Only ``FULL`` waits for the disk and so survives a loss of power
too. It costs 0.58 ms instead of 0.17 ms a commit (median of 500 on the two-core test machine), which mlwright
can afford.
"""

import json
import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from mlwright.errors import DatabaseUnavailable, MissingExtra, UsageError
from mlwright.model.plain import plain

BUSY_SECONDS = 30.0
"""How long a writer waits for the one before it."""

# Parts of SQLite's messages that mean the file or the disk, not the statement, is at fault.
_SQLITE_FAULTS = {
    "database is locked": "another process has held the write lock for more than 30 s",
    "disk is full": "the disk is full",
    "disk I/O error": "the disk gave an error",
    "readonly database": "the file or its folder cannot be written",
    "disk image is malformed": "the file is damaged",
    "file is not a database": "the file is not a SQLite database",
    "unable to open database file": "the path is a folder, or cannot be written",
}


def open_engine(url: str) -> Engine:
    """Open a database and prove that it can be written.

    ``with engine.begin() as tx`` is a writing transaction; on SQLite it takes the write lock at once
    (BEGIN IMMEDIATE), so that two writers queue for up to 30 s instead of one failing half-way.
    :func:`reading` gives an engine whose transactions see one unchanging snapshot, never wait for a
    writer, and cannot write.

    JSON columns take everything that :func:`mlwright.model.plain.plain` takes. An engine must not be
    carried over a fork: open one in each process.

    Args:
        url: ``sqlite:///path/to/file.db`` or ``postgresql://user:password@host/name``.

    Raises:
        UsageError: the URL cannot be read or names another kind of database.
        MissingExtra: PostgreSQL without its driver.
        DatabaseUnavailable: it cannot be reached, read or written.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, json_serializer=_to_json, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        try:
            engine = create_engine(
                parsed,
                json_serializer=_to_json,
                pool_pre_ping=True,
                connect_args={"connect_timeout": 10, "application_name": "mlwright"},
            )
        except ModuleNotFoundError as fault:
            raise MissingExtra.needed("a PostgreSQL database", "postgres") from fault
        event.listen(engine, "begin", _begin_postgres)
    event.listen(engine, "handle_error", _name_the_fault)
    _prove(engine)
    return engine


def reading(engine: Engine) -> Engine:
    """The same database and pool for transactions that only read: one snapshot each, writing is refused."""
    return engine.execution_options(mlwright_read=True)


def sqlite_file(engine: Engine) -> Path | None:
    """The file of a SQLite database; None for PostgreSQL and for a database in memory."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name or name == ":memory:":
        return None
    return Path(name)


def shown(url: URL) -> str:
    """The URL as messages show it: its password is left out, also where it is one of the parameters."""
    hidden = {name: "***" if "password" in name.lower() else value for name, value in url.query.items()}
    return url.set(query=hidden).render_as_string(hide_password=True)


def _parse(url: str) -> URL:
    forms = "use sqlite:///path/to/file.db or postgresql://user:password@host/name"
    try:
        parsed = make_url("postgresql" + url.removeprefix("postgres") if url.startswith("postgres:") else url)
        backend = parsed.get_backend_name()
        if parsed.drivername == "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        # SQLite's own file: URIs would hide from the backup which file it is.
        if backend == "postgresql" or (backend == "sqlite" and "uri" not in parsed.query):
            return parsed
    except (ArgumentError, NoSuchModuleError, ValueError):
        # Not chained: the text of the fault repeats the URL with its password.
        raise UsageError("the database URL cannot be read", why=forms) from None
    raise UsageError(f"mlwright cannot use a database of this form ({backend})", why=forms)


def _to_json(value: object) -> str:
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _prepare_sqlite(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions by itself: _begin_sqlite does.
    connection.isolation_level = None
    cursor = connection.cursor()
    mode = _enter_wal(cursor)
    if mode not in {"wal", "memory"}:
        raise sqlite3.OperationalError(f"journal mode is {mode}: write-ahead logging does not work here")
    cursor.execute("PRAGMA synchronous=FULL")
    # Pages that were read once are looked at where the operating system keeps them.
    cursor.execute("PRAGMA mmap_size=268435456")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _enter_wal(cursor: DBAPICursor) -> str:
    # Changing the mode of a new file does not wait for the lock as statements do.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            (row,) = cursor.fetchall()
            return str(row[0])
        except sqlite3.OperationalError as fault:
            if "locked" not in str(fault) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    # By the driver itself: SQLAlchemy's own way would cost more than a small transaction does.
    proxied = connection.connection
    driver = proxied.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    reads = bool(connection.get_execution_options().get("mlwright_read"))
    try:
        if proxied.info.get("query_only") != reads:
            driver.execute(f"PRAGMA query_only={int(reads)}")
            proxied.info["query_only"] = reads
        driver.execute("BEGIN" if reads else "BEGIN IMMEDIATE")
    except sqlite3.Error as fault:
        raise _unavailable(connection.engine, fault) or fault from fault


def _begin_postgres(connection: Connection) -> None:
    if connection.get_execution_options().get("mlwright_read"):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def _name_the_fault(context: ExceptionContext) -> None:
    """Turn the driver's errors about the database itself, and about what it cannot keep, into ours.

    PostgreSQL keeps no NUL in a text. Errors about a statement stay.
    """
    fault = context.original_exception
    engine = context.engine
    if isinstance(fault, sqlite3.Error):
        named = _unavailable(engine, fault)
        # A read transaction that writes is our own fault, not the file's.
        if context.connection and context.connection.get_execution_options().get("mlwright_read"):
            named = None if "readonly" in str(fault) else named
        if named:
            raise named from fault
    elif context.is_disconnect:
        raise _cannot_be_used(engine, str(fault).strip()) from fault
    elif isinstance(context.sqlalchemy_exception, DataError):
        text = str(fault).strip()
        raise UsageError(
            "the database cannot keep a value of this",
            why="a text holds a NUL" if "NUL" in text else text.partition("\n")[0],
        ) from fault


def _unavailable(engine: Engine | None, fault: sqlite3.Error) -> DatabaseUnavailable | None:
    text = str(fault)
    why = next((why for part, why in _SQLITE_FAULTS.items() if part in text), None)
    return _cannot_be_used(engine, why) if why else None


def _cannot_be_used(engine: Engine | None, why: str) -> DatabaseUnavailable:
    where = shown(engine.url) if engine else None
    return DatabaseUnavailable(
        "the database cannot be used", where=where, why=why, next_command="mlwright doctor"
    )


def _prove(engine: Engine) -> None:
    where = shown(engine.url)
    file = sqlite_file(engine)
    if file is not None and not file.parent.is_dir():
        raise DatabaseUnavailable(
            "the folder of the database does not exist", where=where, next_command=f"mkdir -p {file.parent}"
        )
    try:
        with engine.connect() as tx, tx.begin() as begun:
            if engine.dialect.name == "postgresql":
                tx.exec_driver_sql("SELECT 1").scalar_one()
            else:
                # Of a file that cannot be written, BEGIN IMMEDIATE begins to read, and says nothing.
                version = int(tx.exec_driver_sql("PRAGMA user_version").scalar_one())
                tx.exec_driver_sql(f"PRAGMA user_version={version}")
            begun.rollback()
    except DatabaseUnavailable:
        engine.dispose()
        raise
    except (DBAPIError, sqlite3.Error) as fault:
        engine.dispose()
        raise DatabaseUnavailable(
            "the database cannot be opened",
            where=where,
            why=str(fault.orig if isinstance(fault, DBAPIError) else fault).strip(),
            next_command="mlwright doctor",
        ) from fault
