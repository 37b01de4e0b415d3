"""TensorBoard's event files: every way to write a number, plugins, damage."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.adapters.moving.tensorboard.events import event_of, masked_crc, records
from mlwright.adapters.moving.tensorboard.opening import open_tensorboard
from mlwright.errors import ServerUnavailable
from mlwright.model.tracking import RunStatus
from mlwright.testing.fakes.foreign_files import STARTED_S, event, event_file, field, plugin, scalar


def write(place: Path, *events: bytes, name: str = "events.out.tfevents.1.vm") -> Path:
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_bytes(event_file(events))
    return place / name


def values(place: Path) -> dict[str, list[float]]:
    store = open_tensorboard(place)
    return {each.key: each.values.tolist() for run in store.runs() for each in store.histories(run.id)}


def test_checksum_is_castagnolis() -> None:
    # RFC 3720, B.4: 32 zero bytes have the checksum 0x8a9136aa.
    crc = (masked_crc(b"\0" * 32) - 0xA282EAD8) & 0xFFFFFFFF
    assert (crc << 15 | crc >> 17) & 0xFFFFFFFF == 0x8A9136AA


TENSORS = {
    "float": field(1, 1) + field(5, struct.pack("<f", 0.5)),
    "double": field(1, 2) + field(2, b"") + field(6, struct.pack("<d", 0.25)),
    "content": field(1, 1) + field(4, struct.pack("<f", 1.5)),
    "half": field(1, 19) + field(4, np.float16(2.0).tobytes()),
    "int": field(1, 3) + field(7, b"\x07"),
    "long": field(1, 9) + field(10, -4),
    "zero": field(1, 1) + field(2, b""),
    "one": field(1, 1) + field(2, field(2, field(1, 1))) + field(4, struct.pack("<f", 3.0)),
}


def test_tensors_with_one_number_are_scalars(tmp_path: Path) -> None:
    write(tmp_path, *(event(0, plugin(tag, "scalars") + field(8, tensor)) for tag, tensor in TENSORS.items()))
    assert values(tmp_path) == {
        "float": [0.5],
        "double": [0.25],
        "content": [1.5],
        "half": [2.0],
        "int": [7.0],
        "long": [-4.0],
        "zero": [0.0],
        "one": [3.0],
    }


def test_only_the_first_value_of_a_tag_names_its_plugin(tmp_path: Path) -> None:
    picture = field(8, field(1, 7) + field(8, b"\x89PNG"))
    write(tmp_path, event(0, plugin("a", "images") + picture), event(1, field(1, "a") + picture))
    store = open_tensorboard(tmp_path)
    (run,) = store.runs()
    assert list(store.files(run.id)) == []
    assert list(store.histories(run.id)) == []
    assert [note.what for note in store.left_out()] == ["image a"]


def test_what_is_not_carried_is_said(tmp_path: Path) -> None:
    many = plugin("v", "scalars") + field(
        8, field(1, 1) + field(2, field(2, field(1, 2))) + field(4, b"\0" * 8)
    )
    write(
        tmp_path,
        event(0, field(1, "h") + field(5, b"")),
        event(0, field(1, "i") + field(4, b"")),
        event(0, field(1, "s") + field(6, b"")),
        event(0, many),
        field(1, 1.0) + field(4, b"graph"),
    )
    store = open_tensorboard(tmp_path)
    (run,) = store.runs()
    assert list(store.histories(run.id)) == []
    assert {note.what for note in store.left_out()} == {
        "histogram h",
        "image i",
        "audio s",
        "tensor v",
        "a graph",
    }


def test_hyperparameters_status_and_texts(tmp_path: Path) -> None:
    params = {"lr": field(2, 0.1), "depth": field(2, 3.0), "name": field(3, "x"), "fast": field(4, 1)}
    start = b"".join(field(1, field(1, key) + field(2, value)) for key, value in params.items())
    write(
        tmp_path / "run",
        event(
            0,
            plugin(
                "_hparams_/session_start_info", "hparams", field(3, start + field(4, "g") + field(5, 1.0))
            ),
        ),
        event(1, plugin("note/text_summary", "text") + field(8, field(1, 7) + field(8, "é\nb"))),
        event(2, field(1, "note/text_summary") + field(8, field(1, 7) + field(8, "c"))),
        event(
            9,
            plugin(
                "_hparams_/session_end_info", "hparams", field(4, field(1, 2) + field(2, STARTED_S + 60.0))
            ),
        ),
    )
    store = open_tensorboard(tmp_path)
    (run,) = store.runs()
    assert run.params == {"lr": "0.1", "depth": "3", "name": "x", "fast": "True"}
    assert (run.status, run.tags) == (RunStatus.FAILED, {"group": "g"})
    assert (run.started_ms, run.ended_ms) == (1000, STARTED_S * 1000 + 60_000)
    (file,) = store.files(run.id)
    assert file.path == "text/note.txt"
    assert store.open(run.id, file.path).read().decode() == "step 1: é\nb\nstep 2: c\n"


def test_folders_are_runs_below_the_nearest(tmp_path: Path) -> None:
    for name in ("a", "a/b/c", "d/e"):
        write(tmp_path / name, event(0, scalar("x", 1.0)))
    write(tmp_path / "a", event(1, scalar("x", 2.0)), name="events.out.tfevents.2.vm")
    (tmp_path / "a/checkpoint").write_bytes(b"weights")
    store = open_tensorboard(tmp_path)
    assert [(run.id, run.parent) for run in store.runs()] == [("a", None), ("a/b/c", "a"), ("d/e", None)]
    (history,) = store.histories("a")
    assert (history.steps.tolist(), history.values.tolist()) == ([0, 1], [1.0, 2.0])
    (alone,) = open_tensorboard(tmp_path / "a" / "events.out.tfevents.2.vm").runs()
    assert (alone.id, alone.experiment) == (".", "a")


def test_a_wrong_checksum_leaves_one_event_out(tmp_path: Path) -> None:
    file = write(tmp_path, *(event(step, scalar("x", 1.0 + step)) for step in range(3)))
    data = file.read_bytes()
    file.write_bytes(data.replace(scalar("x", 2.0), scalar("x", 9.0)))
    assert values(tmp_path) == {"x": [1.0, 3.0]}


def test_a_huge_length_ends_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, event(0, scalar("x", 1.0)))
    length = struct.pack("<Q", 1 << 62)
    torn = file.read_bytes() + length + struct.pack("<I", masked_crc(length)) + b"rest"
    damage: list[str] = []
    assert len(list(records(BytesIO(torn), damage.append))) == 2
    assert damage == [f"a wrong checksum of a length at byte {len(torn) - 16}"]


@pytest.mark.parametrize("data", [b"", b"\0", b"no events at all"])
def test_nothing_readable_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "events.out.tfevents.1.vm").write_bytes(data)
    with pytest.raises(ServerUnavailable):
        open_tensorboard(tmp_path).about()


@settings(max_examples=200)
@given(st.binary(max_size=80))
def test_events_of_anything_are_events_or_refused(data: bytes) -> None:
    for message in (
        data,
        field(5, field(1, data)),
        field(5, field(1, plugin("a", "scalars") + field(8, data))),
    ):
        try:
            event_of(message, {})
        except ValueError:
            continue
