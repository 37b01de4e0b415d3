from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mlwright.adapters.runtimes.converting import OnnxConverter
from mlwright.adapters.runtimes.sklearn import SklearnRuntime
from mlwright.model.registry import Field, Signature
from mlwright.testing.conformance.converters import ConverterConformance
from mlwright.testing.fakes.converters import CopyingConverter
from mlwright.testing.fakes.runtimes import LinearModel, LinearRuntime

SIGNATURE = Signature(inputs=(Field(name="x", type="double"),), outputs=(Field(name="score", type="double"),))


def saved(runtime, model, folder: Path) -> Path:
    folder.mkdir()
    runtime.save(model, folder, signature=SIGNATURE, example={"x": [0.0, 1.0]}, categories={})
    return folder


@pytest.mark.filterwarnings("ignore")
class TestOnnxConverter(ConverterConformance):
    @pytest.fixture
    def converter(self) -> OnnxConverter:
        for library in ("onnxruntime", "skl2onnx", "onnxmltools"):
            pytest.importorskip(library, reason="the extra optimize is not installed")
        return OnnxConverter()

    @pytest.fixture
    def convertible(self, tmp_path: Path) -> Path:
        model = LogisticRegression().fit(np.arange(10.0)[:, None], np.arange(10) > 4)
        return saved(SklearnRuntime(), model, tmp_path / "model")


class TestCopyingConverter(ConverterConformance):
    @pytest.fixture
    def converter(self) -> CopyingConverter:
        return CopyingConverter()

    @pytest.fixture
    def convertible(self, tmp_path: Path) -> Path:
        return saved(LinearRuntime(), LinearModel(weights={"x": 1.0}), tmp_path / "model")
