"""Counters that all processes share."""

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from mlwright.stages.serving import counters as names
from mlwright.stages.serving.counters import Counters
from mlwright.stages.serving.readings import DEAD, Reading, read_all, read_load, read_own
from mlwright.stages.serving.slots import COUNT, EACH, HISTOGRAM, Series, Slots, parse


def total(reading: Reading, name: str, **labels: str) -> float:
    """The total over all series of that name that have these labels; a histogram's counts."""
    found = 0.0
    for series, values in reading.totals.items():
        if series.name == name and labels.items() <= dict(series.labels).items():
            found += sum(values[:-1]) if series.kind == HISTOGRAM else values[0]
    return found


def fill(counters: Counters) -> None:
    counters.answered(2, 0.003)
    counters.answered(5, 0.3, 0.0004)
    counters.failed("ModelError")
    counters.rejected("queue")
    counters.degraded("default")
    counters.variant("champion", 4)
    counters.variant("champion", 3, 1)
    counters.labels(3)
    counters.flagged(2)
    counters.scored(7, (0.02, 0.01), 0.0003, 50.0)
    counters.holding(9, 2)
    counters.mode("inline")
    counters.mode("thread", moved=True)
    counters.route(4, [("champion", "m", "2")])
    counters.route(5, [("champion", "m", "3")])


EXPECTED = {
    names.REQUESTS: 4,
    names.ANSWERED_ROWS: 7,
    names.LATENCY: 3,
    names.ERRORS: 1,
    names.REJECTED: 1,
    names.DEGRADED: 1,
    names.ROWS: 7,
    names.VARIANT_ERRORS: 1,
    names.LABELS: 3,
    names.FLAGGED: 2,
    names.DROPPED: 0,
    names.QUEUE: 2,
    names.SCORING: 1,
    names.BATCH_ROWS: 1,
    names.MOVES: 1,
}


@pytest.mark.parametrize("shared", [False, True])
def test_each_call_is_counted_once(tmp_path: Path, shared: bool) -> None:
    slots = Slots(tmp_path if shared else None)
    counters = Counters("delay", slots)
    fill(counters)
    assert {name: counters[name] for name in EXPECTED} == EXPECTED
    assert counters[names.ERRORS, "ModelError"] == 1
    assert counters[names.ERRORS, "BadRequest"] == 0
    assert counters[names.GENERATION] == 5
    assert counters[names.MODE, "thread"] == 1
    assert counters[names.MODE, "inline"] == 0
    assert counters[names.MODEL, "3"] == 1
    assert counters[names.MODEL, "2"] == 0
    reading = read_all(tmp_path) if shared else read_own([slots])
    assert {name: total(reading, name, endpoint="delay") for name in EXPECTED} == EXPECTED
    latency = next(values for series, values in reading.totals.items() if series.name == names.LATENCY)
    assert [latency[0], latency[2], latency[8]] == [1, 1, 1], "0.4 ms, 3 ms and 300 ms"
    assert latency[-1] == pytest.approx(0.3034)
    [process] = reading.processes
    assert process.pid == os.getpid()
    slots.close()


def test_endpoints_are_apart() -> None:
    slots = Slots()
    one, other = Counters("one", slots), Counters("other", slots)
    one.answered(1, 0.1)
    one.failed("X")
    assert [other[names.REQUESTS], other[names.ERRORS]] == [0, 0]
    assert Counters("one", slots)[names.REQUESTS] == 2, "made again, it goes on counting"


def test_grows_by_a_file(tmp_path: Path) -> None:
    slots = Slots(tmp_path, size=100)
    for number in range(30):
        Counters(f"endpoint {number}", slots).labels(number)
    assert len(list(tmp_path.glob("*.mlm"))) > 5
    assert total(read_all(tmp_path), names.LABELS) == sum(range(30))
    assert len(read_all(tmp_path).processes) == 1
    slots.close()


def test_a_large_block_gets_a_file_that_takes_it() -> None:
    slots = Slots(size=4)
    wide = Series("wide", HISTOGRAM, (("text", "é" * 4000),), tuple(map(float, range(50))))
    block = slots.block(wide)
    block.counts[block.at[0] + 50] += 1
    assert slots.block(wide) is block
    assert dict(slots.read())[wide] == [0] * 50 + [1, 0.0]


CHILD = """
import sys
from pathlib import Path
from mlwright.stages.serving.counters import Counters
from mlwright.stages.serving.slots import Slots
counters = Counters("delay", Slots(Path(sys.argv[1])))
counters.answered(3, 0.01)
counters.holding(7, 5)
print("ready", flush=True)
sys.stdin.read()
"""


