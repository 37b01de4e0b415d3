"""Rows as a model takes them: arrays by input name, the first axis being the rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlwright.errors import SignatureMismatch
from mlwright.model.registry import Field

Array: TypeAlias = NDArray[Any]
Columns: TypeAlias = Mapping[str, Sequence[object] | Array]

DTYPES: Final[Mapping[str, str]] = {
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "integer": "int32",
    "boolean": "bool",
    "string": "object",
    "binary": "object",
    "datetime": "datetime64[us]",
    "float16": "float16",
    "int8": "int8",
    "int16": "int16",
    "uint8": "uint8",
    "uint16": "uint16",
    "uint32": "uint32",
    "uint64": "uint64",
}
"""NumPy's name for each type a :class:`Field` may have: those of MLflow's column schema, then those that only tensors
have."""

DATATYPES: Final[Mapping[str, str]] = {
    "double": "FP64",
    "float": "FP32",
    "float16": "FP16",
    "long": "INT64",
    "integer": "INT32",
    "int8": "INT8",
    "int16": "INT16",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "boolean": "BOOL",
    "string": "BYTES",
    "binary": "BYTES",
    "datetime": "BYTES",
}
"""The Open Inference Protocol's name for each. A datetime is a text in ISO 8601, or INT64: microseconds."""

REAL: Final = frozenset({"double", "float"})
WHOLE: Final = frozenset({"long", "integer", "int8", "int16", "uint8", "uint16", "uint32", "uint64"})
NUMBERS: Final = REAL | WHOLE | {"boolean", "float16"}

_NONE: Final = type(None)
_LARGEST: Final = 40


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows for a model, with the types of its signature.

    Either ``columns`` holds an array of shape (rows, *field.shape) an input, or ``matrix`` holds all of them, shape
    (rows, inputs), floats in the order of ``names``. A missing value is NaN in numbers (whole numbers and booleans
    with one are float64) and None in texts.
    """

    rows: int
    columns: Mapping[str, Array] = field(default_factory=dict)
    matrix: Array | None = None
    names: tuple[str, ...] = ()

    def column(self, name: str) -> Array:
        """One input, by name.

        Raises:
            KeyError: the batch has no such input.
        """
        if self.matrix is None:
            return self.columns[name]
        try:
            return self.matrix[:, self.names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def has(self, name: str) -> bool:
        """Whether it has this input."""
        return name in (self.columns if self.matrix is None else self.names)

    def stacked(self, names: Sequence[str], dtype: str = "float64") -> Array:
        """All inputs as one matrix, C-contiguous, shape (rows, len(names)); an input that it has not is NaN.

        Raises:
            SignatureMismatch: an input is no number.
        """
        if self.matrix is not None and tuple(names) == self.names:
            return np.ascontiguousarray(self.matrix, dtype=dtype)
        stacked = np.empty((self.rows, len(names)), dtype=dtype)
        for at, name in enumerate(names):
            try:
                stacked[:, at] = self.column(name) if self.has(name) else np.nan
            except (TypeError, ValueError) as error:
                raise SignatureMismatch(f"column {name!r} is no number", where=name) from error
        return stacked

    def taken(self, rows: slice | Array) -> "Batch":
        """Some of the rows."""
        if self.matrix is not None:
            matrix = self.matrix[rows]
            return Batch(len(matrix), matrix=matrix, names=self.names)
        columns = {name: column[rows] for name, column in self.columns.items()}
        size = len(next(iter(columns.values()))) if columns else len(np.arange(self.rows)[rows])
        return Batch(size, columns)


def batch_of(fields: Sequence[Field], columns: Columns) -> Batch:
    """Columns as they came, by name, as a batch; those that no field names are left out.

    Raises:
        SignatureMismatch: a required column is missing, lengths differ, or a value does not have the type or shape
            declared; the message names column, row, expected and got.
    """
    rows = _rows(fields, columns)
    return Batch(
        rows, {each.name: array_of(each, columns[each.name]) for each in fields if each.name in columns}
    )


def array_of(each: Field, column: Sequence[object] | Array) -> Array:
    """One column as an array of its field's type; see :class:`Batch` for missing values.

    Raises:
        SignatureMismatch: a value does not have the type or shape declared.
    """
    if each.shape:
        return _tensor(each, column)
    if isinstance(column, np.ndarray):
        return _from_array(each, column)
    if each.type in ("string", "binary"):
        return _objects(each, column)
    if each.type == "datetime":
        return _instants(each, column)
    return _numbers(each, column)


def _rows(fields: Sequence[Field], columns: Columns) -> int:
    lengths: dict[str, int] = {}
    for each in fields:
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


def _from_array(each: Field, column: Array) -> Array:
    kind = column.dtype.kind
    if each.type == "boolean" and kind == "b":
        return column
    if each.type in REAL and kind in "fiu":
        with np.errstate(over="ignore"):  # what is too large for a float32 is infinite there
            return column.astype(DTYPES[each.type], copy=False)
    if each.type in WHOLE and kind in "iu":
        _require_range(each, column)
        return column.astype(DTYPES[each.type], copy=False)
    return array_of(each, column.tolist())


def _require_range(each: Field, numbers: Array) -> None:
    """Refuse whole numbers that the field's type cannot hold; NaN is none of them."""
    dtype = np.dtype(DTYPES[each.type])
    if np.can_cast(numbers.dtype, dtype):
        return
    ends = np.iinfo(dtype)
    if numbers.dtype.kind == "f":  # 2**63 is a float64, and 2**63 - 1 is not
        broken = np.flatnonzero((numbers < float(ends.min)) | (numbers >= float(ends.max) + 1.0))
    else:
        broken = np.flatnonzero((numbers < ends.min) | (numbers > ends.max))
    if len(broken):
        raise mismatch(each, int(broken[0]), numbers[broken[0]].item())


