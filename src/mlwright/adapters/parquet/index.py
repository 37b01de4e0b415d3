"""A view's values in memory, laid out so that one binary search answers a whole request."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from mlwright.model.features import FeatureView

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class AsOfIndex:
    """Rows in the order (key, instant).

    Each row has one place: ``key number * (instants + 1) + rank of its instant among all distinct
    instants``. The latest row of a key at or before an instant is then the last place below ``key number *
    (instants + 1) + instants at or before it``, found for all questions by one ``searchsorted``.

    Args:
        frame: the view's file: one row a (key, instant), in any order.
        view: which columns are key and instant.
    """

    def __init__(self, frame: pl.DataFrame, view: FeatureView) -> None:
        ordered = frame.sort(*view.entity, view.timestamp)
        times: Int64s = ordered[view.timestamp].to_physical().to_numpy()
        keys = ordered.select(view.entity).rows() if view.entity else [()] * len(ordered)
        starts = [row for row, key in enumerate(keys) if row == 0 or key != keys[row - 1]]
        self._numbers = {keys[row]: number for number, row in enumerate(starts)}
        self._starts: Int64s = np.asarray(starts, dtype=np.int64)
        numbers = np.repeat(np.arange(len(starts)), np.diff([*starts, len(keys)]))
        self._instants, ranks = np.unique(times, return_inverse=True)
        self._width = len(self._instants) + 1
        self._places: Int64s = numbers * self._width + ranks
        self._times = times
        self._columns = {
            name: _column(ordered[name])
            for name in ordered.columns
            if name not in view.entity and name != view.timestamp
        }

    def read(
        self, keys: Sequence[tuple[str, ...]], at: Sequence[int], ttl: int, features: Sequence[str]
    ) -> dict[str, list[object]]:
        """The features at these instants (µs), None where unknown, older than ``ttl`` µs, or null."""
        asked = np.asarray(at, dtype=np.int64)
        rows, absent = self._rows(keys, asked, ttl)
        return {name: self._take(name, rows, absent) for name in features}

    def _rows(self, keys: Sequence[tuple[str, ...]], asked: Int64s, ttl: int) -> tuple[Int64s, Bools]:
        if not len(self._times):
            return np.zeros(len(asked), dtype=np.int64), np.ones(len(asked), dtype=np.bool_)
        known = self._numbers
        numbers = np.fromiter((known.get(key, -1) for key in keys), dtype=np.int64, count=len(asked))
        before = np.searchsorted(self._instants, asked, side="right")
        rows = np.searchsorted(self._places, numbers * self._width + before) - 1
        # a row before the key's first one belongs to the key in front; an unknown key's row is -1, before all
        absent = rows < self._starts[numbers]
        # unsigned, the distance of two instants cannot overflow; where it is negative, absent holds already
        absent |= (asked - self._times[rows]).view(np.uint64) > ttl
        return rows, absent

    def _take(self, name: str, rows: Int64s, absent: Bools) -> list[object]:
        if name not in self._columns or not len(self._times):
            return [None] * len(rows)
        values, null = self._columns[name]
        taken: list[object] = values[rows].tolist()
        gone = absent if null is None else absent | null[rows]
        if gone.any():
            for row in np.flatnonzero(gone).tolist():
                taken[row] = None
        return taken


def _column(column: pl.Series) -> tuple[npt.NDArray[np.generic], Bools | None]:
    """The values, numbers as numbers and the rest as objects, and which are null (None if none is)."""
    null: Bools | None = column.is_null().to_numpy() if column.null_count() else None
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return column.fill_null(0 if column.dtype.is_numeric() else False).to_numpy(), null
    objects = np.empty(len(column), dtype=object)
    objects[:] = column.to_list()
    return objects, null
