"""The scikit-learn runtime sits the runtimes' exam, with two kinds of estimator."""

from functools import cache

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from threadpoolctl import threadpool_limits

from mlwright.adapters.runtimes.sklearn import SklearnRuntime
from mlwright.model.registry import Field, Signature
from mlwright.ports.runtimes import ModelRuntime
from mlwright.testing.conformance.runtimes import Fitted, ModelRuntimeConformance

SIGNATURE = Signature(
    inputs=(
        Field(name="carrier", type="string"),
        Field(name="distance", type="double"),
        Field(name="origin", type="string"),
        Field(name="hour", type="long"),
        Field(name="night", type="boolean"),
    ),
    outputs=(Field(name="score", type="double"),),
)
CATEGORIES = {"carrier": ("AA", "DL", "UA"), "origin": ("EWR", "JFK")}
EXAMPLE: dict[str, list[object]] = {
    "carrier": ["UA", "AA", "DL", "UA"],
    "distance": [2475.0, 184.0, 761.5, 96.0],
    "origin": ["JFK", "EWR", "EWR", "JFK"],
    "hour": [5, 13, 21, 17],
    "night": [True, False, True, False],
}


def _training_data() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    matrix = np.column_stack(
        [
            random.integers(0, 3, 400),
            random.uniform(80, 2500, 400),
            random.integers(0, 2, 400),
            random.integers(0, 24, 400),
            random.integers(0, 2, 400),
        ]
    ).astype(float)
    matrix[random.random(matrix.shape) < 0.05] = np.nan
    signal = np.nan_to_num(matrix[:, 3]) / 24 + np.nan_to_num(matrix[:, 0]) / 3 + random.normal(0, 0.3, 400)
    return matrix, signal


@cache
def _classifier() -> HistGradientBoostingClassifier:
    matrix, signal = _training_data()
    model = HistGradientBoostingClassifier(max_iter=8, categorical_features=[0, 2], random_state=0)
    with threadpool_limits(1):
        return model.fit(matrix, signal > np.median(signal))


@cache
def _regressor() -> RandomForestRegressor:
    matrix, signal = _training_data()
    return RandomForestRegressor(n_estimators=4, max_depth=4, random_state=0).fit(matrix, signal)


class TestHistGradientBoosting(ModelRuntimeConformance):
    @pytest.fixture
    def runtime(self) -> ModelRuntime:
        return SklearnRuntime()

    @pytest.fixture
    def fitted(self) -> Fitted:
        return _classifier(), SIGNATURE, EXAMPLE, CATEGORIES


class TestForestOfValues(ModelRuntimeConformance):
    @pytest.fixture
    def runtime(self) -> ModelRuntime:
        return SklearnRuntime()

    @pytest.fixture
    def fitted(self) -> Fitted:
        return _regressor(), SIGNATURE, EXAMPLE, CATEGORIES
