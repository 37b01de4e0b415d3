"""Projects for the tests of the supervisor: the same seeds that the pages are tested with."""

import runpy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlwright.doors.up.inference import Inference
from mlwright.doors.up.processes import free_port
from mlwright.model.endpoints import CHAMPION
from mlwright.model.settings import RegistrySettings, ServeSettings, Settings
from mlwright.wiring.inference import open_following, plain_settings
from mlwright.wiring.project import close, open_settings
from mlwright.wiring.serving import served_settings

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


RULES = """
EXAMPLE = [{"x": 1.0}]


def add(x: float) -> float:
    return x + 1.0


def double(x: float) -> float:
    return x * 2.0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two versions of a model in a folder without a project; the alias stands on the first."""
    (tmp_path / "rules.py").write_text(RULES)
    platform = open_settings(replace(plain_settings(tmp_path), registry=RegistrySettings(prove="off")))
    try:
        for name in ("add", "double"):
            platform.releases.register(f"{tmp_path}/rules.py:{name}", "rules")
        platform.releases.promote("rules/1")
    finally:
        close(platform)
    return tmp_path


@pytest.fixture
def run(folder) -> Iterator[Callable[..., tuple[Inference, int, Settings]]]:
    """Starts the processes; the port is theirs, and they end with the test."""
    begun: list[Inference] = []

    def start(**serve: object) -> tuple[Inference, int, Settings]:
        port = free_port()
        settings = served_settings(folder, f"rules@{CHAMPION}")
        settings = replace(settings, serve=ServeSettings(**serve))  # type: ignore[arg-type]
        inference = Inference(settings, open_following(settings), host="127.0.0.1", port=port, strict=True)
        begun.append(inference)
        inference.start()
        return inference, port, settings

    yield start
    for each in begun:
        each.stop()
