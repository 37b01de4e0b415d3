"""Named tensors of the Open Inference Protocol: their datatypes, and how their data becomes a column."""

from collections.abc import Mapping, Sequence
from itertools import chain
from math import prod
from typing import Any, Final

import msgspec
import numpy as np

from mlwright.doors.http.inference.cells import MOST_FAULTS, first, from_base64, settled, shaped, shown
from mlwright.doors.http.inference.parsing import Plan
from mlwright.errors import Fault, near_match
from mlwright.model.batches import Array
from mlwright.model.registry import Field
from mlwright.stages.serving.asks import Column

NUMPY: Final[Mapping[str, str]] = {
    "BOOL": "?",
    "UINT8": "<u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "<i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
    "BYTES": "O",
}
"""NumPy's dtype of each datatype. BF16 is not among them: NumPy has none."""

_NONE: Final = type(None)
TYPES: Final[Mapping[str, frozenset[type]]] = {
    "BYTES": frozenset({str, _NONE}),
    "BOOL": frozenset({bool, _NONE}),
    **{name: frozenset({int, _NONE}) for name in NUMPY if "INT" in name},
    **{name: frozenset({float, int, _NONE}) for name in NUMPY if name.startswith("FP")},
}
"""What JSON may hold for each datatype; null is a missing value."""

