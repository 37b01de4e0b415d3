import fcntl
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.errors import Overloaded, StorageError
from mlwright.stages.serving.journal import Journal, encode_frame, iter_blocks
from mlwright.stages.serving.log import PredictionLog
from mlwright.stages.serving.ring import RingJournal
from mlwright.stages.serving.ringfile import RingFile, remove, shared_folder
from mlwright.stages.serving.rings import dropped_rows, ring_states

NEVER = 3600.0


@pytest.fixture
def ring(tmp_path, clock):
    """A journal that drains only when told to."""
    ring = RingJournal(tmp_path, clock, drain_s=NEVER)
    yield ring
    ring.close()


def ids(log: PredictionLog) -> list[str]:
    return sorted(log.predictions(None)["prediction_id"])


def journals(folder: Path) -> list[Path]:
    return sorted((folder / "journal").glob("*.mlj"))


def left_behind(folder: Path, clock, *blocks) -> None:
    """A ring as a process leaves it that is killed: full of what was acknowledged, and nobody holds its lock."""
    ring = RingFile.create(folder / "ring", f"{len(list(folder.rglob('*.ring')))}-77", 1 << 16, None)
    for block in blocks:
        assert ring.put(encode_frame(block), 0)
    ring.close()


def test_nothing_is_created_before_it_is_needed(ring, tmp_path) -> None:
    ring.roll()
    assert list(tmp_path.iterdir()) == []


def test_readers_see_what_no_file_has_yet(kit, ring, log, tmp_path) -> None:
    ring.append(kit.block("a"), kit.block("a", variant="challenger", features={}))
    ring.append(kit.labels(["a.0"], [1.0]))
    assert [path.name.split("-")[0] for path in journals(tmp_path)] == ["labels"]
    assert len(ids(log)) == 6
    assert log.features(None)["x"].to_list() == [0.0, 1.0, 2.0]
    assert log.labels(None)["label"].to_list() == [1.0]
    assert log.compact().rings == 0
    assert log.rings()[0].waiting > 0
    ring.drain()
    assert log.rings()[0].waiting == 0
    assert len(ids(log)) == 6


def test_drained_by_itself(kit, clock, tmp_path) -> None:
    ring = RingJournal(tmp_path, clock, drain_s=0.01)
    ring.append(kit.block("a"))
    for _ in range(500):
        if journals(tmp_path) and journals(tmp_path)[0].stat().st_size:
            break
        time.sleep(0.01)
    assert len(list(iter_blocks(journals(tmp_path)[0]))) == 1
    ring.close()


def test_a_quarter_full_is_drained_at_once(kit, clock, tmp_path) -> None:
    block = kit.block("a")
    ring = RingJournal(tmp_path, clock, drain_s=NEVER, bytes=8 * len(encode_frame(block)))
    for _ in range(200):
        ring.append(block)
        time.sleep(0.0005)
    assert ring.dropped < 200
    ring.close()
    assert sum(len(list(iter_blocks(path))) for path in journals(tmp_path)) == 200 - ring.dropped // 3


def test_closing_leaves_a_journal_and_no_ring(kit, ring, log, tmp_path) -> None:
    ring.append(kit.block("a"))
    ring.close()
    assert list((tmp_path / "ring").iterdir()) == []
    assert log.compact().rows == 3
    ring.append(kit.block("b"))
    assert len(ids(log)) == 6


