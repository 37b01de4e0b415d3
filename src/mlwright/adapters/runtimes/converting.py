"""Converting model folders into the flavor ``onnx``: scikit-learn, XGBoost, LightGBM, PyTorch."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from mlwright.adapters.runtimes.folder import read_package
from mlwright.errors import MissingExtra, Unsupported

_FLAVORS: Final = ("sklearn", "xgboost", "lightgbm", "pytorch")
_NEEDED: Final = ("onnx", "onnxruntime", "skl2onnx", "onnxmltools")
_NEEDED_FOR_TORCH: Final = ("onnx", "onnxruntime", "torch", "onnxscript")


class OnnxConverter:
    """Converts into graphs of float32, texts encoded before the graph as they are before the model.

    The methods import the libraries when they are called: together they take a second, with torch five.
    """

    @property
    def target(self) -> str:
        """``onnx``."""
        return "onnx"

    def converts(self, flavors: Sequence[str]) -> bool:
        """Whether one of them is of scikit-learn, XGBoost, LightGBM or PyTorch, and it is no graph already."""
        return "onnx" not in flavors and any(each in _FLAVORS for each in flavors)

    def convert(self, folder: Path, into: Path, *, quantize: str = "none") -> str:
        """Write the folder; see ``ModelConverter.convert``.

        Raises:
            Unsupported: the model has no form in ONNX, or nothing in it can be quantised.
            ModelLoadFailed: the folder does not load here.
            MissingExtra: a library that is needed for it is not installed.
        """
        package = read_package(folder)
        flavor = next((each for each in _FLAVORS if each in package.flavors), None)
        if flavor is None or "onnx" in package.flavors:
            has = ", ".join(sorted(package.flavors))
            raise Unsupported(
                f"a model of {has} cannot be converted to ONNX", why=f"converted are {', '.join(_FLAVORS)}"
            )
        needed = _NEEDED_FOR_TORCH if flavor == "pytorch" else _NEEDED
        missing = [each for each in needed if find_spec(each) is None]
        if missing:
            raise MissingExtra.needed(f"converting a model to ONNX ({', '.join(missing)})", "optimize")
        from mlwright.adapters.runtimes import converting_graphs  # costs 1 s, see above

        converting_graphs.convert(package, flavor, into, quantize=quantize)
        return "onnx"
