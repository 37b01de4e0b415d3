"""The PyTorch runtime sits the runtimes' exam. Skipped where torch is not installed."""

import warnings

import pytest

from mlwright.adapters.runtimes.pytorch import PytorchRuntime
from mlwright.model.registry import Field, Signature
from mlwright.ports.runtimes import ModelRuntime
from mlwright.testing.conformance.runtimes import Fitted, ModelRuntimeConformance

torch = pytest.importorskip("torch", reason="the extra torch is not installed: ./dev verify installs it")

SIGNATURE = Signature(
    inputs=(
        Field(name="carrier", type="string"),
        Field(name="distance", type="double"),
        Field(name="hour", type="long"),
        Field(name="night", type="boolean"),
    ),
    outputs=(Field(name="score", type="double"),),
)
EXAMPLE: dict[str, list[object]] = {
    "carrier": ["UA", "AA", None, "UA"],
    "distance": [2475.0, 184.0, 761.5, 96.0],
    "hour": [5, 13, 21, 17],
    "night": [True, False, True, False],
}
CATEGORIES = {"carrier": ("AA", "DL", "UA")}


class Net(torch.nn.Module):
    """In double precision: a row's score does not depend on its batch to the twelfth digit."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(4, 8, dtype=torch.float64)
        self.outer = torch.nn.Linear(8, 1, dtype=torch.float64)

    def forward(self, x):
        return torch.sigmoid(self.outer(torch.tanh(self.inner(torch.nan_to_num(x, nan=-1.0) / 100))))


class TestExported(ModelRuntimeConformance):
    @pytest.fixture
    def runtime(self) -> ModelRuntime:
        return PytorchRuntime()

    @pytest.fixture
    def fitted(self) -> Fitted:
        torch.manual_seed(3)
        return Net(), SIGNATURE, EXAMPLE, CATEGORIES


class TestScripted(ModelRuntimeConformance):
    @pytest.fixture
    def runtime(self) -> ModelRuntime:
        return PytorchRuntime()

    @pytest.fixture
    def fitted(self) -> Fitted:
        torch.manual_seed(3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.script(Net()), SIGNATURE, EXAMPLE, CATEGORIES
