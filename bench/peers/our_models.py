"""The bench's model as MLflow model folders, scikit-learn's and ONNX. Arguments: the bench's folder, where to write."""

import sys
from pathlib import Path

import joblib
import numpy as np
import onnx

from mlwright.adapters.runtimes import onnx as onnx_runtime
from mlwright.adapters.runtimes import sklearn as sklearn_runtime
from mlwright.model.registry import Field, Signature

work, home = Path(sys.argv[1]), Path(sys.argv[2])
names = [f"x{number}" for number in range(20)]
signature = Signature(
    inputs=tuple(Field(name=name, type="double") for name in names),
    outputs=(Field(name="score", type="double"),),
)
rows = np.load(work / "rows.npy")[:5]
example = {name: rows[:, at].tolist() for at, name in enumerate(names)}
for name, runtime, model in (
    ("gb", sklearn_runtime.SklearnRuntime(), joblib.load(work / "gb.joblib")),
    ("gb-onnx", onnx_runtime.OnnxRuntime(), onnx.load(work / "gb.onnx")),
):
    (home / name).mkdir()
    runtime.save(model, home / name, signature=signature, example=example, categories={})
