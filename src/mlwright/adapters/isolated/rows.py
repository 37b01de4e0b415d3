"""The rows of one call, in the process of a model: standard library and NumPy, in the syntax of Python 3.8."""

from __future__ import annotations

from typing import Any

import numpy as np

NUMBERS = frozenset("double float long integer boolean float16 int8 int16 uint8 uint16 uint32 uint64".split())
DTYPES = {"double": "float64", "float": "float32", "long": "int64", "integer": "int32", "boolean": "bool"}


class Refused(Exception):
    """The model takes other values than those that were sent."""


class Rows:
    """The rows of one call: a matrix of all inputs, or an array for each."""

    def __init__(self, rows: int, names: tuple[str, ...] | None, arrays: list[tuple[str, Any]]) -> None:
        self.rows = rows
        self.names = names
        self.matrix = arrays[0][1] if names is not None else None
        self.columns = {} if names is not None else dict(arrays)

    def __contains__(self, name: str) -> bool:
        return name in (self.columns if self.names is None else self.names)

    def column(self, name: str) -> Any:
        """One input."""
        if self.names is None or self.matrix is None:
            return self.columns[name]
        return self.matrix[:, self.names.index(name)]

    def all(self) -> dict[str, Any]:
        """Every input that was sent, by name."""
        return self.columns if self.names is None else {name: self.column(name) for name in self.names}


class Matrix:
    """Rows as one matrix of floats, as our own runtimes make it: texts are the positions of their levels."""

    def __init__(self, job: dict[str, Any], order: list[str] | None = None) -> None:
        fields = job["inputs"]
        names = [each["name"] for each in fields]
        self._names = tuple(order if order and sorted(order) == sorted(names) else names)
        self._whole = is_matrix(fields)
        self._levels = {
            name: {level: float(at) for at, level in enumerate(levels)}
            for name, levels in job["categories"].items()
        }

    def encode(self, rows: Rows) -> Any:
        """The matrix, shape (rows, inputs)."""
        if self._whole:
            return np.ascontiguousarray(rows.column(self._names[0]), dtype=np.float64)
        if rows.names == self._names and not self._levels:
            return np.ascontiguousarray(rows.matrix, dtype=np.float64)
        matrix = np.full((rows.rows, len(self._names)), np.nan)
        for at, name in enumerate(self._names):
            if name not in rows:
                continue
            column = rows.column(name)
            if name in self._levels:
                levels = self._levels[name]
                column = [levels.get(value, np.nan) for value in column]
            try:
                matrix[:, at] = column
            except (TypeError, ValueError) as error:
                raise Refused(f"column {name!r} is no number") from error
        return matrix


def is_matrix(fields: list[dict[str, Any]]) -> bool:
    """Whether the one input is a tensor of several numbers a row."""
    return len(fields) == 1 and len(fields[0]["shape"]) == 1
