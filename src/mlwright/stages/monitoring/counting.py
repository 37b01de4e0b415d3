"""Fixing bins by a reference, and counting rows into them: once a row, in chunks of any size, all columns.

A chunk of a number column is sorted and the edges are looked up in it, instead of each value among the edges: sorting
float32 is vectorised in numpy and the look-up is then k log n, not n log k.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.errors import DataError
from mlwright.stages.monitoring.sketches import Bins, Floats, Sketch, empty, merge

FINE = 100
"""Quantile bins that a sketch keeps: ten make exactly one decile."""
TAILS = (0.0001, 0.001, 0.0025, 0.005)
"""Shares of the reference at either end that have edges too: of a heavy tail the last percent is most of the length."""
FAR = (3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 16.0, 24.0, 32.0, 64.0, 128.0, 1024.0)
"""Robust deviations from the median at which edges stand beyond the reference's own range: a summer and a hotter one
are both hotter than the winter of the reference, and have to be told apart."""
LEVELS = 1000
"""Levels of a text column that a sketch keeps; rarer ones share the cell of unseen levels."""
BLOCK = 1 << 16
"""Rows that are sorted at a time: they stay in the cache."""

_NESTED = (pl.List, pl.Array, pl.Struct, pl.Object, pl.Binary)


def sketch(frame: pl.DataFrame, *, weights: pl.Series | None = None) -> dict[str, Sketch]:
    """Fix the bins of every column by a reference and count the reference into them.

    The bins are quantiles of the rows, whatever they weigh. Columns of lists, structs, objects and bytes have neither
    an order nor levels and are left out.
    """
    loads = weights_of(weights, frame.height)
    found = {}
    for column in frame.get_columns():
        if (kind := kind_of(column.dtype)) is not None:
            bins = _levels(column) if kind == "level" else _intervals(column, kind)
            found[column.name] = _count(bins, column, loads)
    return found


def recount(reference: Sketch, column: pl.Series, *, weights: pl.Series | None = None) -> Sketch:
    """Count other rows into the same bins.

    A column of another type is read as the reference's type where that is possible; values that cannot be read count as
    missing (or, for text, as unseen), because a changed type is a change.

    Args:
        weights: how many rows each stands for, where the log was sampled; finite and >= 0.

    Raises:
        DataError: there are other numbers of weights than rows, or some are no weights.
    """
    return _count(reference.bins, column, weights_of(weights, len(column)))


def count(
    reference: Mapping[str, Sketch],
    frame: pl.DataFrame,
    *,
    weights: pl.Series | None = None,
    threads: int = 1,
) -> dict[str, Sketch]:
    """Count all columns that the reference knows; one that the frame lacks counts as all missing.

    Raises:
        DataError: as in :func:`recount`.
    """
    loads = weights_of(weights, frame.height)
    gone = pl.Series([None]).new_from_index(0, frame.height)

    def one(name: str) -> Sketch:
        return _count(reference[name].bins, frame[name] if name in frame.columns else gone, loads)

    return dict(zip(reference, _mapped(one, reference, threads), strict=True))


def counting(
    reference: Mapping[str, Sketch],
    chunks: Iterable[pl.DataFrame],
    *,
    weight: str | None = None,
    threads: int = 1,
) -> dict[str, Sketch]:
    """Count a stream of frames; the memory is that of one chunk and the counts, however many rows come.

    Args:
        chunks: frames with the reference's columns.
        weight: the column that says how many rows each stands for.

    Raises:
        DataError: as in :func:`recount`.
    """
    so_far = {name: empty(known.bins) for name, known in reference.items()}
    for chunk in chunks:
        loads = chunk[weight] if weight is not None else None
        more = count(reference, chunk, weights=loads, threads=threads)
        so_far = {name: merge(before, more[name]) for name, before in so_far.items()}
    return so_far


def _mapped(one: Callable[[str], Sketch], names: Iterable[str], threads: int) -> list[Sketch]:
    if threads < 2:
        return [one(name) for name in names]
    with ThreadPoolExecutor(threads) as pool:  # sorting and polars leave the interpreter alone
        return list(pool.map(one, names))


def weights_of(weights: pl.Series | None, rows: int) -> Floats | float:
    """One weight for all, or one a row.

    Raises:
        DataError: there are other numbers of weights than rows, or some are no weights.
    """
    if weights is None:
        return 1.0
    if len(weights) != rows:
        raise DataError(f"{len(weights)} weights for {rows} rows", where=f"column {weights.name!r}")
    found = weights.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    wrong = np.flatnonzero(~(np.isfinite(found) & (found >= 0)))
    if len(wrong):
        raise DataError(
            f"row {wrong[0]} has a weight of {weights[int(wrong[0])]}",
            where=f"column {weights.name!r}, {len(wrong)} rows",
            why="a weight is a finite number >= 0: how many rows the row stands for",
        )
    if rows and (found == found[0]).all():
        return float(found[0])
    return found if rows else 1.0


def _count(bins: Bins, column: pl.Series, loads: Floats | float) -> Sketch:
    rows = len(column)
    counted = (
        _count_levels(bins, column, loads) if bins.kind == "level" else _count_numbers(bins, column, loads)
    )
    heaviness = rows * loads**2 if isinstance(loads, float) else float(np.sum(loads * loads))
    return replace(counted, rows=rows, heaviness=heaviness)


def kind_of(dtype: pl.DataType) -> str | None:
    """Which bins a type is counted into; None where it has neither an order nor levels."""
    if isinstance(dtype, _NESTED):
        return None
    if dtype.is_temporal():
        return "instant"
    return "number" if dtype.is_numeric() or dtype == pl.Boolean else "level"


def numbers_of(column: pl.Series, kind: str) -> NDArray[np.floating]:
    """The values with NaN for missing: float32, or instants in microseconds as float64.

    A model is trained on 0.1 in 64 bits and served 0.1 in 32, and both are one atom.
    """
    if column.dtype in (pl.Date, pl.Datetime):
        column = column.cast(pl.Datetime("us")).cast(pl.Int64)
    elif column.dtype == pl.Duration:
        column = column.cast(pl.Duration("us")).cast(pl.Int64)
    elif column.dtype == pl.Time:
        column = column.cast(pl.Int64) // 1000
    elif isinstance(column.dtype, (*_NESTED, pl.Categorical, pl.Enum)):
        column = pl.Series([None]).new_from_index(0, len(column))
    column = column.cast(pl.Float32 if kind == "number" else pl.Float64, strict=False)
    return (column.fill_null(float("nan")) if column.null_count() else column).to_numpy()


def _intervals(column: pl.Series, kind: str) -> Bins:
    values = numbers_of(column, kind)
    ordered = np.sort(values[np.isfinite(values)]).astype(np.float64)
    if len(ordered) == 0:
        return Bins(kind=kind)
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    held = np.diff(starts, append=len(ordered))
    heavy = held * FINE >= len(ordered)
    rest = ordered[np.repeat(~heavy, held)]
    # An edge is the smallest value with its share of the rest at or below it: the inverse empirical CDF.
    shares = np.array([*TAILS, *(1 - each for each in TAILS)])
    tails = np.ceil(np.round(shares * len(rest), 6)).astype(np.int64) - 1
    at = np.concatenate((-(-np.arange(1, FINE) * len(rest) // FINE) - 1, np.maximum(tails, 0)))
    atoms = ordered[starts[heavy]] + 0.0  # -0.0 is 0.0
    inner = np.union1d(rest[at] + 0.0 if len(rest) else rest, atoms)
    edges = np.union1d(inner, _outposts(ordered).astype(values.dtype).astype(np.float64))
    return Bins(kind=kind, edges=tuple(edges.tolist()), atoms=tuple(atoms.tolist()))


def _outposts(ordered: Floats) -> Floats:
    """Edges beyond the range of the values."""
    low, middle, high = np.quantile(ordered, (0.25, 0.5, 0.75))
    unit = (high - low) / 1.349 or ordered.std() or abs(middle) or 1.0
    away = np.concatenate((middle - unit * np.array(FAR), middle + unit * np.array(FAR)))
    outside: Floats = away[(away < ordered[0]) | (away > ordered[-1])]
    return outside


def _count_numbers(bins: Bins, column: pl.Series, loads: Floats | float) -> Sketch:
    values = numbers_of(column, bins.kind)
    blank = np.isnan(values)
    counted = empty(bins)
    edges = np.asarray(bins.edges, dtype=values.dtype)
    atomic = np.isin(edges, np.asarray(bins.atoms, dtype=values.dtype))
    if isinstance(loads, float):
        for start in range(0, len(values), BLOCK):
            counted = merge(
                counted, _sorted_block(bins, edges, atomic, np.sort(values[start : start + BLOCK]))
            )
        counted = _times(counted, loads)
        missing = float(blank.sum()) * loads
    else:
        counted = _weighted(bins, edges, atomic, values[~blank], loads[~blank])
        missing = float(loads[blank].sum())
    counted.counts[-1] = missing
    lost = unread_of(column, bins.kind, blank)
    unread = float(lost.sum()) * loads if isinstance(loads, float) else float(loads[lost].sum())
    return replace(counted, unread=unread)


def _sorted_block(
    bins: Bins, edges: NDArray[np.floating], atomic: NDArray[np.bool_], ordered: NDArray[np.floating]
) -> Sketch:
    """The counts of sorted values, of which the missing ones stand at the end."""
    some = int(np.searchsorted(ordered, np.inf, side="right"))
    below = int(np.searchsorted(ordered, -np.inf, side="right"))
    above = int(np.searchsorted(ordered, np.inf, side="left"))
    upto = np.searchsorted(ordered, edges, side="right")
    # An atom's interval ends before it, and its own cell behind it.
    bounds = np.repeat(upto, 1 + atomic)
    bounds[np.flatnonzero(atomic) + np.arange(int(atomic.sum()))] = np.searchsorted(
        ordered, edges[atomic], side="left"
    )
    bounds = np.concatenate(([0], bounds, [some]))
    result = empty(bins)
    result.counts[: bins.ordered] = np.diff(bounds)
    if above <= below:
        return replace(result, infinite=(float(below), float(some - above)))
    inner = np.clip(bounds, below, above)
    held = np.diff(inner) > 0
    finite = ordered[:above].astype(np.float64)
    result.sums[held] = np.add.reduceat(finite, inner[:-1][held])
    return replace(
        result,
        squares=float(np.square(finite[below:]).sum()),
        least=float(ordered[below]),
        most=float(ordered[above - 1]),
        infinite=(float(below), float(some - above)),
    )


def _weighted(
    bins: Bins,
    edges: NDArray[np.floating],
    atomic: NDArray[np.bool_],
    values: NDArray[np.floating],
    loads: Floats,
) -> Sketch:
    """The counts of values that weigh differently."""
    place = np.searchsorted(edges, values, side="left")
    on_atom = np.append(np.where(atomic, edges, np.nan), np.nan)[place] == values
    cells = place + np.concatenate(([0], np.cumsum(atomic)))[place] + on_atom
    result = empty(bins)
    result.counts[: bins.ordered] = np.bincount(cells, weights=loads, minlength=bins.ordered)
    infinite = (float(loads[values == -np.inf].sum()), float(loads[values == np.inf].sum()))
    kept = np.isfinite(values) & (loads > 0)
    if not kept.any():
        return replace(result, infinite=infinite)
    finite, heavy = values[kept].astype(np.float64), loads[kept]
    result.sums[:] = np.bincount(cells[kept], weights=finite * heavy, minlength=bins.ordered)
    return replace(
        result,
        squares=float(np.sum(finite * finite * heavy)),
        least=float(finite.min()),
        most=float(finite.max()),
        infinite=infinite,
    )


def _times(counted: Sketch, load: float) -> Sketch:
    """Every row counted ``load`` times."""
    if load == 1.0:
        return counted
    if load == 0.0:
        return empty(counted.bins)
    below, above = counted.infinite
    return replace(
        counted,
        counts=counted.counts * load,
        sums=counted.sums * load,
        squares=counted.squares * load,
        infinite=(below * load, above * load),
    )


def unread_of(column: pl.Series, kind: str, blank: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which values are there and are no numbers."""
    if kind_of(column.dtype) == kind or column.dtype.is_numeric() or column.dtype == pl.Null:
        return np.zeros(len(column), dtype=np.bool_)
    there: NDArray[np.bool_] = column.is_not_null().to_numpy()
    return blank & there


