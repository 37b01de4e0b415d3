"""A small project without the command line: two data sets, a pipeline, an endpoint; nothing trained."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlwright.platform.facade import Platform
from mlwright.wiring.project import close, open_platform

SERVE = "[serve]\nport = {}\ninference_port = {}\n"


@pytest.fixture
def folder(tmp_path: Path, repository: Path, free_ports: tuple[int, int]) -> Path:
    """The tabular example on ports of its own."""
    made = Path(shutil.copytree(repository / "examples/tabular", tmp_path / "churn"))
    file = made / "mlwright.toml"
    file.write_text(SERVE.format(*free_ports) + file.read_text(encoding="utf-8"), encoding="utf-8")
    return made


@pytest.fixture
def platform(folder: Path) -> Iterator[Platform]:
    opened = open_platform(folder)
    yield opened
    close(opened)


@pytest.fixture
def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]
