"""ONNX graphs in memory.

A graph takes either one matrix, which all inputs of the signature make up in their order, or one tensor for each input,
by name: columns as shape (rows, 1) or (rows,), and tensors as they are. Its outputs are tensors, or what skl2onnx calls
a zipmap: a list of one mapping a row from class to probability, which becomes one vector a row.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from mlwright.adapters.runtimes.columns import MatrixEncoder, fits_matrix, width_of
from mlwright.adapters.runtimes.folder import MLMODEL, Package, failed
from mlwright.adapters.runtimes.outputs import empty, shaped
from mlwright.adapters.runtimes.schemas import type_of
from mlwright.errors import ModelLoadFailed, SignatureMismatch
from mlwright.model.batches import DTYPES, NUMBERS, Array, Batch
from mlwright.model.registry import Field, Signature

Feed = Callable[[Batch], dict[str, Any]]

MODEL_FILE: Final = "model.onnx"
_PROVIDERS: Final = ("CUDAExecutionProvider", "CPUExecutionProvider")
_DTYPES: Final[Mapping[str, str]] = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
    **{f"tensor({sign}int{bits})": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
_FATAL: Final = 3  # ONNX Runtime otherwise prints warnings about each graph


class LoadedOnnx:
    """A graph in memory. It answers on one thread: the server has a process for each core."""

    def __init__(
        self, session: onnxruntime.InferenceSession, signature: Signature, feed: Feed, names: Sequence[str]
    ) -> None:
        self.signature: Final = signature
        self._run = session.run
        self._feed = feed
        self._names = list(names)
        self._outputs = signature.outputs
        self._dtypes = [np.dtype(DTYPES[each.type]) for each in signature.outputs]

    def infer(self, batch: Batch) -> Mapping[str, Array]:
        """Answer rows; see ``LoadedModel.infer``.

        Raises:
            SignatureMismatch: the graph refuses the values.
        """
        if not batch.rows:
            return {each.name: empty(each) for each in self._outputs}
        feed = self._feed(batch)
        try:
            answers = self._run(self._names, feed)
        except (
            Exception
        ) as error:  # ONNX Runtime has a dozen exceptions, all below RuntimeError or ValueError
            raise SignatureMismatch("the graph refuses the values", why=_short(error)) from error
        given = {}
        for each, dtype, answer in zip(self._outputs, self._dtypes, answers, strict=True):
            if type(answer) is not np.ndarray:
                answer = _unzipped(answer)
            if answer.dtype is not dtype or answer.ndim != 1 + len(each.shape):
                answer = shaped(each, answer)
            given[each.name] = answer
        return given

    def close(self) -> None:
        """It holds nothing but memory, which goes with it."""


def load(package: Package) -> LoadedOnnx:
    """Load a folder; see ``ModelRuntime.load``."""
    flavor = package.flavor("onnx")
    path = package.file(flavor.get("data"), MODEL_FILE)
    if path.is_dir():
        path = package.file(f"{flavor['data']}/{MODEL_FILE}")
    try:
        session = session_of(path)
    except Exception as error:  # a damaged file makes ONNX Runtime raise a dozen sorts of errors
        raise failed(f"{path.name} cannot be loaded", path, error) from error
    where = package.folder / MLMODEL
    try:
        return loaded(session, package.signature, package.categories)
    except ModelLoadFailed as error:
        raise ModelLoadFailed(error.what, where=str(where), why=error.why) from error


def session_of(graph: Path | bytes) -> onnxruntime.InferenceSession:
    """A session on the GPU where onnxruntime has one and on one thread where not.

    More threads cost more than they save on the batches of a server: a graph of 100 trees answers 64 rows in 58 µs.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    there = onnxruntime.get_available_providers()
    providers = [each for each in _PROVIDERS if each in there]
    source = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(source, options, providers=providers)


def loaded(
    session: onnxruntime.InferenceSession,
    signature: Signature | None,
    categories: Mapping[str, Sequence[str]],
) -> LoadedOnnx:
    """A graph behind a signature; where there is none, or its outputs are not those of the graph, behind the graph's.

    Raises:
        ModelLoadFailed: the inputs of the signature are not those of the graph.
    """
    given = session.get_outputs()
    inputs = signature.inputs if signature else tuple(map(_field, session.get_inputs()))
    outputs = signature.outputs if signature else ()
    names = [each.name for each in given]
    chosen = [each.name for each in outputs]
    if not set(chosen) <= set(names) or not chosen:
        if len(outputs) != len(given):
            outputs = tuple(map(_field, given))
        chosen = names
    whole = Signature(inputs=inputs, outputs=outputs)
    return LoadedOnnx(session, whole, _feeder(session, whole, categories), chosen)