def texts_of(column: pl.Series) -> pl.Series:
    """A column as text; what has no text is missing."""
    if isinstance(column.dtype, _NESTED):
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(column))
    return column if column.dtype in (pl.Categorical, pl.Enum) else column.cast(pl.String)


def _levels(column: pl.Series) -> Bins:
    counted = _level_counts(column, 1.0).sort("rows", "level", descending=[True, False]).head(LEVELS)
    return Bins(kind="level", levels=tuple(sorted(counted["level"])))


def _level_counts(column: pl.Series, loads: Floats | float) -> pl.DataFrame:
    """One row for each level: ``level`` and ``rows``."""
    texts = texts_of(column).rename("level")
    if isinstance(loads, float):
        counted = texts.drop_nulls().value_counts(name="rows").with_columns(pl.col("rows") * loads)
    else:
        counted = pl.DataFrame([texts, pl.Series("rows", loads)]).drop_nulls("level")
        counted = counted.group_by("level").agg(pl.col("rows").sum())
    return counted.cast({"level": pl.String, "rows": pl.Float64})


def _count_levels(bins: Bins, column: pl.Series, loads: Floats | float) -> Sketch:
    known = pl.DataFrame({"level": bins.levels}, schema={"level": pl.String})
    found = _level_counts(column, loads)
    joined = known.join(found, on="level", how="left", maintain_order="left")
    rows = joined["rows"].fill_null(0.0).to_numpy()
    blank = texts_of(column).is_null().to_numpy()
    nulls = float(blank.sum()) * loads if isinstance(loads, float) else float(loads[blank].sum())
    unseen = found.join(known, on="level", how="anti")["rows"].sum()
    result = replace(empty(bins), counts=np.concatenate((rows, [float(unseen), nulls])))
    nested = isinstance(column.dtype, _NESTED)
    whole = len(column) * loads if isinstance(loads, float) else float(loads.sum())
    return replace(result, unread=whole if nested else 0.0)
