"""The runtime of plain functions sits the runtimes' exam, called by rows and by columns."""

import numpy as np
import pytest

from mlwright.adapters.runtimes.functions import FunctionRuntime
from mlwright.model.fitted import Fitted as Function
from mlwright.ports.runtimes import ModelRuntime
from mlwright.testing.conformance.runtimes import Fitted, ModelRuntimeConformance

EXAMPLE: dict[str, list[object]] = {
    "wind": [3.5, 12.0, None],
    "hour": [6, 18, 23],
    "carrier": ["UA", "AA", "UA"],
    "night": [False, False, True],
}


def by_rows(wind: float | None, hour: int | None, carrier: str | None, night: bool | None) -> float:
    return (
        (wind or 0.0) * 0.1 - (hour or 0) * 0.2 + (0.7 if carrier == "UA" else 0.0) + (1.1 if night else 0.0)
    )


def by_columns(
    wind: list[float | None], hour: list[int | None], carrier: list[str | None], night: list[bool | None]
) -> list[float]:
    rows = zip(wind, hour, carrier, night, strict=True)
    return [float(np.float64(by_rows(*row))) for row in rows]


class TestByRows(ModelRuntimeConformance):
    @pytest.fixture
    def runtime(self) -> ModelRuntime:
        return FunctionRuntime()

    @pytest.fixture
    def fitted(self) -> Fitted:
        return by_rows, Function.of(by_rows).signature, EXAMPLE, {}


class TestByColumns(ModelRuntimeConformance):
    @pytest.fixture
    def runtime(self) -> ModelRuntime:
        return FunctionRuntime()

    @pytest.fixture
    def fitted(self) -> Fitted:
        return by_columns, Function.of(by_columns).signature, EXAMPLE, {}
