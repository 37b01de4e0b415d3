import fcntl
import os
import resource
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.errors import StorageError
from mlwright.stages.serving.journal import Damage, Journal, encode_frame, iter_blocks, iter_frames


def files(folder: Path) -> list[Path]:
    return sorted((folder / "journal").glob("*.mlj"))


def read(path: Path) -> tuple[list[object], Damage]:
    damages: list[Damage] = []
    blocks = list(iter_blocks(path, report=damages.append))
    return blocks, damages[0]


def test_round_trip(kit, journal, tmp_path) -> None:
    first = kit.block("a", features={"x": [None, 1.5, 2], "origin": ["JFK", None, "LGA"], "late": [True] * 3})
    second = kit.block("b", variant="challenger", features={}, error="ValueError: no", served=[False] * 3)
    truth = kit.labels(["a.0", "a.1"], [1.0, 0.0])
    journal.append(first, second)
    journal.append(truth)
    at_labels, at_predictions = files(tmp_path)
    assert read(at_predictions) == ([first, second], Damage(end=at_predictions.stat().st_size))
    assert read(at_labels)[0] == [truth]
    assert at_predictions.name.split("-")[0] == "predictions"
    assert at_predictions.name.split("-")[2] == str(os.getpid())


def test_nothing_is_created_before_it_is_needed(journal, tmp_path) -> None:
    journal.roll()
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_roll_starts_a_new_file(kit, journal, tmp_path) -> None:
    journal.append(kit.block("a"))
    journal.roll()
    journal.append(kit.block("b"))
    assert [[each.prediction_ids[0] for each in iter_blocks(path)] for path in files(tmp_path)] == [
        ["a.0"],
        ["b.0"],
    ]


def test_rolls_by_itself(kit, clock, tmp_path) -> None:
    journal = Journal(tmp_path, clock, roll_bytes=len(encode_frame(kit.block("a"))) + 1)
    for request in "abcde":
        journal.append(kit.block(request))
    assert [len(list(iter_blocks(path))) for path in files(tmp_path)] == [2, 2, 1]


def test_lock_says_whether_the_writer_may_go_on(kit, journal, tmp_path) -> None:
    journal.append(kit.block("a"))
    with files(tmp_path)[0].open("rb") as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        journal.roll()
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_two_journals_of_one_process_do_not_share_a_file(kit, clock, tmp_path) -> None:
    one, two = Journal(tmp_path, clock), Journal(tmp_path, clock)
    one.append(kit.block("a"))
    two.append(kit.block("b"))
    one.append(kit.block("c"))
    assert [len(list(iter_blocks(path))) for path in files(tmp_path)] == [2, 1]


@pytest.mark.parametrize("cut", [1, 5, 11, 12, 13, 60])
def test_torn_tail(kit, journal, tmp_path, cut) -> None:
    """A death inside a write leaves the beginning of a frame: never acknowledged, ignored."""
    journal.append(kit.block("a"))
    journal.append(kit.block("b"))
    journal.close()
    path = files(tmp_path)[0]
    frame = encode_frame(kit.block("c"))
    with path.open("ab") as file:
        file.write(frame[:cut])
    blocks, damage = read(path)
    assert [each.prediction_ids[0] for each in blocks] == ["a.0", "b.0"]
    assert (damage.torn, damage.corrupt) == (True, 0)
    assert damage.end == path.stat().st_size - cut


@pytest.mark.parametrize("where", ["payload", "length", "magic", "checksum"])
def test_corrupt_frame_in_the_middle(kit, tmp_path, where) -> None:
    frames = [encode_frame(kit.block(request)) for request in "abcd"]
    at = {"payload": 40, "length": 5, "magic": 0, "checksum": 9}[where]
    spoiled = bytearray(frames[1])
    spoiled[at] ^= 0xFF
    path = tmp_path / "predictions-1-1-0000.mlj"
    path.write_bytes(frames[0] + spoiled + frames[2] + frames[3])
    blocks, damage = read(path)
    assert [each.prediction_ids[0] for each in blocks] == ["a.0", "c.0", "d.0"]
    assert (damage.torn, damage.corrupt) == (False, 1)


def test_zeroes_at_the_end_are_damage(kit, tmp_path) -> None:
    """A file system may leave them after a loss of power."""
    path = tmp_path / "predictions-1-1-0000.mlj"
    path.write_bytes(encode_frame(kit.block("a")) + bytes(4096))
    blocks, damage = read(path)
    assert len(blocks) == 1
    assert (damage.torn, damage.corrupt) == (False, 1)


def test_length_that_lies(kit, tmp_path) -> None:
    """A length of 4 GiB neither allocates nor hides what follows."""
    path = tmp_path / "predictions-1-1-0000.mlj"
    lie = b"MLJ1" + struct.pack("<II", 0xFFFFFFFF, 0)
    path.write_bytes(lie + encode_frame(kit.block("a")))
    blocks, damage = read(path)
    assert (len(blocks), damage.corrupt) == (1, 1)


@given(st.lists(st.binary(max_size=40), max_size=6), st.data())
def test_any_one_wrong_byte_costs_at_most_one_frame(payloads, data) -> None:
    def framed(payload: bytes) -> bytes:
        from zlib import crc32

        length = struct.pack("<I", len(payload))
        return b"MLJ1" + length + struct.pack("<I", crc32(payload, crc32(length))) + payload

    sound = b"".join(map(framed, payloads))
    assert list(iter_frames(sound, Damage())) == payloads
    if sound:
        at = data.draw(st.integers(0, len(sound) - 1))
        spoiled = bytearray(sound)
        spoiled[at] ^= data.draw(st.integers(1, 255))
        damage = Damage()
        kept = list(iter_frames(bytes(spoiled), damage))
        hit = next(i for i in range(len(payloads)) if at < sum(len(framed(p)) for p in payloads[: i + 1]))
        assert kept == payloads[:hit] + payloads[hit + 1 :]
        assert damage.corrupt + damage.torn == 1


def test_full_disk_refuses_and_leaves_no_half_frame(kit, journal, tmp_path) -> None:
    """The limit on file size stands for a full disk: part of the write succeeds, the rest does not."""
    journal.append(kit.block("a"))
    path = files(tmp_path)[0]
    before = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before + 20, hard))
        with pytest.raises(StorageError, match="cannot be written"):
            journal.append(kit.block("b"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert path.stat().st_size == before
    journal.append(kit.block("c"))
    assert [each.prediction_ids[0] for each in iter_blocks(path)] == ["a.0", "c.0"]


_WRITER = """
import sys
from pathlib import Path
from mlwright.model.predictions import LabelBlock
from mlwright.stages.serving.journal import Journal
from mlwright.testing.fakes.clock import ManualClock

journal = Journal(Path(sys.argv[1]), ManualClock())
number = 0
while True:
    journal.append(LabelBlock(endpoint="e", received_at=0, prediction_ids=[f"p{number}"], entity_keys=[],
                              labels=[1.0], observed_at=[0]))
    sys.stdout.write(f"p{number}\\n")
    sys.stdout.flush()
    number += 1
"""


def test_kill_9_loses_nothing_acknowledged(tmp_path, repository) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(repository / "src")},
    )
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(200)]
    writer.kill()
    acknowledged += [
        line.strip() for line in writer.stdout.read().splitlines(keepends=True) if line[-1] == "\n"
    ]
    writer.wait()
    writer.stdout.close()
    kept = [each.prediction_ids[0] for path in files(tmp_path) for each in iter_blocks(path)]
    assert kept[: len(acknowledged)] == acknowledged
    with files(tmp_path)[0].open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
