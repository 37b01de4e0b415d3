"""Opening SQLite: settings, snapshots, queueing writers, and what is said when it cannot be used."""

import multiprocessing
import os
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import JSON, Column, Integer, MetaData, Table, func, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError

from mlwright.adapters.sql.engine import open_engine, reading, sqlite_file
from mlwright.errors import DatabaseUnavailable, UsageError

METADATA = MetaData()
ROWS = Table("rows", METADATA, Column("id", Integer, primary_key=True), Column("value", JSON))
WRITES, PROCESSES = 100, 4


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'a.db'}"


@pytest.fixture
def engine(url):
    engine = open_engine(url)
    METADATA.create_all(engine)
    yield engine
    engine.dispose()


def test_sqlite_is_durable_and_keeps_references(engine):
    with reading(engine).begin() as tx:
        ask = {name: tx.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in _EXPECTED}
    assert ask == _EXPECTED


# synchronous 2 is FULL.
_EXPECTED = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


def test_a_reader_sees_one_snapshot_and_never_waits_for_a_writer(engine):
    count = select(func.count()).select_from(ROWS)
    with reading(engine).begin() as before:
        assert before.execute(count).scalar_one() == 0
        with engine.begin() as tx:
            tx.execute(insert(ROWS).values(value=1))
            with reading(engine).begin() as beside:
                assert beside.execute(count).scalar_one() == 0
        assert before.execute(count).scalar_one() == 0
    with reading(engine).begin() as after:
        assert after.execute(count).scalar_one() == 1


def test_a_reading_transaction_cannot_write_and_the_next_writer_can(engine):
    with reading(engine).begin() as tx, pytest.raises(OperationalError, match="readonly"):
        tx.execute(insert(ROWS).values(value=1))
    for _ in range(3):
        with engine.begin() as tx:
            tx.execute(insert(ROWS).values(value=1))


def test_a_block_that_raises_is_undone(engine):
    def fail():
        with engine.begin() as tx:
            tx.execute(insert(ROWS).values(id=1, value=1))
            tx.execute(insert(ROWS).values(id=1, value=1))

    with pytest.raises(IntegrityError):
        fail()
    with engine.begin() as tx:
        assert tx.execute(select(func.count()).select_from(ROWS)).scalar_one() == 0


def test_json_columns_take_what_stages_measure(engine):
    measured = {"auc": float("nan"), "n": np.int64(3), "at": datetime(2013, 4, 1, tzinfo=UTC)}
    with engine.begin() as tx:
        tx.execute(insert(ROWS).values(value=measured))
        assert tx.execute(select(ROWS.c.value)).scalar_one() == {
            "auc": "NaN",
            "n": 3,
            "at": "2013-04-01T00:00:00+00:00",
        }


def _write(url, start):
    start.wait()
    engine = open_engine(url)
    for _ in range(WRITES):
        with engine.begin() as tx:
            # Reads first: with a plain BEGIN this is where the second writer would fail at once.
            tx.execute(select(func.count()).select_from(ROWS)).scalar_one()
            tx.execute(insert(ROWS).values(value=1))


def test_four_processes_write_a_hundred_times_each_and_none_is_turned_away(url, engine):
    context = multiprocessing.get_context("forkserver")
    start = context.Event()
    writers = [context.Process(target=_write, args=(url, start)) for _ in range(PROCESSES)]
    for writer in writers:
        writer.start()
    start.set()
    for writer in writers:
        writer.join(50)
    assert [writer.exitcode for writer in writers] == [0] * PROCESSES
    with reading(engine).begin() as tx:
        assert tx.execute(select(func.count()).select_from(ROWS)).scalar_one() == PROCESSES * WRITES


def test_missing_folder_says_how_to_make_it(tmp_path):
    with pytest.raises(DatabaseUnavailable) as caught:
        open_engine(f"sqlite:///{tmp_path / 'no' / 'a.db'}")
    assert caught.value.next_command == f"mkdir -p {tmp_path / 'no'}"


@pytest.mark.parametrize("what", ["folder", "text", "damaged"])
def test_a_path_that_holds_no_database_is_named(tmp_path, what):
    path = tmp_path / "a.db"
    if what == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"SQLite format 3\0" * 2 + b"x" * 4000 if what == "damaged" else b"hello " * 400)
    with pytest.raises(DatabaseUnavailable) as caught:
        open_engine(f"sqlite:///{path}")
    assert str(path) in str(caught.value)
    assert caught.value.why
    assert caught.value.next_command


@pytest.fixture
def not_mine():
    """A folder that this process cannot write: another user's, seen by nobody when the tests run as root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with closing(sqlite3.connect(folder / "a.db")) as connection:
            connection.execute("CREATE TABLE a (b)")
        folder.chmod(0o555)
        (folder / "a.db").chmod(0o444)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(65534)
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o700)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="POSIX permissions")
@pytest.mark.parametrize("name", ["a.db", "new.db"])
def test_a_file_that_cannot_be_written_is_refused_at_once(not_mine, name):
    with pytest.raises(DatabaseUnavailable, match="cannot be written"):
        open_engine(f"sqlite:///{not_mine / name}")


def test_a_full_disk_is_ours_to_explain(engine):
    def fill():
        with engine.begin() as tx:
            tx.exec_driver_sql("PRAGMA max_page_count=1")
            tx.execute(insert(ROWS).values(value="x" * 100_000))

    with pytest.raises(DatabaseUnavailable, match="the disk is full"):
        fill()


def test_an_unreachable_server_is_named_without_its_password():
    with pytest.raises(DatabaseUnavailable) as caught:
        open_engine("postgres://someone:hunter2@127.0.0.1:1/flights")
    assert "127.0.0.1:1" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["mysql://a:hunter2@b/c", "://hunter2", "flights.db", "sqlite:///file:a.db?mode=ro&uri=true"]
)
def test_other_urls_are_refused_with_the_forms_that_work(url):
    with pytest.raises(UsageError) as caught:
        open_engine(url)
    assert "sqlite:///" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_sqlite_file_is_known_only_for_files(engine, tmp_path):
    memory = open_engine("sqlite://")
    assert sqlite_file(engine) == tmp_path / "a.db"
    assert sqlite_file(memory) is None
    memory.dispose()
