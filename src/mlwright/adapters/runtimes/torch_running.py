"""PyTorch modules in memory. Importing this imports torch."""

import importlib
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mlwright.adapters.runtimes.columns import MatrixEncoder
from mlwright.adapters.runtimes.folder import failed
from mlwright.adapters.runtimes.schemas import type_of
from mlwright.errors import SignatureMismatch
from mlwright.model.batches import DTYPES, Array, Batch
from mlwright.model.registry import Field, Signature

# By name, so that its types are not needed where it is not installed.
torch: Final[Any] = importlib.import_module("torch")

THREADS: Final = "OMP_NUM_THREADS"
"""How many threads a process of torch takes, where it is set; one otherwise.

A process serves on one core, and a small network is slower on two threads than on one: 31 µs instead of 20 µs for one
row of 20 inputs and 64 hidden units, 132 µs instead of 68 µs for a thousand rows.
"""

DEVICE: Final = "MLWRIGHT_TORCH_DEVICE"
"""Where modules run, as torch names it (``cuda:1``); unless it is set ``cuda`` where there is one, else ``cpu``."""


def device() -> Any:
    """Where modules run."""
    return torch.device(os.environ.get(DEVICE) or ("cuda" if torch.cuda.is_available() else "cpu"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A module that is ready to be called."""

    call: Callable[..., Any]
    names: tuple[str, ...]
    """The names of its arguments; none where they are not known."""
    dtype: Any
    """Of its floating numbers."""
    device: Any
    fixed_rows: int | None = None
    """The one number of rows that it takes; None: any."""
    inputs: tuple[Any, ...] = ()
    """Tensors of the kind that it takes, where it says so itself."""

    @classmethod
    def of_module(cls, module: Any) -> "Graph":
        """A module or TorchScript module, moved to where it runs."""
        _limit_threads()
        place = device()
        module = module.to(place).eval()
        try:
            names = tuple(inspect.signature(module.forward).parameters)
        except (TypeError, ValueError):
            names = ()
        if isinstance(module, torch.jit.ScriptModule):
            names = tuple(each.name for each in module.forward.schema.arguments[1:])
        return cls(call=module, names=names, dtype=_floating(module.parameters()), device=place)

    @classmethod
    def of_program(cls, program: Any) -> "Graph":
        """An exported program. Its graph names the device that it was exported for; it is moved to a GPU."""
        _limit_threads()
        if device().type == "cuda":
            # no GPU was at hand to try this on
            passes = importlib.import_module("torch.export.passes")
            program = passes.move_to_device_pass(program, device())
        kinds = inspect.signature(program.module).parameters
        # The checks of its own at every call cost as much as a small network; what comes here was checked before.
        module = program.module(check_guards=False) if "check_guards" in kinds else program.module()
        tensors = list(program.state_dict.values())
        taken = [
            node.meta["val"]
            for node in program.graph.nodes
            if node.name in program.graph_signature.user_inputs
        ]
        fixed = {each.shape[0] for each in taken if each.ndim and isinstance(each.shape[0], int)}
        return cls(
            call=module.forward,
            names=tuple(inspect.signature(module.forward).parameters),
            dtype=_floating(tensors or taken),
            device=tensors[0].device if tensors else torch.device("cpu"),
            fixed_rows=fixed.pop() if len(fixed) == 1 else None,
            inputs=tuple(taken),
        )


class LoadedTorch:
    """A module with its signature. Safe to call from several threads: nothing in it changes after loading."""

    def __init__(self, graph: Graph, signature: Signature, categories: Mapping[str, Sequence[str]]) -> None:
        self.signature: Final = signature
        self._graph = graph
        self._encoder: Final = MatrixEncoder(signature, categories)
        self._names = tuple(each.name for each in signature.outputs)
        inputs = signature.input_names
        self._by_name = len(inputs) > 1 and set(inputs) <= set(graph.names)
        self._stacked = not self._by_name and all(not each.shape for each in signature.inputs)
        self._order = (
            tuple(each for each in graph.names if each in inputs) if self._by_name else signature.input_names
        )
        self._fields = {each.name: each for each in signature.inputs}

    def infer(self, batch: Batch) -> Mapping[str, Array]:
        """Answer rows; see ``LoadedModel.infer``.

        Raises:
            SignatureMismatch: the module refuses the values.
        """
        given = self.arguments(batch)
        try:
            with torch.inference_mode():
                found = self._called(given, batch.rows)
        except (RuntimeError, ValueError, IndexError) as error:
            raise SignatureMismatch("the module refuses the values", why=str(error).strip()) from error
        if self._names:
            return {
                each.name: _shaped(each, array)
                for each, array in zip(self.signature.outputs, self._chosen(found), strict=False)
            }
        return {name: _array(each) for name, each in _named(found).items()}

    @property
    def module(self) -> Any:
        """The module itself, for whoever makes something else of it."""
        return getattr(self._graph.call, "__self__", self._graph.call)

    def arguments(self, batch: Batch) -> list[Any]:
        """The tensors that the module is called with: one of all columns, or one for each input."""
        if self._stacked:
            matrix = self._encoder.encode(batch)
            return [torch.from_numpy(matrix).to(self._graph.device, self._graph.dtype)]
        return [self._tensor(self._fields[name], batch) for name in self._order]

    def close(self) -> None:
        """Let go of the module, and of what it holds on a GPU."""
        on_gpu = self._graph.device.type == "cuda"
        del self._graph
        if on_gpu:
            torch.cuda.empty_cache()

    def _tensor(self, each: Field, batch: Batch) -> Any:
        if not batch.has(each.name):
            raise SignatureMismatch(f"input {each.name!r} is missing", where=each.name)
        column = batch.column(each.name)
        if column.dtype.kind not in "fiub":
            raise SignatureMismatch(
                f"{each.name!r} is {each.type}, and a tensor holds numbers", where=each.name
            )
        array = np.ascontiguousarray(column)
        if not array.flags.writeable:
            array = array.copy()  # torch warns of memory that it could write to and must not
        return torch.from_numpy(array).to(self._graph.device)

    def _called(self, given: list[Any], rows: int) -> Any:
        size = self._graph.fixed_rows
        if size is None or size == rows:
            return self._graph.call(*given)
        if not rows:
            empty = self._graph.call(
                *[torch.zeros(size, *each.shape[1:], dtype=each.dtype) for each in given]
            )
            return _each(empty, lambda tensor: tensor[:0])
        parts = []
        for start in range(0, rows, size):
            part = [each[start : start + size] for each in given]
            short = size - len(part[0])
            if short:
                part = [torch.cat([each, each[-1:].expand(short, *each.shape[1:])]) for each in part]
            parts.append(self._graph.call(*part))
        return _joined(parts, rows)

    def _chosen(self, found: Any) -> list[Any]:
        named = _named(found)
        if isinstance(found, Mapping) and set(self._names) <= set(named):
            return [named[name] for name in self._names]
        if len(named) < len(self._names):
            raise SignatureMismatch(
                f"the module gives {len(named)} outputs, but the signature names {', '.join(self._names)}"
            )
        return list(named.values())


def program_fields(graph: Graph, path: Path) -> tuple[Field, ...]:
    """The inputs of an exported program, as it says them itself: for a folder without a signature.

    Raises:
        ModelLoadFailed: the module does not say what it takes.
    """
    if not graph.inputs or len(graph.names) != len(graph.inputs):
        raise failed(
            "the model has no signature: log it with signature=infer_signature(inputs, outputs)", path
        )
    return tuple(
        Field(
            name=name,
            type=type_of(np.dtype(str(each.dtype).removeprefix("torch."))),
            shape=tuple(size if isinstance(size, int) else -1 for size in each.shape[1:]),
        )
        for name, each in zip(graph.names, graph.inputs, strict=True)
    )


def _named(found: Any) -> dict[str, Any]:
    """Tensors by name: those of a dictionary, ``output``, or ``output_0``, ``output_1`` …"""
    if isinstance(found, Mapping):
        return {str(name): each for name, each in found.items()}
    if isinstance(found, tuple | list):
        names = getattr(found, "_fields", None) or (
            ["output"] if len(found) == 1 else [f"output_{at}" for at in range(len(found))]
        )
        return dict(zip(names, found, strict=True))
    return {"output": found}


def _array(tensor: Any) -> Array:
    array: Array = tensor.detach().cpu().numpy()
    return array


def _shaped(each: Field, tensor: Any) -> Array:
    array = _array(tensor)
    if not each.shape and array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    return array.astype(DTYPES[each.type], copy=False)


def _joined(parts: Sequence[Any], rows: int) -> Any:
    first = parts[0]
    if isinstance(first, Mapping):
        return {name: torch.cat([part[name] for part in parts])[:rows] for name in first}
    if isinstance(first, tuple | list):
        return [torch.cat(each)[:rows] for each in zip(*parts, strict=True)]
    return torch.cat(list(parts))[:rows]


def _each(found: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(found, Mapping):
        return {name: change(each) for name, each in found.items()}
    return [change(each) for each in found] if isinstance(found, tuple | list) else change(found)


def _floating(tensors: Any) -> Any:
    found = (each.dtype for each in tensors if each.dtype.is_floating_point)
    return next(found, torch.float32)


def _limit_threads() -> None:
    if not os.environ.get(THREADS):
        torch.set_num_threads(1)
