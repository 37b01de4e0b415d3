"""The binary tensor data extension of the Open Inference Protocol, as Triton defines it.

Form: ``docs/protocol/extension_binary_data.md`` of triton-inference-server. The body is JSON of
``inference-header-content-length`` bytes, then the tensors that have a ``binary_data_size``, in their order:
little-endian, row-major; BYTES are a length of four bytes and then the bytes, each.
"""

from collections.abc import Sequence
from math import prod
from struct import Struct
from typing import Any, Final

import numpy as np

from mlwright.doors.http.inference.cells import MOST_FAULTS
from mlwright.doors.http.inference.exchange import Request
from mlwright.doors.http.inference.parsing import refused
from mlwright.doors.http.inference.tensors import NUMPY, Tensor, sensible
from mlwright.errors import BadRequest, Fault, near_match
from mlwright.model.batches import Array

LENGTH: Final = "inference-header-content-length"
SIZE: Final = "binary_data_size"

_UINT32: Final = Struct("<I")


def header_of(request: Request) -> int:
    """How many bytes of the body are JSON.

    Raises:
        BadRequest: the header is no number, or is more than the body has.
    """
    told = request.headers[LENGTH]
    length = int(told) if told.isascii() and told.isdecimal() and len(told) < 20 else -1
    if not 0 < length <= len(request.body):
        raise refused(
            [
                Fault(
                    where=LENGTH,
                    what=f"must be 1 to {len(request.body)}, the body's length, not {told[:20]!r}",
                )
            ]
        )
    return length


def filled(tensors: Sequence[Tensor], body: bytes, start: int) -> None:
    """Give each tensor with a ``binary_data_size`` its data from the body: an array, or for BYTES a list of bytes.

    Raises:
        BadRequest: sizes, shapes, datatypes and the length of the body do not agree; with every fault.
    """
    faults: list[Fault] = []
    at = start
    for tensor in tensors:
        size = (tensor.parameters or {}).get(SIZE)
        if size is None:
            continue
        if type(size) is not int or size < 0:
            faults.append(Fault(where=f"{tensor.name}.parameters.{SIZE}", what="must be a number of bytes"))
            break
        if at + size > len(body):
            faults.append(
                Fault(where=tensor.name, what=f"says {size} bytes, but the body has {len(body) - at} left")
            )
            break
        found = read(tensor, body, at, size, faults)
        if found is not None:
            tensor.data = found
        at += size
    else:
        if at != len(body):
            faults.append(Fault(where="$", what=f"{len(body) - at} bytes of the body belong to no tensor"))
    if faults:
        raise BadRequest("the binary tensors cannot be read", faults=faults[:MOST_FAULTS])


def read(  # noqa: PLR0911 - one way out for each thing that can be wrong
    tensor: Tensor, body: bytes, at: int, size: int, faults: list[Fault]
) -> Array | list[Any] | None:
    """A tensor's data in ``size`` bytes of the body from ``at`` on: an array of its shape, or for BYTES a list; None
    where ``faults`` say why there is none."""
    name, shape = tensor.name, tensor.shape
    if isinstance(tensor.data, list):
        faults.append(Fault(where=name, what=f"has both data and {SIZE}"))
        return None
    dtype = NUMPY.get(tensor.datatype)
    if dtype is None:
        what = f"datatype {tensor.datatype[:40]!r} is not one of {', '.join(NUMPY)}"
        faults.append(Fault(where=name, what=what, near=near_match(tensor.datatype[:40], NUMPY)))
        return None
    if not sensible(shape):
        faults.append(
            Fault(where=name, what=f"shape must be [rows, …] with lengths from 1 on, not {shape[:20]}")
        )
        return None
    values = prod(shape)
    if dtype == "O":
        return _texts(tensor, body[at : at + size], values, faults)
    width = np.dtype(dtype).itemsize
    if values * width != size:
        what = f"shape {shape} of {tensor.datatype} is {values * width} bytes, not {size}"
        faults.append(Fault(where=name, what=what))
        return None
    if dtype == "?":  # any byte but 0 is true; NumPy would keep a 2 as it is
        truths: Array = np.frombuffer(body, "u1", values, at) != 0
        return truths.reshape(shape)
    return np.frombuffer(body, dtype, values, at).reshape(shape)


def _texts(tensor: Tensor, raw: bytes, values: int, faults: list[Fault]) -> list[Any] | None:
    texts: list[bytes] = []
    at, end = 0, len(raw)
    while at + 4 <= end and len(texts) < values:
        (length,) = _UINT32.unpack_from(raw, at)
        at += 4 + length
        if at > end:
            break
        texts.append(raw[at - length : at])
    if len(texts) != values or at != end:
        what = (
            f"shape {tensor.shape} says {values} texts, but {end} bytes hold {len(texts)} whole ones and more"
        )
        faults.append(
            Fault(where=tensor.name, what=what if at != end else f"says {values} texts, has {len(texts)}")
        )
        return None
    return texts


def packed(array: Array) -> bytes:
    """An output in the extension's form."""
    if array.dtype.kind in "OU":
        return packed_texts(array.ravel().tolist())
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()


def packed_texts(texts: Sequence[object]) -> bytes:
    """Texts or bytes, each behind its length; what is missing is empty."""
    parts: list[bytes] = []
    for text in texts:
        raw = text if isinstance(text, bytes) else b"" if text is None else str(text).encode(errors="replace")
        parts += (_UINT32.pack(len(raw)), raw)
    return b"".join(parts)
