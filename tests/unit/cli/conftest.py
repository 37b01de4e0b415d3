"""A project as ``mlwright init`` writes it, trained and deployed through the command line itself."""

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from threadpoolctl import threadpool_limits

from mlwright.doors.cli.main import cli


@dataclass(frozen=True, slots=True)
class Shell:
    """Types commands in one project."""

    folder: Path

    def __call__(self, *words: str) -> Result:
        return CliRunner(env={"COLUMNS": "200"}).invoke(cli, ["--project", str(self.folder), *words])

    def json(self, *words: str, code: int = 0):
        done = self(*words, "--json")
        assert done.exit_code == code, done.output
        return json.loads(done.stdout)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Trees on two threads spin for a core that the neighbouring test holds: 2 s become 28."""
    with threadpool_limits(limits=1, user_api="openmp"):
        yield


@pytest.fixture(scope="session")
def first_steps() -> tuple[str, ...]:
    """What the README of the example says to type."""
    return ("check", "features", "run train_churn", "deploy churn churn/1")


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory, first_steps: tuple[str, ...]) -> Shell:
    """The tabular example with one model behind its endpoint. Tests that change it work on :func:`copied`."""
    folder = tmp_path_factory.mktemp("project") / "churn"
    done = CliRunner().invoke(cli, ["init", str(folder)])
    assert done.exit_code == 0, done.output
    shell = Shell(folder)
    for line in first_steps:
        done = shell(*line.split())
        assert done.exit_code == 0, f"{line}: {done.output}"
    return shell


@pytest.fixture
def copied(deployed: Shell, tmp_path: Path) -> Shell:
    """A copy that a test may change."""
    return Shell(Path(shutil.copytree(deployed.folder, tmp_path / "copy")))


@pytest.fixture
def written(tmp_path: Path) -> Shell:
    """A project that was only written."""
    folder = tmp_path / "churn"
    assert CliRunner().invoke(cli, ["init", str(folder)]).exit_code == 0
    return Shell(folder)


@pytest.fixture
def shell_at() -> Callable[[Path], Shell]:
    """Types commands in a folder of the test's own."""
    return Shell


@pytest.fixture
def edit() -> Callable[[Path, str, str], None]:
    """Replace a text that must be there."""

    def replace(path: Path, old: str, new: str) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return replace


@pytest.fixture
def unused_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