def test_little_used_it_stays_on_its_first_page(kit, ring, tmp_path) -> None:
    for request in range(50):
        ring.append(kit.block(f"r{request}"))
        ring.drain()
    [path] = (tmp_path / "ring").glob("*.ring")
    first = encode_frame(kit.block("r0"))
    look = RingFile.open(path)
    assert look is not None
    assert look.head % look.capacity == 0
    assert look.head // look.capacity == 50
    assert not any(look.between(look.head + len(first) + 10, look.head + 1 << 16)[0][: 1 << 12])
    look.close()


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(64, 100), st.data())
def test_ring_is_a_queue(tmp_path_factory, sizes, capacity, data) -> None:
    folder = tmp_path_factory.mktemp("ring")
    ring = RingFile.create(folder, "1-1", capacity // 8 * 8, None)
    expected, tail = b"", 0
    for number, size in enumerate(sizes, start=1):
        frame = bytes([number]) * size
        room = ring.capacity - len(expected)
        level = ring.put(frame, tail)
        assert level == (len(expected) + size if size <= room else 0)
        expected += frame if level else b""
        look = RingFile.open(ring.path)
        assert look is not None
        assert look.pending() == expected
        look.close()
        if data.draw(st.booleans()) and expected:
            assert b"".join(ring.between(tail, ring.head)) == expected
            ring.taken(ring.head)
            tail, expected = ring.rewind(), b""
    ring.close()


def test_full_ring_drops_and_counts(kit, clock, tmp_path, log, monkeypatch) -> None:
    frame = encode_frame(kit.block("a"))
    ring = RingJournal(tmp_path, clock, drain_s=NEVER, bytes=5 * len(frame) + 8)
    monkeypatch.setattr(Journal, "take", _no_room)
    for request, lost in zip("abcdefg", (0, 0, 0, 0, 0, 3, 6), strict=True):
        ring.append(kit.block(request))
        assert ring.dropped == lost
    with pytest.raises(Overloaded, match="cannot log"):
        ring.append(kit.block("h"), refuse=True)
    assert ring.dropped == 6
    assert log.dropped() == {"delay": 6}
    assert not ring.drain()
    assert ring.error == "no space"
    assert log.rings()[0].trouble == "no space"
    assert len(ids(log)) == 15
    monkeypatch.undo()
    assert ring.drain()
    assert (ring.error, log.rings()[0].trouble) == (None, None)
    ring.append(kit.block("i"), refuse=True)
    assert len(ids(log)) == 18
    ring.close()
    assert log.compact().rings == 1  # its count outlives it
    assert log.dropped() == {"delay": 6}
    assert log.compact().rings == 0
    assert len(ids(log)) == 18


def test_full_disk_at_the_end_keeps_the_ring(kit, ring, tmp_path, log, monkeypatch) -> None:
    monkeypatch.setattr(Journal, "take", _no_room)
    ring.append(kit.block("a"))
    ring.close()
    assert len(ids(log)) == 3
    monkeypatch.undo()
    assert log.compact().rings == 1
    assert len(ids(log)) == 3
    assert list((tmp_path / "ring").iterdir()) == []


def test_without_room_for_a_ring_nothing_is_lost(kit, clock, tmp_path, log, monkeypatch) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    ring = RingJournal(tmp_path, clock)
    ring.append(kit.block("a"))
    assert "No space left" in (ring.error or "")
    assert list((tmp_path / "ring").iterdir()) == []
    assert len(ids(log)) == 3
    ring.close()


def test_block_as_large_as_the_ring(kit, clock, tmp_path, log) -> None:
    ring = RingJournal(tmp_path, clock, bytes=4096)
    ring.append(kit.block("a", 500))
    ring.append(kit.block("b", 3))
    assert (len(ids(log)), ring.dropped) == (503, 0)
    ring.close()


def test_more_endpoints_than_there_are_places_to_count(tmp_path) -> None:
    ring = RingFile.create(tmp_path, "1-1", 64, None)
    for number in range(40):
        ring.notes.drop(f"endpoint-{number:02d}", 2)
    ring.notes.drop("endpoint-03", 5)
    counted = ring.notes.dropped
    assert counted["endpoint-03"] == 7
    assert counted[""] == 2 * 11
    assert sum(counted.values()) == 85
    ring.close()


def test_what_the_dead_left_is_taken_over_once(kit, clock, tmp_path, log) -> None:
    left_behind(tmp_path, clock, kit.block("a"), kit.block("b"))
    assert len(ids(log)) == 6
    report = log.compact()
    assert (report.rings, report.journals, report.rows, report.corrupt) == (1, 1, 6, 0)
    assert len(ids(log)) == 6
    assert log.compact().rings == 0


def test_death_while_taking_over_doubles_nothing(kit, clock, tmp_path, log, monkeypatch) -> None:
    left_behind(tmp_path, clock, kit.block("a"))
    monkeypatch.setattr("mlwright.stages.serving.rings.remove", _killed)
    with pytest.raises(KeyboardInterrupt):
        log.compact()
    assert len(journals(tmp_path)) == 1
    assert ids(log) == ["a.0", "a.1", "a.2"]
    with pytest.raises(KeyboardInterrupt):
        log.compact()
    monkeypatch.undo()
    log.compact()
    log.compact()
    assert ids(log) == ["a.0", "a.1", "a.2"]
    assert not list(tmp_path.rglob("*.ring"))


def test_a_count_is_kept_while_its_ring_is_taken_over(kit, clock, tmp_path, log) -> None:
    """Whoever sums it meanwhile never sees less: for Prometheus that would be a restart."""
    ring = RingFile.create(tmp_path / "ring", "1-77", 1 << 16, None)
    ring.notes.drop("delay", 6)
    ring.close()
    before = ring_states(tmp_path)
    assert dropped_rows(tmp_path, before) == {"delay": 6}
    assert log.compact().rings == 1
    assert dropped_rows(tmp_path, before) == {"delay": 6}
    assert dropped_rows(tmp_path, ring_states(tmp_path)) == {"delay": 6}


def test_living_rings_are_left_alone(kit, ring, clock, tmp_path, log) -> None:
    ring.append(kit.block("a"))
    left_behind(tmp_path, clock, kit.block("b"))
    assert log.compact(keep_open=lambda pid: pid == 77).rings == 0
    assert log.compact().rings == 1
    assert len(ids(log)) == 6
    assert len(log.rings()) == 1


def test_files_that_are_no_ring(kit, tmp_path, log) -> None:
    folder = tmp_path / "ring"
    folder.mkdir()
    (folder / "1-1-0.ring").write_bytes(b"")  # killed between making the file and its pages
    (folder / "2-1-0.ring").write_bytes(bytes(8192))
    (folder / "3-1-0.ring").symlink_to(tmp_path / "gone")  # the machine was started again
    assert ids(log) == []
    assert log.rings() == ()
    log.compact()
    assert list(folder.iterdir()) == []


def test_spoiled_bytes_in_a_ring_cost_their_frame_only(kit, clock, tmp_path, log) -> None:
    left_behind(tmp_path, clock, kit.block("a"), kit.block("b"), kit.block("c"))
    [path] = (tmp_path / "ring").glob("*.ring")
    with path.open("r+b") as file:
        file.seek(4096 + len(encode_frame(kit.block("a"))) + 40)
        file.write(b"\xff")
    assert {each[0] for each in ids(log)} == {"a", "c"}
    report = log.compact()
    assert (report.corrupt, len(report.quarantined)) == (1, 1)
    assert {each[0] for each in ids(log)} == {"a", "c"}


def test_ring_in_shared_memory_is_found_by_its_link(kit, tmp_path, log) -> None:
    memory = tmp_path / "memory"
    memory.mkdir()
    ring = RingFile.create(tmp_path / "ring", "5-77", 4096, memory)
    ring.put(encode_frame(kit.block("a")), 0)
    assert ring.path.is_symlink()
    assert len(list(memory.iterdir())) == 1
    with ring.path.open("rb") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    ring.close()
    assert len(ids(log)) == 3
    assert log.compact().rings == 1
    assert list(memory.iterdir()) == []
    assert not ring.path.is_symlink()
    remove(ring.path)


def test_shared_memory_is_not_used_where_it_ends_with_the_process(monkeypatch) -> None:
    monkeypatch.setenv("container", "podman")
    assert shared_folder(1) is None
    monkeypatch.delenv("container")
    monkeypatch.setattr("mlwright.stages.serving.ringfile._CONTAINER", ())
    assert shared_folder(1 << 60) is None


_WRITER = """
import sys
import time
from pathlib import Path
from mlwright.errors import Overloaded
from mlwright.stages.serving.blocks import PredictionBlock
from mlwright.stages.serving.ring import RingJournal
from mlwright.testing.fakes.clock import ManualClock

folder, life = Path(sys.argv[1]), sys.argv[2]
ring = RingJournal(folder, ManualClock(), bytes=1 << 16, drain_s=0.002, roll_bytes=1 << 18)
number = 0
while True:
    id = f"{life}-{number}"
    block = PredictionBlock(endpoint="e", variant="champion", model_version="m/1", generation=1, logged_at=number,
                            latency_us=1, prediction_ids=[id], entity_keys=[], event_times=[], served=[],
                            scores=[float(number)], matrix=bytes(8 * (number % 20 + 1)),
                            names=tuple(f"x{i}" for i in range(number % 20 + 1)))
    try:
        ring.append(block, refuse=True)
    except Overloaded:
        time.sleep(0.0005)
        continue
    sys.stdout.write(id + "\\n")
    sys.stdout.flush()
    number += 1
"""


def test_kill_9_loses_nothing_acknowledged(tmp_path, repository, log) -> None:
    """Several lives, each ended at random, with compaction and readers between and beside them."""
    acknowledged: list[str] = []
    dice = random.Random(5)
    for life in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path), str(life)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(repository / "src")},
        )
        assert writer.stdout is not None
        said = b"".join(writer.stdout.readline() for _ in range(dice.randint(1, 1500)))
        if dice.random() < 0.5:
            log.compact()
        seen = set(log.predictions(None)["prediction_id"])
        assert set(said.decode().split()) <= seen
        assert writer.poll() is None
        writer.kill()
        said += writer.stdout.read()
        writer.wait()
        writer.stdout.close()
        acknowledged += [
            line.decode().strip() for line in said.splitlines(keepends=True) if line[-1:] == b"\n"
        ]
        if dice.random() < 0.5:
            log.compact()
        kept = log.predictions(None)
        assert kept["prediction_id"].is_unique().all()
        assert set(acknowledged) <= set(kept["prediction_id"])
    report = log.compact()
    kept = log.predictions(None)
    assert set(acknowledged) <= set(kept["prediction_id"])
    assert kept["prediction_id"].is_unique().all()
    assert kept["score"].to_list() == [float(each.split("-")[1]) for each in kept["prediction_id"]]
    assert not list(tmp_path.rglob("*.ring"))
    assert report.corrupt == 0


def _no_room(*_: object) -> None:
    raise StorageError("the prediction log cannot be written", why="no space")


def _killed(*_: object) -> None:
    raise KeyboardInterrupt
