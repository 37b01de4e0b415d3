"""Counting rows by hour, slice and variant at once: every value is looked up among the bins once, however many groups.

Counting each group by itself would sort, join and allocate for each: of 900 rows in forty slices that is forty times
the cost of the whole, and at once it is three times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.stages.monitoring.counting import kind_of, numbers_of, texts_of, unread_of, weights_of
from mlwright.stages.monitoring.sketches import Bins, Floats, Sketch, empty

_NONE: Final = np.empty(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """The group of each row, shape (n,), numbered from 0."""

    of: NDArray[np.intp]
    groups: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """The cell of each row, its value (empty for text), and which values are not of the reference's type."""

    cells: NDArray[np.intp]
    values: Floats
    unread: NDArray[np.bool_]


def count_groups(
    reference: Mapping[str, Sketch],
    frame: pl.DataFrame,
    groupings: Sequence[Grouping],
    *,
    weights: pl.Series | None = None,
) -> list[list[dict[str, Sketch]]]:
    """Count all columns that the reference knows by several groupings; one that the frame lacks counts as all missing.

    Args:
        reference: the columns and their bins.
        frame: the rows.
        groupings: by which to count them.
        weights: how many rows each stands for; finite and >= 0.

    Returns:
        For each grouping and group what :func:`.counting.count` gives for its rows: the same counts, and sums up to the
        last bits.

    Raises:
        DataError: there are other numbers of weights than rows, or some are no weights.
    """
    given = weights_of(weights, frame.height)
    loads = np.full(frame.height, given) if isinstance(given, float) else given
    gone = pl.Series([None]).new_from_index(0, frame.height)
    found: list[list[dict[str, Sketch]]] = [[{} for _ in range(each.groups)] for each in groupings]
    for name, known in reference.items():
        looked = _look_up(known.bins, frame[name] if name in frame.columns else gone)
        for held, grouping in zip(found, groupings, strict=True):
            for into, counted in zip(held, _counted(known.bins, looked, loads, grouping), strict=True):
                into[name] = counted
    return found


def _look_up(bins: Bins, column: pl.Series) -> _Looked:
    if bins.kind == "level":
        return _look_up_levels(bins, column)
    values = numbers_of(column, bins.kind)
    edges = np.asarray(bins.edges, dtype=values.dtype)
    atomic = np.isin(edges, np.asarray(bins.atoms, dtype=values.dtype))
    place = np.searchsorted(edges, values, side="left")
    on_atom = np.append(np.where(atomic, edges, np.nan), np.nan)[place] == values
    cells = place + np.concatenate(([0], np.cumsum(atomic)))[place] + on_atom
    blank = np.isnan(values)
    cells[blank] = bins.cells - 1
    return _Looked(cells=cells, values=values.astype(np.float64), unread=unread_of(column, bins.kind, blank))


def _look_up_levels(bins: Bins, column: pl.Series) -> _Looked:
    texts = texts_of(column).cast(pl.String)
    blank = texts.is_null().to_numpy()
    cells = np.full(len(texts), len(bins.levels), dtype=np.intp)
    if bins.levels:
        at = np.arange(len(bins.levels))
        places = texts.replace_strict(
            pl.Series(bins.levels), pl.Series(at), default=len(bins.levels), return_dtype=pl.Int64
        )
        cells = places.fill_null(0).to_numpy().astype(np.intp)
    cells[blank] = bins.cells - 1
    nested = kind_of(column.dtype) is None
    return _Looked(cells=cells, values=_NONE, unread=np.full(len(texts), nested))


def _counted(bins: Bins, looked: _Looked, loads: Floats, by: Grouping) -> list[Sketch]:
    place = by.of * bins.cells + looked.cells
    counts = _added(place, loads, by.groups * bins.cells).reshape(by.groups, bins.cells)
    rows = np.bincount(by.of, minlength=by.groups)
    heaviness = _added(by.of, loads * loads, by.groups)
    unread = _added(by.of[looked.unread], loads[looked.unread], by.groups)
    plain = [
        replace(
            empty(bins),
            counts=counts[at],
            rows=int(rows[at]),
            heaviness=float(heaviness[at]),
            unread=float(unread[at]),
        )
        for at in range(by.groups)
    ]
    if bins.kind == "level":
        return plain
    values = looked.values
    kept = np.isfinite(values) & (loads > 0)
    finite, heavy, group = values[kept], loads[kept], by.of[kept]
    sums = _added(place[kept], finite * heavy, by.groups * bins.cells).reshape(by.groups, bins.cells)
    squares = _added(group, finite * finite * heavy, by.groups)
    least, most = np.full(by.groups, np.inf), np.full(by.groups, -np.inf)
    np.minimum.at(least, group, finite)
    np.maximum.at(most, group, finite)
    below, above = (
        _added(by.of[values == end], loads[values == end], by.groups) for end in (-np.inf, np.inf)
    )
    return [
        replace(
            each,
            sums=sums[at, : bins.ordered].copy(),
            squares=float(squares[at]),
            least=float(least[at]),
            most=float(most[at]),
            infinite=(float(below[at]), float(above[at])),
        )
        for at, each in enumerate(plain)
    ]


def _added(place: NDArray[np.intp], loads: Floats, size: int) -> Floats:
    return np.bincount(place, weights=loads, minlength=size).astype(np.float64, copy=False)
