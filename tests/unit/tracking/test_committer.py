"""The thread that writes: order, all or nothing of each job, and nobody told before the commit."""

import asyncio
import sqlite3
import threading
from contextlib import closing, contextmanager, nullcontext, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column as Col
from sqlalchemy import Integer, MetaData, Table, Text, event, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError

from mlwright.adapters.sql.engine import open_engine, reading
from mlwright.errors import Conflict, DatabaseUnavailable, StorageError
from mlwright.platform.tracking import committer as module
from mlwright.platform.tracking.committer import GroupCommitter

NOTES = Table("notes", MetaData(), Col("id", Integer, primary_key=True), Col("text", Text, unique=True))
WAIT = 20


class Store:
    """A database of one table, and the committer over it."""

    def __init__(self, folder) -> None:
        self.file = folder / "db"
        self.engine = open_engine(f"sqlite:///{self.file}")
        NOTES.metadata.create_all(self.engine)
        self.committer = GroupCommitter(self.engine)

    def note(self, *texts, then=None):
        """A job of one part for each text."""

        def job():
            for text in texts:
                with self.committer.transaction() as tx:
                    tx.execute(insert(NOTES).values(text=text))
            if then is not None:
                raise then
            return texts

        return job

    def notes(self) -> list[str]:
        with reading(self.engine).begin() as tx:
            return list(tx.scalars(select(NOTES.c.text).order_by(NOTES.c.id)))

    @contextmanager
    def held(self):
        """Holds the thread, so that what is submitted inside becomes one group."""
        here, go = threading.Event(), threading.Event()

        def wait():
            here.set()
            assert go.wait(WAIT)

        self.committer.submit(wait)
        assert here.wait(WAIT)
        try:
            yield
        finally:
            go.set()

    def close(self) -> None:
        self.committer.close()
        self.engine.dispose()


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(module, "_PAUSE_S", 0.001)


def outcome(future):
    try:
        return future.result(WAIT)
    except Exception as fault:  # noqa: BLE001 - its kind is looked at
        return type(fault)


JOBS = st.lists(
    st.tuples(st.lists(st.integers(0, 30), max_size=4), st.booleans()),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JOBS, st.booleans())
def test_what_is_there_is_what_the_jobs_that_were_told_so_wrote_in_order(tmp_path_factory, jobs, together):
    store = Store(tmp_path_factory.mktemp("store"))
    expected: list[str] = []
    answers = []
    try:
        with store.held() if together else nullcontext():
            for texts, raises in jobs:
                texts = [str(each) for each in texts]
                answers.append(
                    store.committer.submit(store.note(*texts, then=KeyError() if raises else None))
                )
                if not raises and len({*expected, *texts}) == len(expected) + len(texts):
                    expected += texts
        kept = [outcome(each) for each in answers]
        assert store.notes() == expected
        assert [text for each in kept if isinstance(each, tuple) for text in each] == expected
    finally:
        store.close()


def test_a_part_that_fails_and_is_caught_is_undone_alone(store):
    def job():
        for text in ("a", "a", "b"):  # the second one is a duplicate
            try:
                with store.committer.transaction() as tx:
                    tx.execute(insert(NOTES).values(text=text))
            except IntegrityError:
                continue

    def first_part_fails():
        with suppress(KeyError), store.committer.transaction() as tx:
            tx.execute(insert(NOTES).values(text="never"))
            raise KeyError
        with store.committer.transaction() as tx, tx.begin_nested():
            tx.execute(insert(NOTES).values(text="c"))

    with store.held():
        done = [store.committer.submit(job), store.committer.submit(first_part_fails)]
    assert [outcome(each) for each in done] == [None, None]
    assert store.notes() == ["a", "b", "c"]


