"""ONNX graphs into folders."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from mlwright.adapters.runtimes.boosters import check_answers
from mlwright.adapters.runtimes.columns import text_categories
from mlwright.adapters.runtimes.folder import ours, write_package
from mlwright.adapters.runtimes.onnx_sessions import MODEL_FILE, loaded, session_of
from mlwright.errors import MissingExtra, ModelLoadFailed, SignatureMismatch, UsageError
from mlwright.model.batches import batch_of
from mlwright.model.registry import Signature

_LARGEST: Final = 1_900_000_000  # bytes; protobuf ends at 2 GiB
_CHOSEN: Final = "mlwright_chosen"
_ONE: Final = "mlwright_one"


def save(
    model: Any,
    folder: Path,
    *,
    signature: Signature,
    example: Mapping[str, Sequence[object]],
    categories: Mapping[str, Sequence[str]],
) -> None:
    """Write a folder; see ``ModelRuntime.save``."""
    if find_spec("onnx") is None:
        raise MissingExtra.needed("saving a model in ONNX", "onnx")
    import onnx  # costs 0.2 s; only the saving of a graph needs it

    if not isinstance(model, onnx.ModelProto):
        raise UsageError(f"{type(model).__name__} cannot be saved", why="it must be an onnx.ModelProto")
    used = _texts(signature, categories)
    graph = onnx.ModelProto()
    graph.CopyFrom(model)
    given = [each.name for each in graph.graph.output]
    if [each.name for each in signature.outputs] != given and len(signature.outputs) == 1:
        _choose(graph, signature.outputs[0].name)
    large = graph.ByteSize() > _LARGEST
    path = folder / MODEL_FILE
    onnx.save_model(graph, path, save_as_external_data=large, location="model.onnx.data" if large else None)
    try:
        held = loaded(session_of(path), signature, used)
        answers = held.infer(batch_of(signature.inputs, example))
        if held.signature != signature:
            raise UsageError("the graph has other outputs than the signature", why=", ".join(given))
        check_answers(signature, answers)
    except (UsageError, SignatureMismatch):
        _clear(folder)
        raise
    except Exception as error:  # ONNX Runtime has a dozen exceptions for a graph that it cannot run
        _clear(folder)
        why = error.why if isinstance(error, ModelLoadFailed) else str(error).split("\n", 1)[0]
        raise SignatureMismatch("the graph does not run behind this signature", why=why) from error
    write_package(
        folder,
        flavor="onnx",
        conf={"data": MODEL_FILE, "onnx_version": onnx.__version__, "providers": ["CPUExecutionProvider"]},
        function={"loader_module": "mlflow.onnx", "data": MODEL_FILE},
        signature=signature,
        example=example,
        answers=answers,
        requirements=("numpy", "onnx", "onnxruntime"),
        own=ours(signature, used),
    )


def _texts(signature: Signature, categories: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """The categories that are given; a text input without goes to the graph as a text."""
    fields = tuple(each for each in signature.inputs if each.name in categories)
    return text_categories(Signature(inputs=fields, outputs=()), categories)


def _choose(model: Any, name: str) -> None:
    """Make the graph give one output of this name: its only one, or of a classifier the second probability.

    MLflow could not put a label and two probabilities a row into one data frame, and labels that nobody reads cost
    time.

    Raises:
        UsageError: it has several outputs, and none is a probability of two classes.
    """
    from onnx import TensorProto, helper, numpy_helper  # it is there already

    graph = model.graph
    source, floats = _probabilities(graph)
    width = _width(graph, source)
    if width is not None and width > 2:
        raise UsageError(
            f"the graph gives {width} numbers a row for {name!r}, its signature says one",
            where=name,
            why="a model of several classes has a vector a row: declare the output with its shape",
        )
    if width == 2:
        graph.initializer.append(numpy_helper.from_array(np.array(1, dtype=np.int64), _ONE))
        graph.node.append(helper.make_node("Gather", [source, _ONE], [name], name=_CHOSEN, axis=1))
    else:
        graph.node.append(helper.make_node("Identity", [source], [name], name=_CHOSEN))
    kind = TensorProto.FLOAT if floats is None else floats
    del graph.output[:]
    shape = [None] if width == 2 else [None, width] if width is not None else None
    graph.output.append(helper.make_tensor_value_info(name, kind, shape))


def _probabilities(graph: Any) -> tuple[str, int | None]:
    """The tensor that holds the score, and its element type: what a zipmap is made of, or the output of floats."""
    zipmaps = {node.output[0]: node for node in graph.node if node.op_type == "ZipMap"}
    for each in graph.output:
        if each.name in zipmaps:
            node = zipmaps[each.name]
            graph.node.remove(node)
            return node.input[0], None
    floats = [each for each in graph.output if each.type.tensor_type.elem_type in (1, 10, 11)]
    if len(floats) != 1 and len(graph.output) != 1:
        names = ", ".join(each.name for each in graph.output)
        raise UsageError(
            "the graph has several outputs, and the signature names one of another name",
            why=f"it has {names}: name one of them in the signature",
        )
    only = floats[0] if len(floats) == 1 else graph.output[0]
    return only.name, only.type.tensor_type.elem_type


def _width(graph: Any, name: str) -> int | None:
    """How many numbers a row a tensor has: as the graph says, or the classes of the node that makes it."""
    for each in (*graph.output, *graph.value_info):
        dims = each.type.tensor_type.shape.dim
        if each.name == name and len(dims) == 2 and dims[1].HasField("dim_value"):
            return int(dims[1].dim_value)
    maker = next((node for node in graph.node if name in node.output), None)
    if maker is None:
        return None
    if maker.op_type in ("Normalizer", "Cast", "Identity"):
        return _width(graph, maker.input[0])
    for attribute in maker.attribute:
        if attribute.name.startswith("classlabels_"):
            return len(attribute.ints) or len(attribute.strings)
    return None


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
