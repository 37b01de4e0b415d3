"""One thread that writes: what arrives together is committed together.

A commit waits for the disk; many small ones, one after the other, would mostly wait. What one job writes is kept whole
or undone alone. Nobody learns of success before the commit that holds it.

A job may run several times: PostgreSQL undoes it when it waits for another process that waits for it, and a database
that gives up a transaction takes the other jobs of the group along, whose fault it was not. So what a job does besides
writing to the database must bear to be done again.
"""

import queue
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, Thread, current_thread
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, NestedTransaction
from sqlalchemy.exc import DBAPIError

from mlwright.errors import Conflict, StorageError

T = TypeVar("T")

_JOBS_A_COMMIT: Final = 64
_SECONDS_A_COMMIT: Final = 0.05
"""Who waits behind a long group waits for all of it; another process that wants to write waits as well."""

_TRIES: Final = 5
"""How often a job runs by itself that another process was in the way of."""
_PAUSE_S: Final = 0.02
"""Before it runs again; longer each time, and not the same for two processes that met."""

_AGAIN: Final = frozenset({"40001", "40P01"})
"""PostgreSQL: serialization_failure, deadlock_detected."""


class _Void(Exception):
    """The database gave up the transaction: what earlier jobs wrote in it is gone."""


@dataclass(slots=True)
class _Job:
    call: Callable[[], Any]
    done: "Future[Any]"
    value: Any = None
    trouble: Exception | None = None

    def run(self) -> None:
        self.value = self.trouble = None
        try:
            self.value = self.call()
        except BaseException as fault:  # noqa: BLE001 - whoever asked is told; the next job runs
            self.fails(fault)

    def fails(self, fault: BaseException) -> None:
        self.value = None
        if isinstance(fault, Exception) and not isinstance(fault, StopIteration):
            self.trouble = fault
        else:
            # Raised in an event loop, the end of a program would end the loop, and no future takes a StopIteration.
            self.trouble = RuntimeError(f"a job of the writing thread ended with {type(fault).__name__}")
            self.trouble.__cause__ = fault

    def tell(self) -> None:
        if self.trouble is None:
            self.done.set_result(self.value)
        else:
            self.done.set_exception(self.trouble)


@dataclass(slots=True)
class _Group:
    """An open transaction, and the part of it that belongs to the running job, once that wrote something."""

    tx: Connection
    part: NestedTransaction | None = None
    is_lost: bool = False

    def end_part(self, *, keep: bool) -> None:
        """End what a job wrote.

        Raises:
            _Void: the database did not keep the transaction. SQLite undoes all of it when the disk is full, for one.
        """
        part, self.part = self.part, None
        try:
            if part is not None and keep:
                part.commit()
            elif part is not None:
                part.rollback()
        except Exception as fault:
            raise _Void from fault
        if self.is_lost or self.tx.invalidated:
            raise _Void

    def undo(self, part: NestedTransaction) -> None:
        """Undo a part that raised; where that fails it is said when the job ends: what it raised is the reason."""
        if part is self.part:
            self.part = None
        try:
            part.rollback()
        except Exception:  # noqa: BLE001 - nothing of the transaction is kept, whatever it is
            self.is_lost = True


class GroupCommitter:
    """Runs jobs in order on a thread of its own, several to a transaction.

    A job writes by :meth:`transaction`, which on this thread is a savepoint of the group's transaction. A job that
    raises leaves nothing, in however many parts it wrote.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._group: _Group | None = None
        self._closing = Lock()
        self._closed = False
        self._thread = Thread(target=self._work, name="committer", daemon=True)
        self._thread.start()

    def submit(self, call: Callable[[], T]) -> "Future[T]":
        """Have a job run; the future holds its answer once it is committed.

        Raises:
            Conflict: the committer is closed.
        """
        done: Future[T] = Future()
        # Whoever waits may leave; the job runs all the same, and a cancelled future could not take its answer.
        done.set_running_or_notify_cancel()
        with self._closing:  # or a job could come in behind the end, and wait for ever
            if self._closed:
                raise Conflict("the tracking store is closing", next_command="mlwright up")
            self._jobs.put(_Job(call, done))
        return done

    @property
    def is_here(self) -> bool:
        """Whether the caller is a job of this committer."""
        return current_thread() is self._thread

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A part of the group's transaction that belongs to the running job; undone alone when it raises."""
        group = self._group
        assert group is not None
        part = group.tx.begin_nested()
        # The first one stays open until the job ends: what the job raises later undoes it as well.
        stays = group.part is None
        if stays:
            group.part = part
        try:
            yield group.tx
        except BaseException:
            group.undo(part)
            raise
        if not stays:
            part.commit()

    def close(self) -> None:
        """Commit what was submitted, and end."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        going = True
        while going and (job := self._jobs.get()) is not None:
            going = self._commit_group(job)

    def _commit_group(self, first: _Job) -> bool:
        """Run and commit what waits; False when the end was asked for."""
        begun = [first]
        going = True
        deadline = time.monotonic() + _SECONDS_A_COMMIT

        def following() -> _Job | None:
            nonlocal going
            if len(begun) >= _JOBS_A_COMMIT or time.monotonic() > deadline:
                return None
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return None
            if job is None:
                going = False
            else:
                begun.append(job)
            return job

        try:
            self._run(first, following)
        except _Void:
            # It was the fault of one of them: the others shall not pay for it.
            for each in begun:
                self._run_alone(each)
        except BaseException as fault:  # noqa: BLE001 - those who wait are told
            for each in begun:
                each.fails(fault)
        for each in begun:
            for attempt in range(_TRIES):
                if not _is_passing(each.trouble):
                    break
                time.sleep(_PAUSE_S * (attempt + 1) * random.uniform(0.5, 1))
                self._run_alone(each)
            each.tell()
        return going

    def _run(self, job: _Job | None, following: Callable[[], _Job | None]) -> None:
        """Run jobs in one transaction and commit it.

        Raises:
            _Void: nothing of it was kept, and each job can be run again.
        """
        with self._engine.begin() as tx:
            self._group = group = _Group(tx)
            try:
                while job is not None:
                    job.run()
                    group.end_part(keep=job.trouble is None)
                    job = following()
            finally:
                self._group = None

    def _run_alone(self, job: _Job) -> None:
        try:
            self._run(job, lambda: None)
        except _Void as void:
            gave_up = StorageError("the database gave up the transaction", next_command="mlwright doctor")
            job.fails(job.trouble or void.__cause__ or gave_up)
        except BaseException as fault:  # noqa: BLE001 - who waits is told
            job.fails(fault)


def _is_passing(trouble: BaseException | None) -> bool:
    """Whether another process was in the way, and will not be for long."""
    while trouble is not None:
        if isinstance(trouble, DBAPIError) and getattr(trouble.orig, "sqlstate", None) in _AGAIN:
            return True
        trouble = trouble.__cause__
    return False
