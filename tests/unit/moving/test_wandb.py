"""Offline runs of W&B: the record log with its damage, and what its records say."""

import struct
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.adapters.moving.notes import Unreadable
from mlwright.adapters.moving.wandb.log import records
from mlwright.adapters.moving.wandb.opening import open_wandb
from mlwright.adapters.moving.wandb.records import row_of
from mlwright.errors import ServerUnavailable
from mlwright.model.moving import ForeignRun
from mlwright.model.tracking import RunStatus
from mlwright.testing.fakes.foreign_files import STARTED_S, field, wandb_items, wandb_log, wandb_records


def read(data: bytes) -> tuple[list[bytes], list[str]]:
    damage: list[str] = []
    return list(records(BytesIO(data), damage.append)), damage


@given(st.lists(st.sampled_from([0, 1, 6, 7, 8, 1000, 32_746, 32_754, 32_755, 32_761, 70_000]), max_size=8))
def test_records_of_every_size_come_back(sizes: list[int]) -> None:
    written = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    assert read(wandb_log(written)) == (written, [])


@settings(max_examples=150)
@given(st.integers(0, 140_000), st.integers(0, 255), st.integers(0, 140_000))
def test_a_damaged_log_gives_whole_records_only(at: int, byte: int, end: int) -> None:
    written = [bytes([number]) * 9_000 for number in range(1, 16)]
    data = bytearray(wandb_log(written))
    data[max(7, at % len(data))] = byte
    got, damage = read(bytes(data[: max(7, end)]))
    assert [each for each in got if each not in written] == []
    assert got == sorted(got)
    assert damage or got == written or len(data) > end


@pytest.mark.parametrize("data", [b"", b":W&B", b"GIF89a...", b":W&B" + struct.pack("<HB", 0xBEE1, 9)])
def test_what_is_no_log_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read(data)


def write(place: Path, *logged: bytes) -> Path:
    file = place / "run-x.wandb"
    file.write_bytes(wandb_log(logged))
    return file


def only(store) -> ForeignRun:
    (run,) = store.runs()
    return run


def test_config_summary_and_facts(tmp_path: Path) -> None:
    run = field(1, "x1") + field(2, "team") + field(3, "churn") + field(8, "first") + field(9, "a note")
    run += field(4, wandb_items(1, {"_wandb": "{}", "a": '{"b": [1, 2]}', "gone": "1", "t": '"é"'}))
    run += field(10, "red") + field(10, "new") + field(17, field(1, STARTED_S) + field(2, 5_000_000))
    later = field(1, wandb_items(1, {"late": "true"})[2:]) + field(2, field(1, "gone"))
    place = field(6, "train.py") + field(9, field(2, "c0ffee")) + field(13, "ada")
    summary = {"best": "0.5", "loss": "0.25", "word": '"yes"', "img._type": '"image-file"', "img.size": "3"}
    artifact = (
        field(4, "model") + field(5, "net") + field(12, field(4, field(1, "w") + field(6, "/etc/hosts")))
    )
    place = write(
        tmp_path,
        field(17, run),
        field(5, later),
        field(26, place),
        field(
            2,
            wandb_items(1, {"loss": "0.25", "_step": "7", "_timestamp": str(STARTED_S)})
            + field(2, field(1, 7)),
        ),
        field(3, wandb_items(1, summary)),
        field(8, artifact),
        field(18, field(1, 3) + field(2, 10)),
    )
    store = open_wandb(place)
    run_met = only(store)
    assert (run_met.id, run_met.experiment, run_met.name) == ("team/churn/x1", "team/churn", "first")
    assert (run_met.started_ms, run_met.ended_ms) == (STARTED_S * 1000 + 5, STARTED_S * 1000 + 10_005)
    assert (run_met.status, run_met.actor) == (RunStatus.FAILED, "ada")
    assert run_met.params == {"a.b": "[1, 2]", "t": "é", "late": "True"}
    assert run_met.tags == {
        "tags": "red, new",
        "mlflow.note.content": "a note",
        "mlflow.source.name": "train.py",
        "mlflow.source.git.commit": "c0ffee",
        "summary.word": "yes",
    }
    histories = {
        each.key: (each.steps.tolist(), each.values.tolist()) for each in store.histories(run_met.id)
    }
    assert histories == {"best": ([7], [0.5]), "loss": ([7], [0.25])}
    assert [note.what for note in store.left_out()] == ["artifact net (model)"]
    assert list(store.files(run_met.id)) == []


def test_history_items_of_every_kind() -> None:
    items = [
        field(1, "old") + field(16, "NaN"),
        field(2, "a") + field(2, "b") + field(16, "true"),
        field(1, "int") + field(5, 5),
        field(1, "real") + field(6, 0.5),
        field(1, "flag") + field(4, 1),
        field(1, "text") + field(7, "x"),
        field(2, "h") + field(2, "_type") + field(16, '"histogram"'),
        field(2, "h") + field(2, "count") + field(16, "3"),
        field(1, "none") + field(3, 0),
        field(1, "_timestamp") + field(6, 2.5),
    ]
    row = row_of(b"".join(field(1, item) for item in items) + field(2, field(1, 4)))
    assert (row.step, row.at_ms) == (4, 2500)
    assert str(row.values) == "[('old', nan), ('a.b', 1.0), ('int', -3.0), ('real', 0.5), ('flag', 1.0)]"
    assert row.others == {"text": "text", "h": "histogram"}


def test_a_run_without_an_end_still_runs(tmp_path: Path) -> None:
    store = open_wandb(write(tmp_path, *wandb_records("x", {}, [])[:-1]))
    assert (only(store).status, only(store).ended_ms) == (RunStatus.RUNNING, None)
    assert [note.what for note in store.left_out()] == ["the end of the run"]


def test_a_run_that_was_resumed_has_two_logs(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, *wandb_records("x", {}, [{"loss": "1"}]))
    assert [run.id for run in open_wandb(tmp_path).runs()] == ["churn/x", "churn/x in two/run-x.wandb"]


def test_nothing_readable_names_the_first_file(tmp_path: Path) -> None:
    (tmp_path / "run-x.wandb").write_bytes(b"no log at all")
    with pytest.raises(ServerUnavailable, match=r"run-x\.wandb: it is no record log"):
        open_wandb(tmp_path).about()


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=60), max_size=6))
def test_records_of_anything_are_noted(tmp_path_factory, junk: list[bytes]) -> None:
    place = tmp_path_factory.mktemp("w")
    kinds = [field(kind, each) for kind, each in zip((2, 3, 5, 7, 8, 26), junk, strict=False)]
    store = open_wandb(write(place, *wandb_records("x", {"depth": "3"}, [{"loss": "1"}]), *kinds))
    run = only(store)
    assert run.params["depth"] == "3"
    assert "loss" in {each.key for each in store.histories(run.id)}
