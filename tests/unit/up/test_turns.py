"""The thread that turns the loop: failures are told and survived, requests wait their turn."""

import threading
import time

import pytest

from mlwright.doors.http.control.looks import Looks
from mlwright.doors.http.control.turns import Turns
from mlwright.errors import Conflict, NotFound
from mlwright.wiring.project import close, open_platform


@pytest.fixture
def platform(project):
    opened = open_platform(project)
    yield opened
    close(opened)


def until(what, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_the_loop_turns_by_itself(platform) -> None:
    turns = Turns(platform, Looks(platform), every_s=0.05)
    turns.start()
    until(lambda: turns.status.turns >= 3)
    assert turns.stop()
    assert turns.status.failures == 0
    assert turns.looks.seen.contracts[0].passed
    assert platform.data._loaded == {}  # what was read is given back after each turn


def test_a_turn_that_fails_is_told_and_tried_again(platform, monkeypatch, caplog) -> None:
    tick, failing = platform.tick, [NotFound("no model is named 'x'"), ZeroDivisionError("oops")]

    def moody():
        if failing:
            raise failing.pop(0)
        return tick()

    monkeypatch.setattr(platform, "tick", moody)
    seen = []
    turns = Turns(platform, Looks(platform), every_s=0.05)
    turns.start()
    until(lambda: seen.append(turns.status.error) or turns.status.turns >= 1)
    assert turns.stop()
    assert turns.status.failures == 2
    assert turns.status.error is None
    assert {"no model is named 'x'", "ZeroDivisionError: oops"} & set(seen)
    assert "Traceback" in caplog.text  # of the unexpected one


def test_requests_are_done_one_after_the_other(platform) -> None:
    turns = Turns(platform, Looks(platform))
    busy, most = [], []

    def work(number: int) -> int:
        busy.append(number)
        most.append(len(busy))
        time.sleep(0.01)
        busy.remove(number)
        return number

    turns.start()
    futures = [turns.ask("work", lambda number=number: work(number)) for number in range(8)]
    assert [each.result(10) for each in futures] == list(range(8))
    assert max(most) == 1
    with pytest.raises(ZeroDivisionError):
        turns.ask("fail", lambda: 1 / 0).result(10)
    assert turns.ask("go on", lambda: "well").result(10) == "well"
    assert turns.stop()


def test_the_end_refuses_what_waits_and_does_not_wait_for_ever(platform) -> None:
    turns = Turns(platform, Looks(platform))
    turns.start()
    reached, go_on = threading.Event(), threading.Event()
    under_way = turns.ask("retraining", lambda: (reached.set(), go_on.wait(20)))
    waiting = turns.ask("tick", turns.turn)
    assert reached.wait(10)
    assert turns.stop(wait_s=0.05) is False
    go_on.set()
    under_way.result(10)
    with pytest.raises(Conflict, match="ending"):
        waiting.result(10)