def test_nobody_is_told_before_the_commit(store):
    seen: list[tuple[str, bool]] = []

    def look(future):
        with closing(sqlite3.connect(store.file)) as other:
            [text] = future.result()
            found = other.execute("SELECT count(*) FROM notes WHERE text = ?", [text]).fetchone()
            seen.append((text, bool(found[0])))

    with store.held():
        futures = [store.committer.submit(store.note(str(number))) for number in range(100)]
        for each in futures:
            each.add_done_callback(look)
    assert [each.result(WAIT) for each in futures] == [(str(number),) for number in range(100)]
    store.close()
    assert seen == [(str(number), True) for number in range(100)]


def test_what_waits_is_committed_together(store):
    commits = []
    event.listen(store.engine, "commit", lambda tx: commits.append(tx))
    with store.held():
        futures = [store.committer.submit(store.note(str(number))) for number in range(30)]
    for each in futures:
        each.result(WAIT)
    assert len(commits) <= 5


def test_a_commit_that_fails_is_told_to_all_of_its_group_and_the_next_one_works(store):
    broken = True

    def refuse(tx):
        if broken:
            raise DatabaseUnavailable("the disk is on fire")

    event.listen(store.engine, "commit", refuse)
    with store.held():
        futures = [store.committer.submit(store.note(str(number))) for number in range(3)]
    assert [outcome(each) for each in futures] == [DatabaseUnavailable] * 3
    broken = False
    assert store.notes() == []
    assert store.committer.submit(store.note("after")).result(WAIT) == ("after",)
    assert store.notes() == ["after"]


def test_a_transaction_that_cannot_begin_is_told(store):
    broken = True

    def refuse(tx):
        if broken:
            raise DatabaseUnavailable("the file is gone")

    event.listen(store.engine, "begin", refuse)
    assert outcome(store.committer.submit(store.note("a"))) is DatabaseUnavailable
    broken = False
    assert outcome(store.committer.submit(store.note("b"))) == ("b",)


@pytest.mark.parametrize("parts", [1, 2])
def test_a_job_that_fills_the_disk_takes_no_other_along(store, parts):
    """SQLite undoes the whole transaction then: what the jobs before wrote must not be told to be there."""

    def fill():
        for part in range(parts):
            with store.committer.transaction() as tx:
                if part == parts - 1:
                    # A cache of nothing: the pages go to the file at once, and it has no room.
                    tx.exec_driver_sql("PRAGMA cache_size=1")
                    pages = tx.exec_driver_sql("PRAGMA page_count").scalar_one()
                    tx.exec_driver_sql(f"PRAGMA max_page_count={pages + 40}")
                for number in range(200 if part == parts - 1 else 1):
                    tx.execute(insert(NOTES).values(text=f"{part}-{number}-" + "x" * 20_000))

    with store.held():
        before = store.committer.submit(store.note("before"))
        full = store.committer.submit(fill)
        after = store.committer.submit(store.note("after"))
    assert [outcome(each) for each in (before, full, after)] == [("before",), DatabaseUnavailable, ("after",)]
    assert store.notes() == ["before", "after"]


@pytest.mark.parametrize("caught", [False, True])
def test_a_transaction_that_the_database_gave_up_is_run_again_job_by_job(store, caught):
    ran: list[str] = []

    def give_up():
        ran.append("bad")
        try:
            with store.committer.transaction() as tx:
                tx.exec_driver_sql("ROLLBACK")  # as SQLite does when the disk is full or gives an error
                tx.execute(select(NOTES)).all()
                raise ValueError("the disk is full")
        except ValueError:
            if not caught:
                raise

    with store.held():
        before = store.committer.submit(store.note("before"))
        bad = store.committer.submit(give_up)
        after = store.committer.submit(store.note("after"))
    assert (outcome(before), outcome(after)) == (("before",), ("after",))
    with pytest.raises(StorageError if caught else ValueError):
        bad.result(WAIT)
    assert ran == ["bad", "bad"]
    assert store.notes() == ["before", "after"]


