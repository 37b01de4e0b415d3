"""The processes beside the control process: started together, started again when one ends by itself."""

import logging
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from typing import Final, Protocol

from mlwright.doors.http.control.status import WorkerState, WorkerStatus
from mlwright.doors.up.processes import stop
from mlwright.errors import MlwrightError

_log: Final = logging.getLogger("mlwright.up")

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
_HEALTHY_S: Final = 60.0
"""A worker that served so long starts the waits from the beginning."""


class Start(Protocol):
    """Starts one process and waits until it serves."""

    def __call__(self, *, siblings: bool, log: Path) -> "subprocess.Popen[str]":
        """
        Args:
            siblings: others of its kind are there already.
            log: where its standard error is kept.

        Raises:
            Conflict: it ended instead.
        """


@dataclass(slots=True)
class _Worker:
    number: int
    log: Path
    wait_s: float
    process: "subprocess.Popen[str] | None" = None
    state: WorkerState = WorkerState.STARTING
    restarts: int = 0
    said: str = ""
    began: float = 0.0
    again_at: float = 0.0


class Workers:
    """Keeps ``number`` processes of one kind alive; the number may change while they serve."""

    def __init__(
        self,
        logs: Path,
        start: Start,
        *,
        number: int,
        first_wait_s: float = FIRST_WAIT_S,
        kind: str = "inference",
    ) -> None:
        self._logs = logs
        self._start = start
        self._first_wait_s = first_wait_s
        self._kind = kind
        self._lock = Lock()
        self._stopping = Event()
        self._wanted = number
        self._leaving: list[Thread] = []
        self._workers = [self._new(each) for each in range(1, number + 1)]
        self._thread = Thread(target=self._follow, name=f"{kind} processes", daemon=True)
        logs.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Start all and wait until each serves; from then on they are watched.

        Raises:
            Conflict: one did not start; those that did are ended again.
        """
        try:
            for at, worker in enumerate(self._workers):
                self._launch(worker, siblings=at > 0)
        except MlwrightError:
            self.stop()
            raise
        self._thread.start()

    def resize(self, number: int) -> None:
        """Have so many from now on: what is missing is started, what is too many answers what it has begun and ends."""
        self._wanted = number

    def stop(self) -> None:
        """End all: each answers what it has begun to answer."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        for leaving in self._leaving:
            leaving.join()
        enders = [
            Thread(target=stop, args=(worker.process,))
            for worker in self._workers
            if worker.process is not None
        ]
        for each in enders:
            each.start()
        for each in enders:
            each.join()
        for worker in self._workers:
            self._note(worker, WorkerState.STOPPED)

    def status(self) -> tuple[WorkerStatus, ...]:
        """How each is."""
        with self._lock:
            return tuple(
                WorkerStatus(
                    number=each.number,
                    state=each.state,
                    pid=each.process.pid if each.process else None,
                    restarts=each.restarts,
                    said=each.said,
                )
                for each in self._workers
            )

    def _follow(self) -> None:
        while not self._stopping.wait(0.05 if self._wanted > len(self._workers) else 0.2):
            self._fit()
            for worker in self._workers:
                self._look_at(worker)

    def _fit(self) -> None:
        self._leaving = [each for each in self._leaving if each.is_alive()]
        with self._lock:
            taken = {each.number for each in self._workers}
            free = (number for number in count(1) if number not in taken)
            while len(self._workers) < self._wanted:
                self._workers.append(self._new(next(free)))
            spare = self._workers[self._wanted :]
            del self._workers[self._wanted :]
        for worker in spare:
            if worker.process is not None:
                leaving = Thread(target=stop, args=(worker.process,), daemon=True)
                leaving.start()
                self._leaving.append(leaving)

    def _new(self, number: int) -> _Worker:
        name = "worker" if self._kind == "inference" else self._kind
        return _Worker(number, self._logs / f"{name}-{number}.log", self._first_wait_s)

    def _look_at(self, worker: _Worker) -> None:
        if worker.process is not None and worker.process.poll() is not None:
            self._ended(worker, worker.process)
        if worker.process is None and monotonic() >= worker.again_at and not self._stopping.is_set():
            try:
                self._launch(worker, siblings=len(self._workers) > 1 or worker.restarts > 0)
            except MlwrightError as error:
                self._wait(worker, error.why or error.what)

    def _ended(self, worker: _Worker, process: "subprocess.Popen[str]") -> None:
        said = _last_words(worker.log) or f"ended with {process.returncode}"
        _log.error("%s process %d (pid %d) ended: %s", self._kind, worker.number, process.pid, said)
        stop(process)
        if monotonic() - worker.began >= _HEALTHY_S:
            worker.wait_s = self._first_wait_s
        worker.process = None
        worker.restarts += 1
        self._wait(worker, said)

    def _wait(self, worker: _Worker, said: str) -> None:
        worker.said = said.strip().splitlines()[-1][:300] if said.strip() else ""
        worker.again_at = monotonic() + worker.wait_s
        worker.wait_s = min(2 * worker.wait_s, LONGEST_WAIT_S)
        self._note(worker, WorkerState.WAITING)

    def _launch(self, worker: _Worker, *, siblings: bool) -> None:
        self._note(worker, WorkerState.STARTING)
        process = self._start(siblings=siblings, log=worker.log)
        worker.began = monotonic()
        worker.process = process
        self._note(worker, WorkerState.SERVING)

    def _note(self, worker: _Worker, state: WorkerState) -> None:
        with self._lock:
            worker.state = state


def _last_words(log: Path) -> str:
    with suppress(OSError):
        return log.read_text(errors="replace").strip()
    return ""
