"""The processes that work at one job."""

import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from mlwright.errors import ModelError
from mlwright.stages.serving.batch.job import Done
from mlwright.stages.serving.batch.working import CORE_THREADS, ChunkWorker, Shift, Task, begin, do

_WORTH_A_PROCESS: Final = 16 << 20
"""Bytes of input. A process takes a second or two to begin."""


def workers_for(asked: int, size: int) -> int:
    """How many processes work at an input of so many bytes."""
    if asked:
        return asked
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, size // _WORTH_A_PROCESS))


class Crew:
    """Does tasks in several processes, or in this one where there is one worker."""

    def __init__(self, shift: Shift, workers: int) -> None:
        self._shift = shift
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._before = {name: os.environ.get(name) for name in CORE_THREADS}

    def results(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Done]]:
        """Each task with what came of it, as they get done. Tasks are taken as they are needed.

        Raises:
            ModelError: a process died.
            MlwrightError: what a task raised.
        """
        if self._workers == 1:
            worker = None
            for task in tasks:
                worker = worker or ChunkWorker(self._shift)
                yield task, worker.do(task)
            return
        flying: dict[Future[Done], Task] = {}
        waiting = iter(tasks)
        more = True
        while more or flying:
            while more and len(flying) < 2 * self._workers:
                begun = next(waiting, None)
                more = begun is not None
                if begun is not None:
                    flying[self._open().submit(do, begun)] = begun
            if not flying:
                return
            ended, _ = wait(flying, return_when=FIRST_COMPLETED)
            for future in ended:
                task = flying.pop(future)
                try:
                    yield task, future.result()
                except BrokenProcessPool as error:
                    raise ModelError(
                        "a process that scores has died",
                        where=f"{task.source.path}, rows from {task.chunk.start}",
                        why="the system may have ended it for want of memory",
                        next_command="the same command with --workers 1 goes on where it stopped",
                    ) from error

    def close(self) -> None:
        """Let the processes end; what is not begun is not done."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
            self._restore()

    def _open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            for name in CORE_THREADS:
                os.environ.setdefault(name, "1")
            # Threads of polars and OpenMP do not survive a fork.
            self._pool = ProcessPoolExecutor(
                self._workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=begin,
                initargs=(self._shift,),
            )
        return self._pool

    def _restore(self) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
