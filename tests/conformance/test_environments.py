from pathlib import Path

import pytest

from mlwright.adapters.uv.environments import UvEnvironments
from mlwright.adapters.uv.program import find_uv
from mlwright.errors import MissingExtra
from mlwright.testing.conformance.environments import EnvironmentsConformance
from mlwright.testing.fakes.environments import RunningEnvironments


class TestRunningEnvironments(EnvironmentsConformance):
    @pytest.fixture
    def environments(self) -> RunningEnvironments:
        return RunningEnvironments()


class TestUvEnvironments(EnvironmentsConformance):
    @pytest.fixture
    def environments(self, tmp_path: Path) -> UvEnvironments:
        try:
            find_uv()
        except MissingExtra:
            pytest.skip("no uv that runs: install mlwright[prove]")
        return UvEnvironments(tmp_path / "environments")