def _feeder(
    session: onnxruntime.InferenceSession, signature: Signature, categories: Mapping[str, Sequence[str]]
) -> Feed:
    """How a batch becomes what the graph takes.

    Raises:
        ModelLoadFailed: it cannot.
    """
    taken = session.get_inputs()
    by_name = {each.name: each for each in taken}
    if not set(signature.input_names) <= set(by_name) and len(signature.inputs) == len(taken):
        by_name = {each.name: one for each, one in zip(signature.inputs, taken, strict=True)}
    alone = taken[0]
    columns = not any(each.shape for each in signature.inputs)
    if len(taken) == 1 and columns and len(alone.shape) == 2 and fits_matrix(signature, categories):
        return _matrix(alone, signature, categories)
    if set(signature.input_names) != set(by_name):
        wants = ", ".join(each.name for each in taken)
        has = ", ".join(signature.input_names)
        raise ModelLoadFailed("the graph has other inputs than the signature", why=f"{wants}; not {has}")
    encoders = {
        each.name: MatrixEncoder(Signature(inputs=(each,), outputs=()), {each.name: categories[each.name]})
        for each in signature.inputs
        if each.name in categories
    }
    makers = [(each, _maker(each, by_name[each.name], encoders.get(each.name))) for each in signature.inputs]
    fed = [(by_name[each.name].name, make) for each, make in makers]
    return lambda batch: {name: make(batch) for name, make in fed}


def _matrix(alone: Any, signature: Signature, categories: Mapping[str, Sequence[str]]) -> Feed:
    width = alone.shape[1]
    if isinstance(width, int) and width != width_of(signature):
        why = f"the graph takes {width}, the signature names {width_of(signature)}"
        raise ModelLoadFailed("the graph has another number of inputs", why=why)
    dtype = _dtype(alone)
    floats = dtype if dtype in ("float32", "float64") else "float64"
    encoder, name = MatrixEncoder(signature, categories, dtype=floats), alone.name
    if dtype != floats:
        return lambda batch: {name: encoder.encode(batch).astype(dtype)}
    return lambda batch: {name: encoder.encode(batch)}


def _maker(each: Field, taken: Any, encoder: MatrixEncoder | None) -> Callable[[Batch], Array]:
    """One input of the graph out of a batch; one that is absent is missing in every row."""
    dtype, dims = np.dtype(_dtype(taken)), len(taken.shape)
    texts = dtype.kind == "O"
    if texts != (each.type in ("string", "binary")) and encoder is None:
        why = f"the graph takes {taken.type}, the signature {each.type}"
        raise ModelLoadFailed(f"input {each.name!r} has another type in the graph", why=why)

    def make(batch: Batch) -> Array:
        if encoder is not None:
            column = encoder.encode(batch)
        elif batch.has(each.name):
            column = batch.column(each.name)
        else:
            column = np.full(batch.rows, None if texts else np.nan)
        if texts:
            column = np.array(["" if value is None else value for value in column.ravel()], dtype=object)
        elif dtype.kind in "iub" and column.dtype.kind == "f" and np.isnan(column).any():
            raise SignatureMismatch(
                f"{each.name!r} has a missing value, and the graph takes {dtype.name}", where=each.name
            )
        shape = (batch.rows, *column.shape[1:]) if each.shape else (batch.rows, 1)[:dims]
        return np.ascontiguousarray(column.reshape(shape), dtype=dtype)

    return make


def _field(node: Any) -> Field:
    """The field of an input or output of the graph; the length of a zipmap's vector is not known."""
    if node.type.startswith("seq(map("):
        return Field(name=node.name, type="float", shape=(-1,))
    dims = [size if isinstance(size, int) else -1 for size in node.shape[1:]]
    kind = type_of(np.dtype(_dtype(node)))
    if dims == [1] and kind not in NUMBERS:
        dims = []
    return Field(name=node.name, type=kind, shape=tuple(dims))


def _dtype(node: Any) -> str:
    if node.type not in _DTYPES:
        raise ModelLoadFailed(
            f"{node.name!r} of the graph is a {node.type}, which cannot be sent or answered"
        )
    return _DTYPES[node.type]


def _unzipped(answer: Any) -> Array:
    """A zipmap as one vector a row, its classes in the order of the first."""
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        return np.array([list(each.values()) for each in answer])
    return np.asarray(answer)


def _short(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:500]
