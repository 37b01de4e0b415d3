"""All runtimes, in the order in which they are asked whether they load a folder."""

from mlwright.adapters.runtimes.functions import FunctionRuntime
from mlwright.adapters.runtimes.lightgbm import LightgbmRuntime
from mlwright.adapters.runtimes.onnx import OnnxRuntime
from mlwright.adapters.runtimes.pyfunc import PyfuncRuntime
from mlwright.adapters.runtimes.pytorch import PytorchRuntime
from mlwright.adapters.runtimes.sklearn import SklearnRuntime
from mlwright.adapters.runtimes.xgboost import XgboostRuntime
from mlwright.ports.runtimes import ModelRuntime


def all_runtimes() -> tuple[ModelRuntime, ...]:
    """One of each. Making them imports none of their libraries.

    Those of a library come first: they are faster than MLflow's general flavor, which loads everything and is last.
    """
    return (
        SklearnRuntime(),
        OnnxRuntime(),
        XgboostRuntime(),
        LightgbmRuntime(),
        PytorchRuntime(),
        FunctionRuntime(),
        PyfuncRuntime(),
    )
