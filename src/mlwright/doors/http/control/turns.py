"""The one thread in which the loop is turned, by itself and when somebody asks.

Retraining, judging a rollout and watching change the same state; one after the other they need no further rule about
who may do what at the same time. What is asked for waits for the turn that is under way.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from time import monotonic
from typing import Final, TypeVar

from mlwright.doors.http.control.looks import Looks
from mlwright.doors.http.control.status import TurnStatus
from mlwright.errors import Conflict, MlwrightError
from mlwright.platform.facade import Platform, Tick

T = TypeVar("T")

_log: Final = logging.getLogger("mlwright.turns")


class Turns:
    """Turns the loop every ``every_s`` seconds (never by itself where that is None), and does what is asked."""

    def __init__(self, platform: Platform, looks: Looks, *, every_s: float | None = None) -> None:
        self.looks = looks
        self._platform = platform
        self._every_s = every_s
        self._asked: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._stopping = Event()
        self._lock = Lock()
        self._status = TurnStatus(every_s=every_s, turns=0, failures=0, last=None, doing=None, error=None)
        # A retraining may take hours and cannot be interrupted; it must not keep the process alive.
        self._thread = Thread(target=self._run, name="turns", daemon=True)

    @property
    def status(self) -> TurnStatus:
        """How it goes."""
        with self._lock:
            return self._status

    def start(self) -> None:
        """Begin; the first turn is taken at once."""
        self._thread.start()

    def stop(self, wait_s: float = 10.0) -> bool:
        """Take no further turn and refuse what waits; returns whether the work under way ended in time.

        What did not end in time is left: an interrupted run is marked as killed at the next start, and its finished
        steps are used again, but for those that return a model.
        """
        self._stopping.set()
        self._asked.put(lambda: None)
        if self._thread.is_alive():
            self._thread.join(wait_s)
        return not self._thread.is_alive()

    def ask(self, what: str, call: Callable[[], T]) -> "Future[T]":
        """Have something done in the thread, after what is under way; ``what`` is shown meanwhile."""
        future: Future[T] = Future()

        def work() -> None:
            if self._stopping.is_set():
                future.set_exception(Conflict("mlwright up is ending", next_command="mlwright up"))
            elif future.set_running_or_notify_cancel():
                self._do(what, call, future)

        self._asked.put(work)
        return future

    def turn(self) -> tuple[Tick, ...]:
        """One turn of the loop; call it in the thread, by :meth:`ask`."""
        try:
            turns = self._platform.tick()
            self.looks.look()
        except Exception as error:
            self._failed(error)
            raise
        finally:
            # What was read for a retraining is old at the next turn, and large.
            self._platform.data.forget()
        self._note(turns=self.status.turns + 1, last=self._platform.parts.clock.now(), error=None)
        return turns

    def _run(self) -> None:
        due = monotonic()
        while not self._stopping.is_set():
            try:
                wait = None if self._every_s is None else max(0.0, due - monotonic())
                self._asked.get(timeout=wait)()
            except Empty:
                self._do("turning the loop", self.turn, Future())
                due = monotonic() + (self._every_s or 0.0)
        while not self._asked.empty():
            self._asked.get()()

    def _do(self, what: str, call: Callable[[], T], future: "Future[T]") -> None:
        self._note(doing=what)
        try:
            done = call()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next turn may succeed; who asked is told
            self._note(
                doing=None
            )  # before the answer: who has it and looks must not see the work as under way
            future.set_exception(error)
        else:
            self._note(doing=None)
            future.set_result(done)

    def _failed(self, error: Exception) -> None:
        known = isinstance(error, MlwrightError)
        _log.error("the turn failed: %s", error, exc_info=None if known else error)
        said = str(error).splitlines()[0] if known and str(error) else f"{type(error).__name__}: {error}"
        self._note(failures=self.status.failures + 1, error=said)

    def _note(self, **news: object) -> None:
        with self._lock:
            self._status = replace(self._status, **news)  # type: ignore[arg-type]  # names are checked there
