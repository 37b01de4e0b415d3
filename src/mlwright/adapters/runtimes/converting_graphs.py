"""Models of other libraries as ONNX graphs. Importing this imports onnx; each library when it is needed.

A graph takes the matrix that the model took, in the order of the signature. Of several outputs it keeps the one that
the signature means: labels where that is a whole number or a text, else the probabilities or values.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

from mlwright.adapters.runtimes import onnx_graphs
from mlwright.adapters.runtimes.columns import fits_matrix, width_of
from mlwright.adapters.runtimes.folder import MLMODEL, Package, failed, read_example
from mlwright.errors import MlwrightError, Unsupported
from mlwright.model.batches import Columns, batch_of
from mlwright.model.registry import Signature

_INPUT: Final = "X"
_ORDERED: Final = "mlwright_ordered"
_ORDER: Final = "mlwright_order"
_REAL: Final = frozenset({"double", "float", "float16"})
_WEIGHTED: Final = frozenset({"MatMul", "Gemm", "Conv", "LSTM", "GRU", "Attention"})
_OPSETS: Final = {"": 18, "ai.onnx.ml": 3}


def convert(package: Package, flavor: str, into: Path, *, quantize: str) -> None:
    """Write a folder of flavor ``onnx``; see ``ModelConverter.convert``."""
    with _quietly():
        try:
            graph, signature = _GRAPHS[flavor](package)
        except MlwrightError:
            raise
        except Exception as error:  # the converters raise whatever comes, for what they do not know
            said = str(error).strip().splitlines()
            raise Unsupported(
                "this model cannot be converted to ONNX",
                where=str(package.folder / MLMODEL),
                why=f"{type(error).__name__}: {said[0][:300] if said else ''}",
            ) from error
        if quantize != "none":
            graph = _quantised(graph)
    columns = {name: list(column) for name, column in _example(package, signature).items()}
    onnx_graphs.save(graph, into, signature=signature, example=columns, categories=package.categories)


def _of_sklearn(package: Package) -> tuple[Any, Signature]:
    if package.ours is not None:
        from mlwright.adapters.runtimes import estimators  # costs 0.5 s

        estimator, signature = estimators.held(package), package.ours.signature
        method = "predict_proba" if hasattr(estimator, "predict_proba") else "predict"
        return _graph_of_estimator(estimator, method, width_of(signature)), signature
    from mlwright.adapters.runtimes import pickled  # costs 0.5 s

    loaded = pickled.load(package)
    signature, bound = loaded.signature, loaded.method
    estimator, method = bound.__self__, bound.__name__
    _require_matrix(package, signature)
    names = tuple(map(str, getattr(estimator, "feature_names_in_", ())))
    graph = _graph_of_estimator(estimator, method, width_of(signature))
    return _named(_ordered(graph, signature, loaded.order or names), signature, method), signature


def _graph_of_estimator(estimator: Any, method: str, width: int) -> Any:
    from mlwright.adapters.runtimes import converting_trees  # costs 0.3 s of skl2onnx

    if method not in ("predict", "predict_proba"):
        raise Unsupported(f"what {method} of {type(estimator).__name__} gives has no form in ONNX")
    graph = converting_trees.histogram_graph(estimator, method, _INPUT, width)
    if graph is None:
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType

        options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else None
        graph = convert_sklearn(
            estimator,
            initial_types=[(_INPUT, FloatTensorType([None, width]))],
            options=options,
            target_opset=_OPSETS,
        )
    if len(graph.graph.output) > 1:
        wanted = "probabilities" if method == "predict_proba" else "label"
        _keep(graph, wanted)
    return graph


def _of_xgboost(package: Package) -> tuple[Any, Signature]:
    import xgboost
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    from mlwright.adapters.runtimes import xgboost_boosters

    signature = xgboost_boosters.load(package).signature
    path = package.file(package.flavor("xgboost").get("data"), "model.xgb")
    booster = xgboost.Booster()
    booster.load_model(bytearray(path.read_bytes()))
    booster = xgboost_boosters.booster_of(booster) or booster
    _require_matrix(package, signature)
    names, booster.feature_names = list(booster.feature_names or ()), None
    graph = convert_xgboost(
        booster, initial_types=[(_INPUT, FloatTensorType([None, booster.num_features()]))]
    )
    return _named(_ordered(graph, signature, names), signature, ""), signature


def _of_lightgbm(package: Package) -> tuple[Any, Signature]:
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    from mlwright.adapters.runtimes import lightgbm_boosters

    signature = lightgbm_boosters.load(package).signature
    booster, names = lightgbm_boosters.stored_booster(package)
    _require_matrix(package, signature)
    types = [(_INPUT, FloatTensorType([None, booster.num_feature()]))]
    graph = convert_lightgbm(booster, initial_types=types, zipmap=False)
    return _named(_ordered(graph, signature, names), signature, ""), signature


def _of_torch(package: Package) -> tuple[Any, Signature]:
    import torch

    from mlwright.adapters.runtimes import torch_files

    loaded = torch_files.load(package)
    signature = loaded.signature
    batch = batch_of(signature.inputs, _example(package, signature))
    with torch.no_grad():
        several, rows = torch_files.of_any_length(loaded.arguments(batch))
        program = torch.onnx.export(
            loaded.module,
            several,
            dynamo=True,
            dynamic_shapes=rows,
            input_names=[each.name for each in signature.inputs] if len(several) > 1 else [_INPUT],
            output_names=[each.name for each in signature.outputs] or None,
            verbose=False,
        )
    return program.model_proto, signature


_GRAPHS: Final[Mapping[str, Callable[[Package], tuple[Any, Signature]]]] = {
    "sklearn": _of_sklearn,
    "xgboost": _of_xgboost,
    "lightgbm": _of_lightgbm,
    "pytorch": _of_torch,
}


def _require_matrix(package: Package, signature: Signature) -> None:
    if not fits_matrix(signature, package.categories):
        wrong = [each.name for each in signature.inputs if each.type == "string" or each.shape]
        raise Unsupported(
            "only models that take numbers, or texts whose levels the folder names, can be converted",
            where=", ".join(wrong),
        )


def _named(graph: Any, signature: Signature, method: str) -> Any:
    """The graph with one output by the name of the signature's, where that is not one number a row.

    What is one number a row (of two classes the probability of the second) is chosen when the folder is written.
    """
    if len(signature.outputs) != 1:
        outputs = ", ".join(each.name for each in signature.outputs)
        raise Unsupported("only models with one output can be converted", where=outputs)
    output = signature.outputs[0]
    if len(graph.graph.output) > 1:
        _keep(graph, "label" if method == "predict" or output.type not in _REAL else "probabilities")
    if output.shape or output.type not in _REAL:
        [given] = graph.graph.output
        graph.graph.node.append(
            helper.make_node("Identity", [given.name], [output.name], name="mlwright_named")
        )
        kind = given.type.tensor_type.elem_type
        shape = [None, *(size if size > 0 else None for size in output.shape)]
        del graph.graph.output[:]
        graph.graph.output.append(helper.make_tensor_value_info(output.name, kind, shape))
    return graph


def _keep(graph: Any, name: str) -> None:
    """Drop the other outputs: what nobody reads costs time."""
    kept = [each for each in graph.graph.output if each.name == name]
    if not kept:
        has = ", ".join(each.name for each in graph.graph.output)
        raise Unsupported(f"the converted graph has no output {name!r}", why=f"it has {has}")
    del graph.graph.output[:]
    graph.graph.output.extend(kept)


def _ordered(graph: Any, signature: Signature, names: Sequence[str]) -> Any:
    """The graph with the columns in the order of the signature, where the model was fitted in another."""
    given = signature.input_names
    if not names or tuple(names) == given or sorted(names) != sorted(given):
        return graph
    order = np.array([given.index(name) for name in names], dtype=np.int64)
    for node in graph.graph.node:
        for at, name in enumerate(node.input):
            if name == _INPUT:
                node.input[at] = _ORDERED
    graph.graph.initializer.append(numpy_helper.from_array(order, _ORDER))
    graph.graph.node.insert(0, helper.make_node("Gather", [_INPUT, _ORDER], [_ORDERED], axis=1))
    return graph


def _quantised(graph: Any) -> Any:
    """The graph with 8-bit weights.

    Raises:
        Unsupported: it has no weights of that kind: the thresholds of trees are compared, not multiplied.
    """
    made_of = {node.op_type for node in graph.graph.node}
    if not made_of & _WEIGHTED:
        raise Unsupported(
            "nothing in this model can be quantised",
            why=f"it is made of {', '.join(sorted(made_of))}; only products with weights are",
        )
    from onnxruntime.quantization import QuantType, quantize_dynamic  # costs 0.5 s

    with TemporaryDirectory(prefix="mlwright-quantise-") as folder:
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        onnx.save_model(graph, whole)
        quantize_dynamic(whole, small, weight_type=QuantType.QInt8)
        return onnx.load_model(small)


def _example(package: Package, signature: Signature) -> Columns:
    """The input example of the folder; zeros where it has none, or none that fits."""
    columns = read_example(package)
    if columns is not None and all(name in columns for name in signature.input_names):
        return {name: columns[name] for name in signature.input_names}
    if any(each.type in ("string", "binary", "datetime") for each in signature.inputs):
        raise failed("the folder has no input example to try the graph with", package.folder / MLMODEL)
    return {each.name: np.zeros((1, *(max(1, size) for size in each.shape))) for each in signature.inputs}


@contextmanager
def _quietly() -> Iterator[None]:
    """The converters warn about versions and types that nobody here can change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
