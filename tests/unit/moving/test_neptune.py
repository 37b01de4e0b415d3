"""What neptune-exporter wrote: values, series, files; and Parquet files that are none."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from mlwright.adapters.moving.neptune.opening import open_neptune
from mlwright.errors import DataError, ServerUnavailable
from mlwright.model.tracking import RunStatus
from mlwright.testing.fakes.foreign_files import STARTED_S, neptune_table

BEGAN = datetime.fromtimestamp(STARTED_S, UTC)
MS = timedelta(milliseconds=1)


def row(path: str, kind: str, **values: object) -> dict[str, object]:
    return {"attribute_path": path, "attribute_type": kind, **values}


def write(place: Path, run: str, *rows: dict[str, object], part: int = 0) -> Path:
    folder = place / "data/org_churn-0a"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{run}-0b_part_{part}.parquet"
    neptune_table(run, rows).write_parquet(file)
    return file


def test_values_and_facts(tmp_path: Path) -> None:
    write(
        tmp_path,
        "R-1",
        row("depth", "int", int_value=3),
        row("rate", "float", float_value=0.1),
        row("fast", "bool", bool_value=False),
        row("word", "string", string_value="é"),
        row("when", "datetime", datetime_value=BEGAN),
        row("set", "string_set", string_set_value=["b", "a"]),
        row("sys/creation_time", "datetime", datetime_value=BEGAN),
        row("sys/running_time", "float", float_value=12.5),
        row("sys/name", "string", string_value="first"),
        row("sys/owner", "string", string_value="ada"),
        row("sys/failed", "bool", bool_value=True),
        row("sys/trashed", "bool", bool_value=True),
        row("sys/description", "string", string_value="what it is"),
    )
    write(tmp_path, "R-0", row("sys/forking/parent", "string", string_value="R-1"))
    parent, child = open_neptune(tmp_path).runs()
    assert (parent.id, parent.experiment, parent.name) == ("org/churn/R-1", "org/churn", "first")
    assert (parent.status, parent.actor, parent.deleted) == (RunStatus.FAILED, "ada", True)
    assert (parent.started_ms, parent.ended_ms) == (STARTED_S * 1000, STARTED_S * 1000 + 12_500)
    assert parent.params == {
        "depth": "3",
        "rate": "0.1",
        "fast": "False",
        "word": "é",
        "when": "2026-01-01T00:00:00.000+00:00",
        "set": "a, b",
    }
    assert parent.tags["mlflow.note.content"] == "what it is"
    assert (child.id, child.parent) == ("org/churn/R-0", "org/churn/R-1")


def test_series_in_several_parts_and_with_fractions(tmp_path: Path) -> None:
    points = [
        row(
            "loss",
            "float_series",
            step=step,
            timestamp=BEGAN + step * MS,
            float_value=1.0 / (step + 1),
        )
        for step in range(30)
    ]
    write(tmp_path, "R-1", *points[20:], part=0)
    write(tmp_path, "R-1", *points[:20], row("half", "float_series", step=1.5, float_value=2.0), part=1)
    (folder,) = (tmp_path / "data").iterdir()
    (folder / "R-2-0b_part_0.parquet.tmp").write_bytes(b"")
    store = open_neptune(tmp_path / "data")
    (run,) = store.runs()
    half, loss = store.histories(run.id)
    assert (half.steps.tolist(), half.values.tolist()) == ([1], [2.0])
    assert loss.steps.tolist() == list(range(30))
    assert loss.at_ms.tolist() == [STARTED_S * 1000 + step for step in range(30)]
    assert loss.values.tolist() == [1.0 / (step + 1) for step in range(30)]
    assert {note.what for note in store.left_out()} == {"fractions of steps of half", "an unfinished run"}


def test_files_and_texts(tmp_path: Path) -> None:
    stored = tmp_path / "files/org_churn-0a/R-1"
    (stored / "set/sub").mkdir(parents=True)
    (stored / "model.bin").write_bytes(b"weights")
    (stored / "set/sub/a.txt").write_bytes(b"inside")
    (stored / "1.png").write_bytes(b"picture")
    (tmp_path / "secret").write_bytes(b"s3cret")
    histogram = {"type": "COUNTING", "edges": [0.0, 1.0], "values": [1.0]}
    write(
        tmp_path,
        "R-1",
        row("model", "file", file_value={"path": "R-1/model.bin"}),
        row("data", "file_set", file_value={"path": "R-1/set"}),
        row("pictures", "file_series", step=1, file_value={"path": "R-1/1.png"}),
        row("stolen", "file", file_value={"path": "../../secret"}),
        row("rooted", "file", file_value={"path": str(tmp_path / "secret")}),
        row("gone", "file", file_value={"path": "R-1/gone"}),
        row("log", "string_series", step=1, timestamp=BEGAN, string_value="hello"),
        row("shape", "histogram_series", step=1, histogram_value=histogram),
    )
    store = open_neptune(tmp_path)
    (run,) = store.runs()
    files = {}
    for file in store.files(run.id):
        with store.open(run.id, file.path) as stream:
            files[file.path] = stream.read()
    assert files == {
        "model.bin": b"weights",
        "data/sub/a.txt": b"inside",
        "pictures/step-1.png": b"picture",
        "log.txt": b"1\t2026-01-01T00:00:00.000+00:00\thello\n",
    }
    assert list(store.histories(run.id)) == []
    noted = {note.what for note in store.left_out()}
    assert noted == {"file stolen", "file rooted", "file gone", "histogram history of shape"}
    with pytest.raises(DataError):
        store.open(run.id, "../../secret")


@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"PAR1" + b"\xff" * 200 + b"PAR1", b"PAR1\x00\x00\x00\x7fPAR1"]
)
def test_parquet_that_is_none_is_noted(tmp_path: Path, data: bytes) -> None:
    file = write(tmp_path, "R-1", row("depth", "int", int_value=3))
    file.with_name("R-2-0b_part_0.parquet").write_bytes(data)
    store = open_neptune(tmp_path)
    assert [run.id for run in store.runs()] == ["org/churn/R-1"]
    assert [note.where for note in store.left_out()] == ["org_churn-0a/R-2-0b_part_0.parquet"]


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data/x").mkdir(parents=True)
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "data/x/a_part_0.parquet")
    with pytest.raises(ServerUnavailable, match="neptune"):
        open_neptune(tmp_path).about()


def test_columns_of_other_types_are_noted(tmp_path: Path) -> None:
    table = neptune_table("R-1", [row("depth", "int", int_value=3)])
    file = write(tmp_path, "R-0", row("depth", "int", int_value=1))
    table.with_columns(pl.Series("int_value", ["three"])).write_parquet(
        file.with_name("R-1-0b_part_0.parquet")
    )
    store = open_neptune(tmp_path)
    assert [run.id for run in store.runs()] == ["org/churn/R-0"]
    assert [note.where for note in store.left_out()] == ["org_churn-0a/R-1-0b_part_0.parquet"]


def test_a_name_with_a_star_is_no_pattern(tmp_path: Path) -> None:
    write(tmp_path, "R-1", row("depth", "int", int_value=3))
    write(tmp_path, "*", row("depth", "int", int_value=4))
    assert [(run.id, run.params) for run in open_neptune(tmp_path).runs()] == [
        ("org/churn/*", {"depth": "4"}),
        ("org/churn/R-1", {"depth": "3"}),
    ]
