"""Inference processes that end by themselves are started again, slower and slower, and counted."""

import os
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from mlwright.doors.http.control.status import WorkerState
from mlwright.doors.up.workers import Workers
from mlwright.errors import Conflict


class Starter:
    """Stands for ``start_worker``: processes that do nothing, or the refusal that a test asks for."""

    def __init__(self) -> None:
        self.calls: list[bool] = []
        self.refuse = 0

    def __call__(self, *, siblings, log) -> "subprocess.Popen[str]":
        self.calls.append(siblings)
        if self.refuse:
            self.refuse -= 1
            raise Conflict("the inference process did not start", why="first line\nno memory left")
        with log.open("w") as said:
            script = "trap 'exit 0' TERM; echo 'RuntimeError: boom' >&2; while :; do sleep 0.05; done"
            return subprocess.Popen(["sh", "-c", script], stderr=said, stdin=subprocess.PIPE, text=True)


def until(what: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def starter() -> Starter:
    return Starter()


@pytest.fixture
def workers(tmp_path, starter):
    made = Workers(tmp_path / "logs", starter, number=2, first_wait_s=0.05)
    yield made
    made.stop()


def test_all_are_started_and_share_the_port(workers, starter) -> None:
    workers.start()
    assert starter.calls == [False, True]  # the second must not take the first for a stranger
    assert [each.state for each in workers.status()] == [WorkerState.SERVING] * 2
    assert len({each.pid for each in workers.status()}) == 2


def test_one_that_dies_is_started_again_and_counted(workers, starter) -> None:
    workers.start()
    first, second = workers.status()
    subprocess.run(["kill", "-9", str(first.pid)], check=True)
    until(lambda: workers.status()[0].restarts == 1 and workers.status()[0].state is WorkerState.SERVING)
    again, other = workers.status()
    assert again.pid != first.pid
    assert again.said == "RuntimeError: boom"
    assert other == second
    assert starter.calls == [False, True, True]


def test_one_that_cannot_start_again_is_tried_until_it_can(workers, starter) -> None:
    workers.start()
    starter.refuse = 2
    subprocess.run(["kill", "-9", str(workers.status()[0].pid)], check=True)
    until(lambda: workers.status()[0].said == "no memory left")
    until(lambda: workers.status()[0].state is WorkerState.SERVING)
    assert len(starter.calls) == 5
    assert workers.status()[0].restarts == 1


def test_a_first_start_that_fails_ends_those_that_did_start(workers, starter, tmp_path) -> None:
    started: list[subprocess.Popen[str]] = []
    original = starter.__call__

    def start(**named):
        if started:
            raise Conflict("the inference process did not start", why="the port is taken")
        started.append(original(**named))
        return started[0]

    made = Workers(tmp_path / "logs", start, number=2)
    with pytest.raises(Conflict, match="did not start"):
        made.start()
    assert started[0].returncode in (0, -signal.SIGTERM)
    assert [each.state for each in made.status()] == [WorkerState.STOPPED] * 2


def test_a_process_of_another_kind_has_a_log_of_its_own(tmp_path, starter) -> None:
    made = Workers(tmp_path / "logs", starter, number=1, kind="tracking")
    made.start()
    made.stop()
    assert (tmp_path / "logs" / "tracking-1.log").exists()


def test_the_end_is_not_taken_for_a_crash(workers, starter) -> None:
    workers.start()
    workers.stop()
    assert [(each.state, each.restarts) for each in workers.status()] == [(WorkerState.STOPPED, 0)] * 2
    assert len(starter.calls) == 2


def test_more_are_started_and_spare_ones_are_ended(workers, starter) -> None:
    workers.start()
    stays, leaves = workers.status()
    workers.resize(3)
    until(lambda: [each.state for each in workers.status()] == [WorkerState.SERVING] * 3)
    assert workers.status()[:2] == (stays, leaves)
    assert [each.number for each in workers.status()] == [1, 2, 3]
    workers.resize(1)
    until(lambda: len(workers.status()) == 1)
    assert workers.status() == (stays,)
    until(lambda: gone(leaves.pid))
    assert starter.calls == [False, True, True]


def test_none_at_all_and_back(workers, starter) -> None:
    workers.start()
    pids = [each.pid for each in workers.status()]
    workers.resize(0)
    until(lambda: workers.status() == () and all(map(gone, pids)))
    workers.resize(1)
    until(lambda: [each.state for each in workers.status()] == [WorkerState.SERVING])
    assert starter.calls == [False, True, False]  # nobody was left to share the port with
    assert workers.status()[0].restarts == 0


def test_the_end_waits_for_those_that_were_let_go(workers) -> None:
    workers.start()
    pids = [each.pid for each in workers.status()]
    workers.resize(0)
    until(lambda: workers.status() == ())
    workers.stop()
    assert all(map(gone, pids))


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
