"""The runtime for ONNX graphs: the flavor ``onnx`` of MLflow, run by ONNX Runtime."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from mlwright.adapters.runtimes.folder import lacking, read_package
from mlwright.errors import MissingExtra
from mlwright.model.registry import Signature
from mlwright.ports.runtimes import LoadedModel


class OnnxRuntime:
    """Saves graphs (``onnx.ModelProto``), and loads those that MLflow or mlwright stored.

    A graph usually computes in float32 what the library that it was converted from computes in float64. Answers then
    differ in the seventh digit and, where a value lies between a threshold of a tree and its rounding, by a leaf.

    The methods import onnxruntime when they are called: it takes 0.2 s.
    """

    @property
    def flavor(self) -> str:
        """``onnx``."""
        return "onnx"

    def accepts(self, model: object) -> bool:
        """Whether this is a graph."""
        kind = type(model)
        return kind.__name__ == "ModelProto" and kind.__module__.split(".")[0] == "onnx"

    def save(
        self,
        model: object,
        folder: Path,
        *,
        signature: Signature,
        example: Mapping[str, Sequence[object]],
        categories: Mapping[str, Sequence[str]],
    ) -> None:
        """Write the folder; see ``ModelRuntime.save``.

        Where the signature names one number a row, the stored graph gives just that, by its name: of a classifier
        with two classes the probability of the second, whatever else (labels, maps) the graph that is handed in gives.
        MLflow predicts from the folder too, unless there are text inputs with categories, which it does not know.

        Raises:
            UsageError: the model is not one that :meth:`accepts`, a text input has no categories, or the model gives
                several numbers a row where the signature names one.
            SignatureMismatch: the example does not fit the signature, or the graph does not.
            MissingExtra: onnxruntime is not installed.
        """
        _require()
        from mlwright.adapters.runtimes import onnx_graphs  # costs 0.4 s

        onnx_graphs.save(model, folder, signature=signature, example=example, categories=categories)

    def lacks(self, folder: Path) -> tuple[str, ...]:
        """ONNX Runtime, where it is not installed: any version reads the graphs of an older one."""
        package = read_package(folder)
        package.flavor(self.flavor)
        listed = [each for each in package.requirements if each.startswith("onnxruntime")]
        return lacking(listed or ["onnxruntime"])

    def load(self, folder: Path) -> LoadedModel:
        """Load a folder; see ``ModelRuntime.load``.

        Raises:
            MissingExtra: onnxruntime is not installed.
        """
        package = read_package(folder)
        package.flavor(self.flavor)
        _require()
        from mlwright.adapters.runtimes import onnx_sessions  # costs 0.2 s

        return onnx_sessions.load(package)


def _require() -> None:
    if find_spec("onnxruntime") is None:
        raise MissingExtra.needed("a model in ONNX", "onnx")
