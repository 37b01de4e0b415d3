"""What read_configuration makes of a few files."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.engineer.collect.gits import Repository

from mlwright.engineer.collect.configuration import Configuration, read_configuration
from mlwright.engineer.collect.walk import walk

Make = Callable[[Mapping[str, str | bytes]], Path]
Read = Callable[[Mapping[str, str | bytes]], Configuration]


@pytest.fixture
def read(make_repository: Make) -> Read:
    """Write files, and read their configuration."""

    def reading(files: Mapping[str, str | bytes]) -> Configuration:
        root = make_repository(files)
        return read_configuration(root, walk(root).files)

    return reading


@pytest.fixture
def new_git(tmp_path: Path) -> Iterator[Callable[[], Repository]]:
    """Make git repositories; the folder of the first is ``r``."""
    made: list[Repository] = []

    def make() -> Repository:
        made.append(Repository(tmp_path / ("r" * (len(made) + 1))))
        return made[-1]

    yield make
    for each in made:
        each.close()
