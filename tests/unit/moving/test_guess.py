"""What wrote a source is told from its address or from the files in it, and where it cannot be, the error helps."""

import sqlite3
import zipfile
from pathlib import Path

import pytest

from mlwright.errors import Conflict, NotFound, UsageError
from mlwright.wiring.moving import TOOLS, guess_tool, open_sink, open_source


def write(place: Path, text: bytes = b"") -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text)


def mlruns(place: Path) -> None:
    write(place / "mlruns" / "0" / "meta.yaml", b"experiment_id: '0'\nname: Default\n")


def database(place: Path) -> None:
    opened = sqlite3.connect(place / "mlflow.db")
    opened.execute("CREATE TABLE x (y)")
    opened.close()


def comet(place: Path) -> None:
    (place / ".cometml-runs").mkdir()
    with zipfile.ZipFile(place / ".cometml-runs" / "a.zip", "w") as archive:
        archive.writestr("experiment.json", "{}")
        archive.writestr("messages.json", "")


SIGNS = {
    "mlflow": mlruns,
    "wandb": lambda place: write(place / "wandb" / "offline-run-1" / "run-1.wandb"),
    "comet": comet,
    "neptune": lambda place: write(place / "data" / "p" / "a_part_0.parquet"),
    "tensorboard": lambda place: write(place / "logs" / "train" / "events.out.tfevents.1.host"),
    "dvc": lambda place: write(place / "dvc.lock"),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_each_tool_is_known_by_its_files(tool: str, tmp_path: Path) -> None:
    SIGNS[tool](tmp_path)
    assert guess_tool(".", tmp_path) == tool
    assert guess_tool(str(tmp_path), Path("/")) == tool


def test_a_database_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    database(tmp_path)
    assert guess_tool("mlflow.db", tmp_path) == "mlflow"
    assert guess_tool(".", tmp_path) == "mlflow"
    write(tmp_path / "d" / "other.db", b"no database")
    with pytest.raises(UsageError, match="cannot be told"):
        guess_tool("d", tmp_path)


@pytest.mark.parametrize("address", ["http://h:5000", "https://h", "sqlite:///x.db", "postgresql://h/d"])
def test_addresses_are_those_of_mlflow(address: str, tmp_path: Path) -> None:
    assert guess_tool(address, tmp_path) == "mlflow"


def test_several_tools_in_one_folder_are_named(tmp_path: Path) -> None:
    SIGNS["mlflow"](tmp_path)
    SIGNS["wandb"](tmp_path)
    with pytest.raises(UsageError, match="2 tools wrote into it: mlflow, wandb") as caught:
        guess_tool(".", tmp_path)
    assert "--from" in str(caught.value)


def test_near_misses_are_explained(tmp_path: Path) -> None:
    mlruns(tmp_path)
    with pytest.raises(NotFound, match="did you mean 'mlruns'"):
        open_source("mlrun", start=tmp_path)
    with pytest.raises(UsageError, match="did you mean https"):
        open_source("htps://h", start=tmp_path)
    with pytest.raises(NotFound, match="did you mean 'wandb'"):
        open_source(".", tool="wandbb", start=tmp_path)


@pytest.mark.parametrize("tool", ["wandb", "comet", "neptune", "tensorboard", "dvc"])
def test_every_tool_has_a_reader(tool: str, tmp_path: Path) -> None:
    SIGNS[tool](tmp_path)
    store = open_source(".", tool=tool, start=tmp_path)
    assert callable(store.runs)


def test_a_target_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean sqlite://"), open_sink("sqllite:///x", start=tmp_path):
        pass
    write(tmp_path / "x.db")
    with pytest.raises(Conflict), open_sink("sqlite:///x.db", start=tmp_path):
        pass
