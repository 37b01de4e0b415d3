"""Projects for the tests of the supervisor: the same seeds that the pages are tested with."""

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

SEEDED = runpy.run_path(str(Path(__file__).parents[1] / "web" / "seeded_project.py"))


@pytest.fixture(scope="session")
def seed() -> Callable[[Path], Path]:
    """Writes a project whose year lies in 2013."""
    return SEEDED["seed"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in which nothing has happened yet."""
    SEEDED["write_files"](tmp_path)
    return tmp_path
