"""What read_configuration makes of a few files."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

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
