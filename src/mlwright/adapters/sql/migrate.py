"""Bringing the database to this version's schema: Alembic migrations in one transaction, backup first."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from mlwright.adapters.sql.engine import reading, shown, sqlite_file
from mlwright.errors import DatabaseNewer, StorageError

SHIPPED = Path(__file__).parent / "migrations"
"""The folder of the migrations that come with this version."""

# Any fixed number will do: it names the lock that two starting processes queue at in PostgreSQL.
_ADVISORY_LOCK = 0x6D6C7772

# A large table may take long to rewrite; a second process that starts meanwhile waits.
_WAIT_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationReport:
    """What a migration did. ``backup`` is None when nothing could be lost, or none was taken (``note``)."""

    before: str | None
    after: str | None
    backup: Path | None = None
    note: str | None = None

    @property
    def changed(self) -> bool:
        """Whether the schema is another one than before."""
        return self.before != self.after


def current_revision(engine: Engine) -> str | None:
    """The revision of the schema in the database, or None when no migration has run yet."""
    with reading(engine).begin() as tx:
        return MigrationContext.configure(tx).get_current_revision()


def newest_revision(scripts: Path = SHIPPED) -> str | None:
    """The revision of the schema that this version writes."""
    return ScriptDirectory(str(scripts), version_locations=[str(scripts)]).get_current_head()


def migrate(engine: Engine, *, backups: Path, at: datetime, scripts: Path = SHIPPED) -> MigrationReport:
    """Upgrade the schema to the newest revision that this version knows.

    All migrations run in one transaction, so a failure leaves the old state; processes that start together
    queue, and all but the first find nothing to do. A SQLite file that holds a schema is copied first, by
    SQLite's own backup, to ``backups/mlwright-REVISION-INSTANT.db``; for PostgreSQL the report says that no
    backup was taken.

    Args:
        engine: from :func:`~mlwright.adapters.sql.engine.open_engine`.
        backups: folder of the copies; made when needed.
        at: the present instant, for the name of the copy.
        scripts: folder of the migrations.

    Raises:
        DatabaseNewer: the schema has a revision that this version does not know; nothing was changed.
        StorageError: the backup or a migration failed; the schema is as it was.
    """
    directory = ScriptDirectory(str(scripts), version_locations=[str(scripts)])
    head = directory.get_current_head()
    before = current_revision(engine)
    _refuse_newer(engine, directory, before)
    if before == head:
        return MigrationReport(before=before, after=head)
    with _alone(engine) as tx:
        # Asked again under the lock: another process may have migrated while this one waited.
        before = MigrationContext.configure(tx).get_current_revision()
        _refuse_newer(engine, directory, before)
        if before == head:
            return MigrationReport(before=before, after=head)
        backup = _back_up(engine, tx, backups / f"mlwright-{before}-{at:%Y%m%dT%H%M%S%fZ}.db")
        try:
            _upgrade(tx, directory, at)
        except Exception as fault:
            kept = f"; a copy is in {backup}" if backup else ""
            raise StorageError(
                f"the migration of the database to {head} failed and was undone{kept}",
                where=shown(engine.url),
                why=str(fault),
                next_command="mlwright doctor",
            ) from fault
    note = None
    if engine.dialect.name == "postgresql" and before is not None:
        note = "no backup was taken: use pg_dump or your provider's snapshots"
    return MigrationReport(before=before, after=head, backup=backup, note=note)


def _refuse_newer(engine: Engine, directory: ScriptDirectory, revision: str | None) -> None:
    known = {script.revision for script in directory.walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseNewer(
            f"the database was written by a newer mlwright (schema {revision}; this version knows up to"
            f" {directory.get_current_head()})",
            where=shown(engine.url),
            next_command="pip install -U mlwright",
        )


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other migration runs beside; undone when the block raises."""
    if engine.dialect.name != "sqlite":
        with engine.begin() as tx:
            tx.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            yield tx
        return
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            raise TypeError(f"{type(driver).__name__} is not a SQLite connection")
        waited = driver.execute("PRAGMA busy_timeout").fetchone()[0]
        driver.execute(f"PRAGMA busy_timeout={_WAIT_SECONDS * 1000}")
        # Rebuilding a table would trip over references to it half-way; they are checked at the end.
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
                if broken is not None:
                    raise StorageError(
                        f"the migration broke a reference from table {broken[0]}; it was undone"
                    )
        finally:
            driver.execute("PRAGMA foreign_keys=ON")
            driver.execute(f"PRAGMA busy_timeout={waited}")


def _upgrade(tx: Connection, directory: ScriptDirectory, at: datetime) -> None:
    def steps(revision: str, context: MigrationContext) -> list[RevisionStep]:
        return directory._upgrade_revs("head", revision)

    # A migration that writes rows of its own asks op.get_context().config for the instant.
    config = Config(attributes={"at": at})
    with EnvironmentContext(config, directory, fn=steps, destination_rev="head") as environment:
        # Without this Alembic would not trust SQLite to undo a change of schema.
        environment.configure(connection=tx, transactional_ddl=True)
        environment.run_migrations()


def _back_up(engine: Engine, tx: Connection, target: Path) -> Path | None:
    source = sqlite_file(engine)
    if source is None or not inspect(tx).get_table_names():
        return None
    part = target.with_suffix(".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(part)) as writer:
            reader.backup(writer)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except (OSError, sqlite3.Error) as fault:
        raise StorageError(
            "no backup of the database could be taken, so it was not migrated",
            where=str(target),
            why=str(fault),
            next_command="mlwright doctor",
        ) from fault
    return target