def test_a_lost_connection_costs_nobody_anything(store):
    lost = []

    def lose():
        with store.committer.transaction() as tx:
            tx.execute(insert(NOTES).values(text="lost"))
            if not lost:
                lost.append(True)
                tx.invalidate()
                raise DatabaseUnavailable("the server went away")

    with store.held():
        futures = [store.committer.submit(each) for each in (store.note("a"), lose, store.note("b"))]
    assert [outcome(each) for each in futures] == [("a",), None, ("b",)]
    assert store.notes() == ["a", "lost", "b"]


class Deadlock(Exception):
    sqlstate = "40P01"


def meeting(store, text, times):
    """A job that meets another process so many times."""
    met = []

    def job():
        with store.committer.transaction() as tx:
            tx.execute(insert(NOTES).values(text=text))
        if len(met) < times:
            met.append(True)
            raise OperationalError("UPDATE", {}, Deadlock())
        return "done"

    return job


def test_a_job_that_another_process_was_in_the_way_of_runs_again(store):
    with store.held():
        futures = [
            store.committer.submit(each)
            for each in (
                store.note("a"),
                meeting(store, "met", 3),
                meeting(store, "gone", 100),
                store.note("b"),
            )
        ]
    assert [outcome(each) for each in futures] == [("a",), "done", OperationalError, ("b",)]
    assert store.notes() == ["a", "b", "met"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, StopIteration])
def test_what_would_end_a_program_ends_one_job(store, kind):
    async def ask():
        return await asyncio.wrap_future(store.committer.submit(store.note("never", then=kind())))

    with pytest.raises(RuntimeError, match=kind.__name__) as raised:
        asyncio.run(ask())
    assert isinstance(raised.value.__cause__, kind)
    assert outcome(store.committer.submit(store.note("after"))) == ("after",)
    assert store.notes() == ["after"]


def test_a_client_that_leaves_changes_nothing_for_the_others(store):
    async def leave():
        with store.held():
            asked = [asyncio.wrap_future(store.committer.submit(store.note(text))) for text in "abc"]
            asked[1].cancel()
            await asyncio.sleep(0)
        return await asyncio.gather(*asked, return_exceptions=True)

    kept = asyncio.run(leave())
    assert (kept[0], type(kept[1]), kept[2]) == (("a",), asyncio.CancelledError, ("c",))
    assert store.notes() == ["a", "b", "c"]


def test_a_loop_that_has_ended_stops_nobody(store, caplog):
    async def leave():
        asyncio.wrap_future(store.committer.submit(store.note("a")))

    with store.held():
        asyncio.run(leave())
    assert outcome(store.committer.submit(store.note("b"))) == ("b",)
    assert store.notes() == ["a", "b"]


def test_what_waits_when_it_closes_is_committed(store):
    with store.held():
        futures = [store.committer.submit(store.note(str(number))) for number in range(150)]
        closer = threading.Thread(target=store.committer.close)
        closer.start()
    closer.join(WAIT)
    assert not closer.is_alive()
    assert all(each.done() for each in futures)
    assert store.notes() == [str(number) for number in range(150)]
    with pytest.raises(Conflict, match="closing"):
        store.committer.submit(store.note("late"))
    store.committer.close()


def test_whoever_submits_while_it_closes_is_answered_or_refused(tmp_path):
    for attempt in range(20):
        store = Store(tmp_path)
        taken, refused = [], []
        go = threading.Barrier(4)

        def submit(number, store=store, taken=taken, refused=refused, go=go, attempt=attempt):
            go.wait(WAIT)
            for count in range(30):
                try:
                    taken.append(store.committer.submit(store.note(f"{attempt}-{number}-{count}")))
                except Conflict:
                    refused.append(count)

        threads = [threading.Thread(target=submit, args=(number,)) for number in range(3)]
        for each in threads:
            each.start()
        go.wait(WAIT)
        store.committer.close()
        for each in threads:
            each.join(WAIT)
        assert len(taken) + len(refused) == 90
        told = {text for each in taken for text in each.result(1)}
        assert told == {each for each in store.notes() if each.startswith(f"{attempt}-")}
        store.engine.dispose()