LIMITS: Final[Mapping[str, tuple[int, int]]] = {
    name: (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    for name, dtype in NUMPY.items()
    if "INT" in name
}
_LARGEST_FLOAT: Final = 2**1023
_MOST_DIMENSIONS: Final = 16


class Tensor(msgspec.Struct, kw_only=True, gc=False):
    """One named input."""

    name: str
    shape: list[int]
    datatype: str
    data: Any = msgspec.UNSET
    """A list, flat or nested; after the binary extension an array of the tensor's shape, or a flat list of bytes."""
    parameters: dict[str, Any] | None = None


class RequestedOutput(msgspec.Struct, kw_only=True, gc=False):
    """One output that the client wants."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct, kw_only=True, gc=False):
    """The body of ``POST /v2/models/{model}/infer``."""

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[RequestedOutput] | None = None
    parameters: dict[str, Any] | None = None


def column_of(  # noqa: PLR0911 - one way out for each kind of field
    plan: Plan, tensor: Tensor, faults: list[Fault]
) -> Column | None:
    """The column that a tensor holds, or None where ``faults`` say why there is none."""
    flat = checked(tensor, faults)
    if flat is None:
        return None
    each = plan.fields.get(tensor.name)
    shape = tensor.shape
    if each is None:
        return flat if len(shape) == 1 else _array(tensor, flat, faults)
    if each.shape:
        return _tensor_of(each, tensor, flat, faults)
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] != 1):
        faults.append(Fault(where=tensor.name, what=f"shape must be [n] or [n, 1], not {shape}"))
        return None
    if isinstance(flat, np.ndarray):
        return flat
    wanted = "INT64" if tensor.name == plan.form.timestamp else "BYTES"
    if tensor.name in (plan.form.entity, plan.form.timestamp) and tensor.datatype != wanted:
        faults.append(Fault(where=tensor.name, what=f"must be {wanted}, not {tensor.datatype}"))
        return None
    if tensor.datatype == "BYTES":
        return _texts(each, tensor, flat, faults)
    return settled(each, flat, faults)


def sensible(shape: Sequence[int]) -> bool:
    """Whether a tensor may have this shape. A length of 0 is refused: NumPy fails where the others are absurd."""
    return 0 < len(shape) <= _MOST_DIMENSIONS and min(shape) >= 1


def checked(tensor: Tensor, faults: list[Fault]) -> list[Any] | Array | None:
    """Its values, flat and row-major, held against its own datatype and shape; None where ``faults`` say why not."""
    name, shape = tensor.name, tensor.shape
    accepted = TYPES.get(tensor.datatype)
    if accepted is None:
        what = f"datatype {tensor.datatype[:40]!r} is not one of {', '.join(TYPES)}"
        faults.append(Fault(where=name, what=what, near=near_match(tensor.datatype[:40], TYPES)))
        return None
    if not sensible(shape):
        faults.append(
            Fault(where=name, what=f"shape must be [rows, …] with lengths from 1 on, not {shape[:20]}")
        )
        return None
    data = tensor.data
    if isinstance(data, np.ndarray):
        return data.reshape(-1)
    if data is msgspec.UNSET or not isinstance(data, list):
        faults.append(Fault(where=name, what="data must be a list"))
        return None
    flat = _flat(data, shape)
    if flat is None or len(flat) != prod(shape):
        said = (
            f"shape {shape} says {prod(shape)} values"
            if len(shape) > 1
            else f"shape says {prod(shape)} values"
        )
        has = f"data has {len(data)}" if flat is not None else "data is nested in another way"
        faults.append(Fault(where=name, what=f"{said}, {has}"))
        return None
    before = len(faults)
    if not accepted.issuperset(map(type, flat)) and not (
        tensor.datatype == "BYTES" and bytes in set(map(type, flat))
    ):
        faults += first(
            Fault(where=f"{name}[{row}]", what=f"{shown(value)} is not {tensor.datatype}")
            for row, value in enumerate(flat)
            if type(value) not in accepted
        )
    elif int in accepted:
        flat = _in_range(tensor, flat, faults)
    return flat if len(faults) == before else None


def _flat(data: list[Any], shape: Sequence[int]) -> list[Any] | None:
    """Nested data as flat data; None where it is nested in another way than the shape says."""
    for length in shape[1:]:
        kinds = set(map(type, data))
        if list not in kinds:
            return data
        if kinds != {list} or set(map(len, data)) != {length}:
            return None
        data = list(chain.from_iterable(data))
    return data


def _in_range(tensor: Tensor, data: list[Any], faults: list[Fault]) -> list[Any]:
    """Whole numbers that the datatype can hold; for a float they may be larger, as JavaScript writes 1e20."""
    whole = [value for value in data if type(value) is int]
    if not whole:
        return data
    low, high = LIMITS.get(tensor.datatype, LIMITS["INT64"])
    if min(whole) >= low and max(whole) <= high:
        return data
    ranged = list(data)
    wrong = 0
    for row, value in enumerate(data):
        if type(value) is not int or low <= value <= high:
            continue
        if tensor.datatype.startswith("FP") and abs(value) < _LARGEST_FLOAT:
            ranged[row] = float(value)
        elif wrong < MOST_FAULTS:
            wrong += 1
            number = str(value) if abs(value) < 2**64 else "the number"
            what = f"{number[:20]} is too large for {tensor.datatype}"
            faults.append(Fault(where=f"{tensor.name}[{row}]", what=what))
    return ranged


def _tensor_of(each: Field, tensor: Tensor, flat: list[Any] | Array, faults: list[Fault]) -> Array | None:
    if not isinstance(flat, np.ndarray) and tensor.datatype == "BYTES":
        flat = _texts(each, tensor, flat, faults)
    array = _array(tensor, flat, faults)
    return shaped(each, array, faults) if array is not None else None


def _array(tensor: Tensor, flat: list[Any] | Array, faults: list[Fault]) -> Array | None:
    if not isinstance(flat, np.ndarray):
        dtype = NUMPY[tensor.datatype]
        if None in flat and dtype[-2] != "f" and dtype != "O":
            faults.append(
                Fault(where=tensor.name, what=f"null has no place in a tensor of {tensor.datatype}")
            )
            return None
        filled = np.empty(len(flat), dtype=dtype)
        with np.errstate(over="ignore"):  # what is too large for a float32 is infinite there
            filled[:] = flat
        flat = filled
    return flat.reshape(tensor.shape)


def _texts(each: Field, tensor: Tensor, flat: list[Any], faults: list[Fault]) -> list[Any]:
    """BYTES as texts or bytes, by the field. In JSON bytes are base64 where ``content_type`` says so, else UTF-8."""
    if each.type == "binary":
        if (tensor.parameters or {}).get("content_type") == "base64":
            return [from_base64(f"{each.name}[{row}]", value, faults) for row, value in enumerate(flat)]
        return [value.encode() if isinstance(value, str) else value for value in flat]
    if bytes in set(map(type, flat)):
        flat = settled(Field(name=each.name, type="string"), flat, faults)
    return settled(each, flat, faults) if each.type == "datetime" else flat
