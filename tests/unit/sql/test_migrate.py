"""Migrations: backup first, all or nothing, one at a time, and never from a newer database."""

import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy import inspect

from mlwright.adapters.sql.engine import open_engine
from mlwright.adapters.sql.migrate import SHIPPED, current_revision, migrate
from mlwright.errors import DatabaseNewer, StorageError

AT = datetime(2013, 4, 1, 12, 30, 0, 5, tzinfo=UTC)
MARK = "INSERT INTO ledger_marks VALUES ('watched:delay', '2013-04-01')"
RUN = (
    "INSERT INTO tracking_runs (id, experiment, name, status, started_ms, actor, artifact_root)"
    " VALUES ('r', {experiment}, 'n', 'RUNNING', 0, 'a', 'mlflow-artifacts:/0/r/artifacts')"
)
NEXT = """
import sqlalchemy as sa
from alembic import op
revision = "9999"
down_revision = "{head}"
def upgrade():
    with op.batch_alter_table("tracking_experiments") as table:
        table.add_column(sa.Column("note", sa.Text()))
    op.create_table("later", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("UPDATE ledger_marks SET value = 'changed'")
    {last}
"""


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'a.db'}"


@pytest.fixture
def engine(url):
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def backups(tmp_path):
    return tmp_path / "backups"


def scripts_after(tmp_path, engine, last="pass"):
    """Our migrations, and one more that a later version may bring."""
    scripts = tmp_path / "scripts"
    shutil.copytree(SHIPPED, scripts)
    (scripts / "v9999_next.py").write_text(NEXT.format(head=current_revision(engine), last=last))
    return scripts


def values(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT value FROM ledger_marks").fetchall()


def test_an_empty_database_gets_the_schema_without_a_backup(engine, backups):
    assert current_revision(engine) is None
    report = migrate(engine, backups=backups, at=AT)
    assert (report.before, report.after, report.backup) == (None, current_revision(engine), None)
    assert report.changed
    assert not backups.exists()
    assert "tracking_runs" in inspect(engine).get_table_names()


def test_a_second_start_changes_nothing(engine, backups):
    first = migrate(engine, backups=backups, at=AT)
    second = migrate(engine, backups=backups, at=AT)
    assert (second.before, second.after, second.changed) == (first.after, first.after, False)


def test_a_backup_of_the_old_state_is_made_before_an_upgrade(engine, backups, tmp_path):
    head = migrate(engine, backups=backups, at=AT).after
    with engine.begin() as tx:
        tx.exec_driver_sql(RUN.format(experiment=0))
        tx.exec_driver_sql(MARK)
    report = migrate(engine, backups=backups, at=AT, scripts=scripts_after(tmp_path, engine))
    assert (report.before, report.after) == (head, "9999")
    assert report.backup == backups / f"mlwright-{head}-20130401T123000000005Z.db"
    assert list(backups.iterdir()) == [report.backup]
    assert values(report.backup) == [("2013-04-01",)]
    assert values(tmp_path / "a.db") == [("changed",)]
    with engine.begin() as tx:
        # Rebuilding a table that runs refer to neither lost them nor left references unchecked.
        assert tx.exec_driver_sql("SELECT experiment FROM tracking_runs").scalar_one() == 0
        assert tx.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    backup = open_engine(f"sqlite:///{report.backup}")
    assert current_revision(backup) == head
    backup.dispose()


@pytest.mark.parametrize(
    "last",
    [
        "raise RuntimeError('no')",
        "op.execute('SELECT * FROM nowhere')",
        f'op.execute("{RUN.format(experiment=77)}")',
    ],
    ids=["raises", "sql", "reference"],
)
def test_a_migration_that_fails_leaves_the_old_state(engine, backups, tmp_path, last):
    head = migrate(engine, backups=backups, at=AT).after
    with engine.begin() as tx:
        tx.exec_driver_sql(MARK)
    tables = inspect(engine).get_table_names()
    with pytest.raises(StorageError, match="undone"):
        migrate(engine, backups=backups, at=AT, scripts=scripts_after(tmp_path, engine, last))
    assert current_revision(engine) == head
    assert inspect(engine).get_table_names() == tables
    assert values(tmp_path / "a.db") == [("2013-04-01",)]
    assert migrate(engine, backups=backups, at=AT).changed is False


def test_a_database_of_a_newer_version_is_refused_and_not_touched(engine, backups, tmp_path):
    migrate(engine, backups=backups, at=AT)
    migrate(engine, backups=backups, at=AT, scripts=scripts_after(tmp_path, engine))
    with pytest.raises(DatabaseNewer) as caught:
        migrate(engine, backups=backups, at=AT)
    assert caught.value.next_command == "pip install -U mlwright"
    assert "9999" in str(caught.value)
    assert "a.db" in str(caught.value)
    assert current_revision(engine) == "9999"


def test_without_a_backup_there_is_no_migration(engine, backups, tmp_path):
    head = migrate(engine, backups=backups, at=AT).after
    backups.write_text("a file is in the way")
    with pytest.raises(StorageError, match="not migrated"):
        migrate(engine, backups=backups, at=AT, scripts=scripts_after(tmp_path, engine))
    assert current_revision(engine) == head


def test_of_three_that_start_together_one_migrates(url, backups):
    together = threading.Barrier(3)

    def start(_):
        engine = open_engine(url)
        together.wait()
        changed = migrate(engine, backups=backups, at=AT).changed
        engine.dispose()
        return changed

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(start, range(3))) == [False, False, True]
