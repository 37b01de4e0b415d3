"""Columns by name to the matrix that an estimator takes, with every value's type checked."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlwright.errors import SignatureMismatch
from mlwright.model.registry import Field, Signature

Floats: TypeAlias = NDArray[np.float64]

_PLAIN: Final[dict[str, frozenset[type]]] = {
    "double": frozenset({float, int, type(None)}),
    "long": frozenset({int, type(None)}),
    "boolean": frozenset({bool, type(None)}),
}
_ACCEPTED: Final[dict[str, tuple[type, ...]]] = {
    "double": (float, int, np.floating, np.integer, type(None)),
    "long": (float, int, np.floating, np.integer, type(None)),
    "boolean": (bool, np.bool_, type(None)),
}
_ARRAYS: Final = {"double": "fiu", "long": "iu", "boolean": "b"}


class MatrixEncoder:
    """Encodes columns in the order of a signature.

    Texts become the position of their level (a level not listed, and None, become NaN), numbers and booleans
    become float64 with NaN for None.
    """

    def __init__(self, signature: Signature, categories: Mapping[str, Sequence[str]]) -> None:
        self._fields = signature.inputs
        self._codes = {
            name: {level: float(code) for code, level in enumerate(levels)}
            for name, levels in categories.items()
        }

    def encode(self, columns: Mapping[str, Sequence[object]]) -> Floats:
        """The matrix, float64, shape (rows, inputs).

        Raises:
            SignatureMismatch: a required column is missing, lengths differ, or a value has another type than
                declared; the message names column, row, expected and found type.
        """
        rows = self._rows(columns)
        matrix = np.empty((rows, len(self._fields)), dtype=np.float64)
        for index, each in enumerate(self._fields):
            column = columns.get(each.name)
            matrix[:, index] = np.nan if column is None else self._encode(each, column)
        return matrix

    def _rows(self, columns: Mapping[str, Sequence[object]]) -> int:
        lengths: dict[str, int] = {}
        for each in self._fields:
            column = columns.get(each.name)
            if column is not None:
                lengths[each.name] = len(column)
            elif each.required:
                raise SignatureMismatch(
                    f"column {each.name!r} is missing; the model needs it as {each.type}", where=each.name
                )
        if len(set(lengths.values())) > 1:
            raise SignatureMismatch(f"the columns have different numbers of rows: {lengths}")
        return next(iter(lengths.values()), 0)

    def _encode(self, each: Field, column: Sequence[object]) -> Floats:
        if each.type == "string":
            return _texts(each, column, self._codes[each.name])
        return _numbers(each, column)


def _texts(each: Field, column: Sequence[object], codes: Mapping[str, float]) -> Floats:
    try:
        found = [codes.get(value) for value in column]  # type: ignore[call-overload]
    except TypeError:  # a list or a mapping: not hashable
        found = [None]
    if None in found:
        for row, value in enumerate(column):
            if value is not None and not isinstance(value, str):
                raise _mismatch(each, row, value)
    return np.array(found, dtype=np.float64)


def _numbers(each: Field, column: Sequence[object]) -> Floats:
    values: object = column
    if isinstance(values, np.ndarray) and values.dtype.kind in _ARRAYS[each.type]:
        return values.astype(np.float64)
    types = set(map(type, column))
    if not types <= _PLAIN[each.type]:
        accepted = _ACCEPTED[each.type]
        for row, value in enumerate(column):
            if not isinstance(value, accepted) or (isinstance(value, bool) and each.type != "boolean"):
                raise _mismatch(each, row, value)
    # NumPy reads None as NaN where the dtype is a float
    try:
        numbers = np.array(column, dtype=np.float64)
    except OverflowError:
        row = next(row for row, value in enumerate(column) if _overflows(value))
        raise _mismatch(each, row, column[row]) from None
    if each.type == "long" and not types <= _PLAIN["long"]:
        broken = np.flatnonzero(np.isinf(numbers) | (numbers != np.floor(numbers)) & ~np.isnan(numbers))
        if len(broken):
            raise _mismatch(each, int(broken[0]), column[int(broken[0])])
    return numbers


def _overflows(value: Any) -> bool:
    try:
        float(0 if value is None else value)
    except OverflowError:
        return True
    return False


def _mismatch(each: Field, row: int, value: object) -> SignatureMismatch:
    shown = repr(value) if len(repr(value)) <= 40 else repr(value)[:37] + "…"
    return SignatureMismatch(
        f"row {row} of {each.name!r} is {shown} ({type(value).__name__}), but the model takes {each.type}",
        where=each.name,
    )
