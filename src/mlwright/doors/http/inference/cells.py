"""Values of JSON bodies, one by one and as tensors, whatever the protocol."""

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import numpy as np

from mlwright.errors import Fault
from mlwright.model.batches import DTYPES, REAL, WHOLE, Array
from mlwright.model.registry import Field

MOST_FAULTS: Final = 20

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN: Final = 40
_SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})
_DEEPEST: Final = 16


def first(faults: Iterable[Fault]) -> list[Fault]:
    """Those of them that are said: a body may have millions."""
    return list(islice(faults, MOST_FAULTS))


def instant(text: object) -> int | None:
    """Microseconds since 1970 UTC of a number or an ISO 8601 time (UTC where it does not say), or None."""
    if type(text) is int:
        return text
    if not isinstance(text, str):
        return None
    try:
        if text.lstrip("-").isdecimal() and len(text) < _SHOWN:
            return int(text)
        read = datetime.fromisoformat(text)
        read = read if read.tzinfo else read.replace(tzinfo=UTC)
        return (read - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None


def settled(each: Field, column: list[Any], faults: list[Fault]) -> list[Any]:
    """One column of plain values, with times and bytes read from the texts that stand for them in JSON."""
    if each.type == "datetime":
        read: list[Any] = [None if value is None else instant(value) for value in column]
        faults += first(
            Fault(where=f"{each.name}[{row}]", what=f"{shown(value)} is no time in ISO 8601")
            for row, value in enumerate(column)
            if value is not None and read[row] is None
        )
        return read
    if each.type == "binary":
        return [from_base64(f"{each.name}[{row}]", value, faults) for row, value in enumerate(column)]
    kinds = set(map(type, column))
    if bytes in kinds and each.type == "string":
        return [_text(f"{each.name}[{row}]", value, faults) for row, value in enumerate(column)]
    if not kinds <= _SCALARS:
        faults += first(
            Fault(where=f"{each.name}[{row}]", what=f"must be one {each.type}, not {shown(value)}")
            for row, value in enumerate(column)
            if type(value) not in _SCALARS
        )
    return column


def from_base64(where: str, value: object, faults: list[Fault]) -> bytes | None:
    """Bytes, from what stands for them in JSON."""
    if value is None or isinstance(value, bytes):
        return value
    try:
        if isinstance(value, str):
            return a2b_base64(value, strict_mode=False)
    except (Base64Error, ValueError):
        pass
    if len(faults) < MOST_FAULTS:
        faults.append(Fault(where=where, what=f"{shown(value)} is no text in base64"))
    return None


def _text(where: str, value: object, faults: list[Fault]) -> object:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        if len(faults) < MOST_FAULTS:
            faults.append(Fault(where=where, what="is no text in UTF-8"))
        return None


def shown(value: object) -> str:
    """A value of the client's in a message, short."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, int) and abs(value) > 2**64:
        return "a very large number"
    text = repr(value if not isinstance(value, str) else value[:_SHOWN])
    return text if len(text) <= _SHOWN + 2 else f"{text[:_SHOWN]}…"


def tensor(each: Field, nested: Sequence[object], faults: list[Fault]) -> Array | None:
    """Rows of a tensor field out of nested lists: shape (rows, *field.shape); what is wrong goes to ``faults``."""
    try:
        raw = np.asarray(nested)
    except (ValueError, TypeError, OverflowError, RecursionError):
        faults.append(Fault(where=each.name, what="its lists differ in length or hold more than values"))
        return None
    if raw.ndim > _DEEPEST or not _holds(each, raw):
        faults.append(Fault(where=each.name, what=f"holds values that are no {each.type}"))
        return None
    with np.errstate(over="ignore"):  # what is too large for a float32 is infinite there
        return shaped(each, raw.astype(DTYPES[each.type], copy=False), faults)


def shaped(each: Field, array: Array, faults: list[Fault]) -> Array | None:
    """The array where it has the shape of the field, rows first."""
    wanted = (-1, *each.shape)
    if array.ndim == len(wanted) and all(
        want in (-1, got) for want, got in zip(wanted, array.shape, strict=True)
    ):
        return array
    faults.append(
        Fault(where=each.name, what=f"shape is {list(array.shape)}, but the model takes {list(wanted)}")
    )
    return None


def _holds(each: Field, raw: Array) -> bool:
    """Whether values of this kind can be those of the field: no texts for numbers, no fractions for whole numbers."""
    kind = raw.dtype.kind
    if each.type in ("string", "binary"):
        return kind in "UO" and {str, bytes}.issuperset(map(type, raw.ravel().tolist()))
    if kind == "O":  # whole numbers of more than 64 bits, null, texts among numbers
        return each.type in REAL and _floats(raw)
    if each.type == "boolean":
        return kind == "b"
    if each.type in WHOLE:
        if kind not in "iu" or not raw.size:
            return kind in "iuf" and not raw.size
        limits = np.iinfo(DTYPES[each.type])
        return int(raw.min()) >= limits.min and int(raw.max()) <= limits.max
    return kind in "iuf"


def _floats(raw: Array) -> bool:
    try:
        return {int, float, type(None)}.issuperset(map(type, raw.ravel().tolist())) and bool(
            np.asarray(raw, dtype=np.float64) is not None
        )
    except (OverflowError, TypeError, ValueError):
        return False
