from pathlib import Path

import pytest

from mlwright.adapters.measuring.children import ChildProcesses
from mlwright.adapters.runtimes.functions import FunctionRuntime
from mlwright.model.fitted import Fitted
from mlwright.testing.conformance.measuring import MeasuringConformance
from mlwright.testing.fakes.measuring import ImaginedMeasuring


def double(x: float) -> float:
    return 2 * x


@pytest.fixture
def loadable(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    signature = Fitted.of(double).signature
    FunctionRuntime().save(double, folder, signature=signature, example={"x": [1.0, 2.0]}, categories={})
    return folder


class TestChildProcesses(MeasuringConformance):
    @pytest.fixture
    def measuring(self) -> ChildProcesses:
        return ChildProcesses()


class TestImaginedMeasuring(MeasuringConformance):
    @pytest.fixture
    def measuring(self) -> ImaginedMeasuring:
        return ImaginedMeasuring()