def test_the_dead_still_count(tmp_path: Path) -> None:
    """A living process's gauges count as well; one killed leaves its totals, and no file."""
    slots = Slots(tmp_path)
    Counters("delay", slots).answered(1, 0.01)
    for round in (1, 2):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout
            assert child.stdout.readline() == b"ready\n"
            reading = read_all(tmp_path)
            assert total(reading, names.REQUESTS) == 1 + round
            assert total(reading, names.IN_FLIGHT) == 7
            assert {each.pid for each in reading.processes} == {os.getpid(), child.pid}
            load = read_load(tmp_path)
            assert [each.waiting_rows for each in load.processes if each.pid == child.pid] == [5]
            child.kill()
        for _ in range(2):
            reading = read_all(tmp_path)
            assert total(reading, names.REQUESTS) == 1 + round
            assert total(reading, names.IN_FLIGHT) == 0
            assert [each.pid for each in reading.processes] == [os.getpid()]
            assert len(list(tmp_path.glob("*.mlm"))) == 1
    slots.close()
    assert total(read_all(tmp_path), names.REQUESTS) == 3, "closed is as good as dead"
    assert not list(tmp_path.glob("*.mlm"))


def test_dying_between_adding_and_removing_counts_once(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    Counters("delay", slots).answered(1, 0.01)
    slots.close()
    [path] = tmp_path.glob("*.mlm")
    data = path.read_bytes()
    assert total(read_all(tmp_path), names.REQUESTS) == 1
    path.write_bytes(data)
    assert total(read_all(tmp_path), names.REQUESTS) == 1
    assert not path.exists()


def test_readers_at_the_same_time(tmp_path: Path) -> None:
    """Whoever reads while others add the dead sees each count once."""
    for _ in range(20):
        slots = Slots(tmp_path)
        Counters("delay", slots).labels(1)
        slots.close()
    seen: list[float] = []
    threads = [
        Thread(target=lambda: seen.extend(total(read_all(tmp_path), names.LABELS) for _ in range(5)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [20.0] * 20


def test_other_files_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "12-34.mlm").write_bytes(b"")
    (tmp_path / "12-35.mlm").write_bytes(b"no such thing, however long it may be")
    (tmp_path / "notes.mlm").write_text("x")
    (tmp_path / DEAD).write_text("{")
    assert read_all(tmp_path) == Reading()
    assert read_all(tmp_path / "missing") == Reading()
    assert read_load(tmp_path / "missing").busy == 0.0
    with pytest.raises(ValueError, match="no file of counters"):
        list(parse(memoryview(b"MLM1")))


def test_a_folder_that_cannot_be_written_is_said_and_does_no_harm(tmp_path: Path, caplog) -> None:
    (tmp_path / "file").write_text("")
    counters = Counters("delay", Slots(tmp_path / "file" / "metrics"))
    counters.answered(1, 0.1)
    assert counters[names.REQUESTS] == 1
    assert "not shared" in caplog.text


def test_dead_totals_are_plain_json(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    slots.block(Series("a", COUNT), Series("b", EACH)).counts[0] += 3
    slots.close()
    read_all(tmp_path)
    assert json.loads((tmp_path / DEAD).read_text())["series"] == [["a", "count", [], [], [3]]]


class TestLoad:
    def load(self, folder: Path, now: float):
        [process] = read_load(folder, now).processes
        return process

    def test_over_the_last_second(self, tmp_path: Path) -> None:
        slots = Slots(tmp_path)
        counters = Counters("delay", slots)
        for tenth in range(20):  # from 1000.0 to 1001.9: one batch of two each tenth
            counters.scored(2, (0.02, 0.01), 0.05, 1000.0 + tenth / 10 + 0.001)
        load = self.load(tmp_path, 1001.95)
        assert load.busy == pytest.approx(0.5, rel=0.1)
        assert load.requests_s == pytest.approx(20, rel=0.1)
        assert load.concurrency == pytest.approx(1.3, rel=0.1), "0.13 s for two requests, ten times a second"
        assert load.last_request == pytest.approx(1001.901)
        assert self.load(tmp_path, 1002.5).busy == pytest.approx(0.25, rel=0.1), "half of the second was idle"
        idle = self.load(tmp_path, 1004.0)
        assert (idle.busy, idle.requests_s, idle.concurrency, idle.cpu) == (0.0, 0.0, 0.0, 0.0)
        assert idle.last_request == pytest.approx(1001.901)
        counters.scored(1, (0.0,), 0.1, 1010.2)
        assert self.load(tmp_path, 1010.3).busy == pytest.approx(0.1), "what was long ago is forgotten"
        slots.close()

    def test_a_process_that_never_answered(self, tmp_path: Path) -> None:
        slots = Slots(tmp_path)
        Counters("delay", slots).holding(4, 3)
        load = read_load(tmp_path)
        assert load.last_request is None
        assert load.waiting_rows == 3
        assert (load.busy, load.concurrency, load.requests_s) == (0.0, 0.0, 0.0)
        slots.close()
