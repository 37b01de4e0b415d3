"""One project with a year behind it for all tests of the pages, and one that is empty."""

import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

BENCH = runpy.run_path(str(Path(__file__).with_name("bench.py")))
WATCHING = runpy.run_path(str(Path(__file__).with_name("seeded_watching.py")))


@pytest.fixture(scope="session")
def bench() -> Iterator:
    """Opens projects for the control door."""
    opened = BENCH["Bench"]()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project with a year behind it. Nobody writes to it."""
    return BENCH["SEEDED"]["seed"](tmp_path_factory.mktemp("seeded"))


@pytest.fixture(scope="session")
def client(bench, seeded: Path):
    """A browser at the seeded project, which was looked at once."""
    control = bench.open(seeded)
    control.turns.looks.look()
    return BENCH["Browser"](control)


@pytest.fixture
def fresh(bench, tmp_path: Path):
    """A browser at a seeded project of this test's own."""
    return BENCH["Browser"](bench.open(BENCH["SEEDED"]["seed"](tmp_path)))


@pytest.fixture(scope="session")
def watched_folder(tmp_path_factory: pytest.TempPathFactory, seeded: Path) -> Path:
    """The folder of the seeded project with all that monitoring leaves behind. Nobody writes to it."""
    folder = tmp_path_factory.mktemp("watched") / "project"
    shutil.copytree(seeded, folder)
    return WATCHING["watch"](folder)


@pytest.fixture(scope="session")
def watched(bench, watched_folder: Path):
    """A browser at the watched project, which was looked at once."""
    control = bench.open(watched_folder)
    control.turns.looks.look()
    WATCHING["look"](control.turns.looks)
    return BENCH["Browser"](control)


@pytest.fixture
def own(bench, watched_folder: Path, tmp_path: Path):
    """A browser at a watched project of this test's own."""
    return BENCH["Browser"](bench.open(shutil.copytree(watched_folder, tmp_path / "own")))


@pytest.fixture
def bare(bench, tmp_path: Path):
    """A browser at a project that serves a function, of which no truth will ever be known."""
    (tmp_path / "mlwright.toml").write_text(
        '[project]\nname = "rules"\n[registry]\nprove = "off"\n[[endpoint]]\nname = "rules"\nmodel = "rules@champion"\n'
    )
    (tmp_path / "rules.py").write_text(
        "EXAMPLE = [{'x': 1.0}]\n\n\ndef predict(x: float) -> float:\n    return x\n"
    )
    (tmp_path / "pipeline.py").write_text("")
    return BENCH["Browser"](bench.open(tmp_path))


@pytest.fixture
def empty(bench, tmp_path: Path):
    """A browser at a project in which nothing has happened yet."""
    BENCH["SEEDED"]["write_files"](tmp_path)
    return BENCH["Browser"](bench.open(tmp_path))
