"""The runtimes of XGBoost, LightGBM and ONNX sit the runtimes' exam, each with texts and with numbers alone."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from mlwright.adapters.runtimes.lightgbm import LightgbmRuntime
from mlwright.adapters.runtimes.onnx import OnnxRuntime
from mlwright.adapters.runtimes.xgboost import XgboostRuntime
from mlwright.model.registry import Field, Signature
from mlwright.ports.runtimes import ModelRuntime
from mlwright.testing.conformance.runtimes import Fitted, ModelRuntimeConformance

SCORE = (Field(name="score", type="double"),)
MIXED = Signature(
    inputs=(
        Field(name="carrier", type="string"),
        Field(name="distance", type="double"),
        Field(name="hour", type="long"),
        Field(name="night", type="boolean"),
        Field(name="gust", type="double", required=False),
    ),
    outputs=SCORE,
)
NUMBERS = Signature(inputs=tuple(Field(name=name, type="double") for name in ("a", "b", "c")), outputs=SCORE)
LEVELS = {"carrier": ("AA", "DL", "UA")}
ROWS: dict[str, list[object]] = {
    "carrier": ["UA", "AA", "DL", "UA"],
    "distance": [2475.0, 184.0, 761.5, 96.0],
    "hour": [5, 13, 21, 17],
    "night": [True, False, True, False],
    "gust": [None, 20.5, 1.0, 3.0],
}
VALUES: dict[str, list[object]] = {"a": [0.5, -1.0, 2.5], "b": [1.0, 0.25, -3.0], "c": [0.0, 7.5, 1.0]}


@cache
def _flights() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    matrix = np.column_stack(
        [
            random.integers(0, 3, 400),
            random.uniform(80, 2500, 400),
            random.integers(0, 24, 400),
            random.integers(0, 2, 400),
            random.uniform(0, 30, 400),
        ]
    ).astype(float)
    matrix[random.random(matrix.shape) < 0.05] = np.nan
    signal = np.nan_to_num(matrix[:, 2]) / 24 + np.nan_to_num(matrix[:, 0]) / 3 + random.normal(0, 0.3, 400)
    return matrix, signal


@cache
def _values() -> tuple[np.ndarray, np.ndarray]:
    matrix = np.random.default_rng(6).normal(size=(300, 3))
    return matrix, matrix[:, 0] * 2 - matrix[:, 1]


@cache
def _xgboost() -> Any:
    xgboost = pytest.importorskip("xgboost", reason="needs the extra xgboost")
    matrix, signal = _flights()
    kinds = ["c", "q", "q", "q", "q"]
    rows = xgboost.DMatrix(
        matrix, label=signal > np.median(signal), feature_types=kinds, enable_categorical=True
    )
    return xgboost.train({"objective": "binary:logistic", "max_depth": 3, "nthread": 1}, rows, 8)


@cache
def _xgboost_regressor() -> Any:
    xgboost = pytest.importorskip("xgboost", reason="needs the extra xgboost")
    return xgboost.XGBRegressor(n_estimators=8, max_depth=3, n_jobs=1).fit(*_values())


@cache
def _lightgbm() -> Any:
    lightgbm = pytest.importorskip("lightgbm", reason="needs the extra lightgbm")
    matrix, signal = _flights()
    rows = lightgbm.Dataset(matrix, signal > np.median(signal), categorical_feature=[0])
    return lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, rows, 8)


@cache
def _lightgbm_regressor() -> Any:
    lightgbm = pytest.importorskip("lightgbm", reason="needs the extra lightgbm")
    return lightgbm.LGBMRegressor(n_estimators=8, n_jobs=1, verbose=-1).fit(*_values())


def _node(inputs: list[Any], nodes: list[Any], weights: list[Any]) -> Any:
    helper = pytest.importorskip("onnx.helper", reason="needs the extra onnx")
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    score = helper.make_tensor_value_info("score", 1, [None, 1])
    graph = helper.make_graph(nodes, "logistic", inputs, [score], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@cache
def _logistic(width: int) -> Any:
    """A logistic score in which a missing value adds nothing, as a graph of plain operators."""
    helper = pytest.importorskip("onnx.helper", reason="needs the extra onnx")
    numpy_helper = pytest.importorskip("onnx.numpy_helper", reason="needs the extra onnx")
    weights = np.linspace(0.01, -0.02, width, dtype=np.float32).reshape(width, 1)
    nodes = [
        helper.make_node("IsNaN", ["rows"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "rows"], ["known"]),
        helper.make_node("MatMul", ["known", "weights"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["score"]),
    ]
    held = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.zeros((1, 1), dtype=np.float32), "zero"),
    ]
    return _node([helper.make_tensor_value_info("rows", 1, [None, width])], nodes, held)


class TestXgboostWithTexts(ModelRuntimeConformance):
    @pytest.fixture
    def runtime(self) -> ModelRuntime:
        return XgboostRuntime()

    @pytest.fixture
    def fitted(self) -> Fitted:
        return _xgboost(), MIXED, ROWS, LEVELS


class TestXgboostOfNumbers(ModelRuntimeConformance):
    @pytest.fixture
    def runtime(self) -> ModelRuntime:
        return XgboostRuntime()

    @pytest.fixture
    def fitted(self) -> Fitted:
        return _xgboost_regressor(), NUMBERS, VALUES, {}


class TestLightgbmWithTexts(ModelRuntimeConformance):
    @pytest.fixture
    def runtime(self) -> ModelRuntime:
        return LightgbmRuntime()

    @pytest.fixture
    def fitted(self) -> Fitted:
        return _lightgbm(), MIXED, ROWS, LEVELS


class TestLightgbmOfNumbers(ModelRuntimeConformance):
    @pytest.fixture
    def runtime(self) -> ModelRuntime:
        return LightgbmRuntime()

    @pytest.fixture
    def fitted(self) -> Fitted:
        return _lightgbm_regressor(), NUMBERS, VALUES, {}


class TestOnnxWithTexts(ModelRuntimeConformance):
    @pytest.fixture
    def runtime(self) -> ModelRuntime:
        return OnnxRuntime()

    @pytest.fixture
    def fitted(self) -> Fitted:
        return _logistic(5), MIXED, ROWS, LEVELS


class TestOnnxOfNumbers(ModelRuntimeConformance):
    @pytest.fixture
    def runtime(self) -> ModelRuntime:
        return OnnxRuntime()

    @pytest.fixture
    def fitted(self) -> Fitted:
        return _logistic(3), NUMBERS, VALUES, {}
