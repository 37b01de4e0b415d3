"""The exam of foreign stores: the fake, and the readers of five tools on files written by hand."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlwright.adapters.moving.comet.opening import open_comet
from mlwright.adapters.moving.dvc.opening import open_dvc
from mlwright.adapters.moving.neptune.opening import open_neptune
from mlwright.adapters.moving.tensorboard.opening import open_tensorboard
from mlwright.adapters.moving.wandb.opening import open_wandb
from mlwright.model.moving import ForeignRun, LeftOut
from mlwright.model.tracking import RunStatus
from mlwright.ports.foreign_store import ForeignStore
from mlwright.testing.conformance.foreign_stores import LOSS, ForeignStoreConformance
from mlwright.testing.fakes import foreign_files
from mlwright.testing.fakes.foreign_store import MemoryForeignStore, history


def memory(*, left_out: tuple[LeftOut, ...] = ()) -> MemoryForeignStore:
    def run(id: str, depth: str, parent: str | None = None) -> ForeignRun:
        return ForeignRun(
            id=id,
            experiment="churn",
            name=id,
            status=RunStatus.FINISHED,
            started_ms=1,
            ended_ms=2,
            params={"depth": depth},
            parent=parent,
        )

    return MemoryForeignStore(
        [run("a", "4", parent="b"), run("b", "3")],
        histories={"b": [history("loss", LOSS), history("auc", [0.5])]},
        files={"b": {"note.txt": b"hello", "a/b": b""}},
        left_out=left_out,
    )


class TestMemoryForeignStore(ForeignStoreConformance):
    @pytest.fixture
    def store(self) -> MemoryForeignStore:
        return memory()

    @pytest.fixture
    def again(self) -> MemoryForeignStore:
        return memory()

    @pytest.fixture
    def damaged(self) -> MemoryForeignStore:
        return memory(left_out=(LeftOut(what="a run", where="c", why="cut off"),))

    @pytest.fixture
    def broken(self) -> MemoryForeignStore:
        return MemoryForeignStore(broken=True)


class OnFiles(ForeignStoreConformance):
    """Sources that are folders: ``write`` makes one and names the file to cut in half."""

    write: Callable[[Path], Path]
    read: Callable[[Path], ForeignStore]

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        place = tmp_path / "source"
        place.mkdir()
        type(self).write(place)
        return place

    @pytest.fixture
    def store(self, place: Path) -> ForeignStore:
        return type(self).read(place)

    @pytest.fixture
    def again(self, place: Path) -> ForeignStore:
        return type(self).read(place)

    @pytest.fixture
    def damaged(self, tmp_path: Path) -> ForeignStore:
        place = tmp_path / "torn" / "source"
        place.mkdir(parents=True)
        file = type(self).write(place)
        data = file.read_bytes()
        file.write_bytes(data[: len(data) // 2])
        return type(self).read(place)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> ForeignStore:
        place = tmp_path / "nothing"
        place.mkdir()
        (place / "readme.md").write_text("# not what you look for\n")
        return type(self).read(place)

    def test_nothing_behind_a_link_is_read(self, place: Path, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("s3cret")
        for folder in [each for each in place.rglob("*") if each.is_dir()]:
            (folder / "link.txt").symlink_to(tmp_path / "secret")
            (folder / "loop").symlink_to(place)
        store = type(self).read(place)
        for run in store.runs():
            for file in store.files(run.id):
                with store.open(run.id, file.path) as stream:
                    assert b"s3cret" not in stream.read()


class TestWandb(OnFiles):
    write = staticmethod(foreign_files.write_wandb)
    read = staticmethod(open_wandb)


class TestComet(OnFiles):
    write = staticmethod(foreign_files.write_comet)
    read = staticmethod(open_comet)


class TestNeptune(OnFiles):
    write = staticmethod(foreign_files.write_neptune)
    read = staticmethod(open_neptune)


class TestTensorboard(OnFiles):
    write = staticmethod(foreign_files.write_tensorboard)
    read = staticmethod(open_tensorboard)


def write_repository(place: Path) -> Path:
    """The folder of :func:`write_dvc`, committed as an experiment; a second state with other params is the folder."""
    metrics = foreign_files.write_dvc(place)

    def git(*words: str) -> str:
        settings = ("-c", "user.name=ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *settings, *words], cwd=place, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    when = ("--date", "2026-01-01T00:00:00Z")
    git("init", "-q", ".")
    git("add", "dvc.lock", "params.yaml", "dvclive")
    git("commit", "-q", "-m", "first", *when)
    head = git("rev-parse", "HEAD")
    git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/first-try", head)
    git("update-ref", "refs/exps/exec/EXEC_HEAD", head)
    (place / "params.yaml").write_text("depth: 4\n", encoding="utf-8")
    return metrics


@pytest.mark.skipif(shutil.which("git") is None, reason="the git program reads the experiments")
class TestDvc(OnFiles):
    write = staticmethod(write_repository)
    read = staticmethod(open_dvc)