def _objects(each: Field, column: Sequence[object]) -> Array:
    wanted = str if each.type == "string" else bytes
    if not {wanted, _NONE}.issuperset(map(type, column)):
        for row, value in enumerate(column):
            if value is not None and not isinstance(value, wanted):
                raise mismatch(each, row, value)
    array = np.empty(len(column), dtype=object)
    array[:] = column
    return array


def _instants(each: Field, column: Sequence[object]) -> Array:
    try:
        return np.array(column, dtype="datetime64[us]")
    except (ValueError, TypeError, OverflowError):
        for row, value in enumerate(column):
            try:
                np.datetime64(value, "us")  # type: ignore[call-overload]
            except (ValueError, TypeError, OverflowError):
                raise mismatch(each, row, value) from None
        raise


_EXACT: Final[Mapping[str, frozenset[type]]] = {
    **dict.fromkeys((*REAL, "float16"), frozenset({float, int})),
    **dict.fromkeys(WHOLE, frozenset({int})),
    "boolean": frozenset({bool}),
}
_ACCEPTED: Final[Mapping[str, tuple[type, ...]]] = {
    **dict.fromkeys((*REAL, "float16", *WHOLE), (float, int, np.floating, np.integer, _NONE)),
    "boolean": (bool, np.bool_, _NONE),
}


def _numbers(each: Field, column: Sequence[object]) -> Array:
    types = set(map(type, column))
    if types <= _EXACT[each.type]:
        try:
            with np.errstate(over="ignore"):
                return np.array(column, dtype=DTYPES[each.type])
        except OverflowError:
            raise mismatch(each, *_first_too_large(each, column)) from None
    accepted = _ACCEPTED[each.type]
    for row, value in enumerate(column):
        if not isinstance(value, accepted) or (isinstance(value, bool) and each.type != "boolean"):
            raise mismatch(each, row, value)
    try:
        numbers = np.array(column, dtype=np.float64)  # NumPy reads None as NaN where the dtype is a float
    except OverflowError:
        raise mismatch(each, *_first_too_large(each, column)) from None
    if each.type in WHOLE:
        limits = np.iinfo(DTYPES[each.type])
        outside = (numbers < float(limits.min)) | (numbers >= float(limits.max) + 1.0)
        broken = np.flatnonzero(outside | (numbers != np.floor(numbers)) & ~np.isnan(numbers))
        if len(broken):
            raise mismatch(each, int(broken[0]), column[int(broken[0])])
    if each.type in ("float", "float16"):
        return numbers.astype(DTYPES[each.type])
    whole = each.type in (*WHOLE, "boolean") and not np.isnan(numbers).any()
    return numbers.astype(DTYPES[each.type]) if whole else numbers


def _first_too_large(each: Field, column: Sequence[object]) -> tuple[int, object]:
    for row, value in enumerate(column):
        try:
            np.array(value, dtype=DTYPES[each.type])
        except (OverflowError, TypeError):
            return row, value
    return 0, column[0]


def _tensor(each: Field, column: Sequence[object] | Array) -> Array:
    try:
        array = np.asarray(column, dtype=DTYPES[each.type])
    except (ValueError, TypeError, OverflowError) as error:
        raise SignatureMismatch(
            f"{each.name!r} is not a tensor of {each.type}", where=each.name, why=str(error)
        ) from error
    wanted = (-1, *each.shape)
    if array.ndim != len(wanted) or any(
        want not in (-1, got) for want, got in zip(each.shape, array.shape[1:], strict=True)
    ):
        raise SignatureMismatch(
            f"{each.name!r} has shape {list(array.shape)}, but the model takes {list(wanted)}",
            where=each.name,
        )
    return array


def mismatch(each: Field, row: int, value: object) -> SignatureMismatch:
    """What to say of one value of the wrong type."""
    shown = repr(value) if len(repr(value)) <= _LARGEST else repr(value)[: _LARGEST - 3] + "…"
    return SignatureMismatch(
        f"row {row} of {each.name!r} is {shown} ({type(value).__name__}), but the model takes {each.type}",
        where=each.name,
    )
