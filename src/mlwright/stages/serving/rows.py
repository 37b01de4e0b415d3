"""Rows of several asks as one batch."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any, Final

import numpy as np

from mlwright.errors import SignatureMismatch
from mlwright.model.batches import Array, Batch
from mlwright.stages.serving.asks import Ask, Column

PLAIN: Final = frozenset({float, int})
_NONE: Final = type(None)
_NUMBER: Final = PLAIN | {_NONE}
_MOST_PACKED: Final = 1 << 16


class MixedKinds(Exception):
    """Rows that are fine alone would change each other's types in one batch, such as whole numbers next to a missing
    one: they must not be scored together."""


@dataclass(slots=True)
class Rows:
    """Rows of several asks as one batch. Row ``starts[i]`` is the first of ``asks[i]``."""

    asks: Sequence[Ask]
    starts: Sequence[int]
    ids: list[str]
    keys: list[str] | None
    """None: nobody sent any, the ids stand in for them."""
    times: list[int] | None
    """None: nobody sent any, now stands in for them."""
    batch: Batch
    flags: list[Sequence[str]] = field(default_factory=list)
    """What is flagged of each ask, as ``Answer.flags``; empty where nothing is."""

    @property
    def kind(self) -> tuple[object, ...]:
        """What rows must have in common to be scored together without changing each other."""
        batch = self.batch
        if batch.matrix is not None:
            return (
                batch.names,
                batch.matrix.dtype.str,
                batch.matrix.shape[1:],
                self.keys is None,
                self.times is None,
            )
        kinds = ((name, column.dtype.str, column.shape[1:]) for name, column in batch.columns.items())
        return (*kinds, self.keys is None, self.times is None)

    def alone(self, at: int) -> "Rows":
        """The rows of one ask."""
        start, rows = self.starts[at], self.asks[at].rows
        part = slice(start, start + rows)
        return Rows(
            asks=[self.asks[at]],
            starts=[0],
            ids=self.ids[part],
            keys=None if self.keys is None else self.keys[part],
            times=None if self.times is None else self.times[part],
            batch=self.batch.taken(part),
            flags=self.flags[at : at + 1],
        )


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows of one kind, as one batch, in that order."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0].batch
    rows = sum(part.batch.rows for part in parts)
    if first.matrix is not None:
        matrix = np.concatenate([part.batch.matrix for part in parts if part.batch.matrix is not None])
        batch = Batch(rows, matrix=matrix, names=first.names)
    else:
        columns = {
            name: np.concatenate([part.batch.columns[name] for part in parts]) for name in first.columns
        }
        batch = Batch(rows, columns)
    starts, at = [], 0
    for part in parts:
        starts += [at + start for start in part.starts]
        at += part.batch.rows
    return Rows(
        asks=[ask for part in parts for ask in part.asks],
        starts=starts,
        ids=[each for part in parts for each in part.ids],
        keys=None if parts[0].keys is None else [key for part in parts for key in part.keys or part.ids],
        times=None if parts[0].times is None else [time for part in parts for time in part.times or ()],
        batch=batch,
        flags=[flags for part in parts for flags in part.flags or [()] * len(part.asks)]
        if any(part.flags for part in parts)
        else [],
    )


def plain_values(column: Column) -> list[Any]:
    """The values of a column, None where one is missing."""
    if not isinstance(column, np.ndarray):
        return column
    values: list[Any] = column.tolist()
    if column.ndim == 1 and column.dtype.kind == "f" and np.isnan(column).any():
        return [None if value != value else value for value in values]  # only NaN is not itself
    return values


@lru_cache(maxsize=512)
def _packing(count: int) -> struct.Struct:
    return struct.Struct(f"{count}d")


def packed(rows: list[Sequence[Any]]) -> Array:
    """Rows of plain numbers as a matrix of float64; None is NaN.

    Packing them by ``struct`` takes a third of the time that ``np.array`` takes.

    Raises:
        SignatureMismatch: rows differ in length, or a value is no number.
    """
    widths = set(map(len, rows))
    if len(widths) > 1:
        raise SignatureMismatch(f"rows have {' and '.join(map(str, sorted(widths)))} values")
    flat = list(chain.from_iterable(rows))
    types = set(map(type, flat))
    if not types <= _NUMBER and not all(
        issubclass(each, (np.floating, np.integer)) for each in types - _NUMBER
    ):
        raise SignatureMismatch("a value is no number")
    shape = (len(rows), widths.pop())
    try:
        if not types <= PLAIN or len(flat) > _MOST_PACKED:
            return np.array(flat, dtype=np.float64).reshape(shape)
        matrix = np.empty(shape)
        _packing(len(flat)).pack_into(matrix.data, 0, *flat)
    except (struct.error, OverflowError):
        raise SignatureMismatch("a number is too large") from None
    return matrix
