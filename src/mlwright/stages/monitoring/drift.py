"""How far columns have moved from a reference: fixed bins, counts that add, PSI and Jensen–Shannon.

The reference fixes the bins once; every later window is only counted into them. So windows are comparable
over time, counts of two windows merge by addition, and one wild value is one row in an outer bin and nothing
more. Bins are ``(-inf, e1], (e1, e2], ..., (ek, inf)`` at quantiles of the reference, one *atom* for each
value that alone holds as much as a bin (else a constant that turns into another constant would look
unchanged), one bin for levels of a text column that the reference does not name, and one for missing values
(null and NaN).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from mlwright.errors import StorageError
from mlwright.model.monitoring import FeatureDrift

FINE = 40
"""Quantile bins that a sketch keeps: four make exactly one decile."""
BINS = 10
"""Quantile bins that PSI and Jensen–Shannon are taken over."""
LEVELS = 256
"""Levels of a text column that a sketch keeps; rarer ones share the bin of unseen levels."""
RARE = 0.01
"""Levels below this share of the reference are compared together: hundreds of tiny bins are mostly noise."""
PSEUDO_COUNT = 0.5

_Floats = NDArray[np.float64]
_Counts = NDArray[np.int64]
_NESTED = (pl.List, pl.Array, pl.Struct, pl.Object, pl.Binary)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """The bins of a column and how many rows fell into each.

    ``kind`` is ``number``, ``instant`` (microseconds) or ``level`` (text). ``counts`` holds first one count
    for each interval (``len(edges) + 1``; none for a level column), then one for each atom or level, then
    unseen levels, then missing values.
    """

    kind: str
    edges: tuple[float, ...] = ()
    atoms: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    counts: tuple[int, ...]

    @property
    def n(self) -> int:
        """Rows counted."""
        return sum(self.counts)

    @property
    def nulls(self) -> int:
        """Rows without a value."""
        return self.counts[-1]

    @property
    def unseen(self) -> int:
        """Rows with a level that the bins do not name."""
        return self.counts[-2]

    @property
    def intervals(self) -> int:
        """How many of the counts belong to intervals."""
        return 0 if self.kind == "level" else len(self.edges) + 1

    def to_json(self) -> dict[str, object]:
        """The sketch as JSON-able values."""
        return {
            "kind": self.kind,
            "edges": list(self.edges),
            "atoms": list(self.atoms),
            "levels": list(self.levels),
            "counts": list(self.counts),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Sequence[object]]) -> "Sketch":
        """Read what ``to_json`` wrote.

        Raises:
            StorageError: it is not a sketch.
        """
        try:
            return cls(
                kind=str(stored["kind"]),
                edges=tuple(float(str(edge)) for edge in stored["edges"]),
                atoms=tuple(float(str(atom)) for atom in stored["atoms"]),
                levels=tuple(str(level) for level in stored["levels"]),
                counts=tuple(int(str(count)) for count in stored["counts"]),
            )
        except (KeyError, TypeError, ValueError) as fault:
            raise StorageError("a stored drift reference cannot be read", why=repr(fault)) from fault


def sketch(frame: pl.DataFrame) -> dict[str, Sketch]:
    """Fix the bins of every column by a reference and count the reference into them.

    Columns of lists, structs, objects and bytes have neither an order nor levels and are left out.
    """
    return {
        column.name: _sketch_levels(column) if kind == "level" else _sketch_numbers(column, kind)
        for column in frame.get_columns()
        if (kind := _kind(column.dtype)) is not None
    }


def recount(reference: Sketch, column: pl.Series) -> Sketch:
    """Count other rows into the same bins.

    A column of another type is read as the reference's type where that is possible; values that cannot be
    read count as missing (or, for text, as unseen), because a changed type is a change.
    """
    counts = (
        _count_levels(reference, column) if reference.kind == "level" else _count_numbers(reference, column)
    )
    return replace(reference, counts=tuple(counts.tolist()))


def merge(first: Sketch, second: Sketch) -> Sketch:
    """The sketch of the rows of both.

    Raises:
        ValueError: the two have different bins.
    """
    if replace(first, counts=()) != replace(second, counts=()):
        raise ValueError("two sketches add up only if they were counted into the same bins")
    return replace(first, counts=tuple(a + b for a, b in zip(first.counts, second.counts, strict=True)))


def drift(reference: Mapping[str, Sketch], frame: pl.DataFrame) -> tuple[FeatureDrift, ...]:
    """Compare a window with the reference, column by column in the reference's order.

    A column that is missing from the frame counts as all missing; one that the reference does not know is
    ignored.
    """
    gone = pl.Series([None]).new_from_index(0, frame.height)
    return tuple(
        compare(name, known, recount(known, frame[name] if name in frame.columns else gone))
        for name, known in reference.items()
    )


def compare(column: str, reference: Sketch, current: Sketch) -> FeatureDrift:
    """Compare two counts of the same bins; an empty side says nothing and gives 0."""
    groups = _groups(reference)
    expected = np.bincount(groups, weights=reference.counts)
    actual = np.bincount(groups, weights=current.counts)
    rows, before = current.n, reference.n
    # A reference with more levels than a sketch keeps has rows in this bin itself; only the excess is news.
    unseen = (current.unseen / rows if rows else 0.0) - (reference.unseen / before if before else 0.0)
    return FeatureDrift(
        column=column,
        n=rows,
        psi=psi(expected, actual),
        js=jensen_shannon(expected, actual),
        null_rate=current.nulls / rows if rows else 0.0,
        reference_null_rate=reference.nulls / before if before else 0.0,
        unseen_rate=max(unseen, 0.0),
    )


def psi(expected: ArrayLike, actual: ArrayLike) -> float:
    """Population stability index of two rows of counts over the same bins.

    ``sum((q - p) * ln(q / p))`` over the bins that hold anything on either side, each count raised by 0.5 so
    that an empty bin gives a finite answer. For two samples of one distribution it is about chi-square with
    B - 1 degrees of freedom times (1/n + 1/m) (Yurdakul 2018).

    Returns:
        A value >= 0; 0 for proportional counts without empty bins, for equal ones, and where a side is empty.
    """
    p, q = np.asarray(expected, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    if p.sum() == 0 or q.sum() == 0:
        return 0.0
    used = (p + q) > 0
    p, q = p[used] + PSEUDO_COUNT, q[used] + PSEUDO_COUNT
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((q - p) * np.log(q / p)))


def jensen_shannon(expected: ArrayLike, actual: ArrayLike) -> float:
    """Jensen–Shannon distance, base 2, of two rows of counts over the same bins (Endres and Schindelin 2003).

    Returns:
        The square root of the divergence, in [0, 1]; 1 where no bin is shared, 0 where a side is empty.
    """
    p, q = np.asarray(expected, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    if p.sum() == 0 or q.sum() == 0:
        return 0.0
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return sqrt(min(max(divergence, 0.0), 1.0))


def _relative_entropy(p: _Floats, q: _Floats) -> float:
    held = p > 0
    return float(np.sum(p[held] * np.log2(p[held] / q[held])))


def _groups(reference: Sketch) -> NDArray[np.intp]:
    """The coarse bin of each fine one: deciles of intervals, atoms and levels alone, rare levels together."""
    counts = np.asarray(reference.counts, dtype=np.int64)
    wide, named = reference.intervals, len(reference.atoms) + len(reference.levels)
    groups = np.arange(len(counts), dtype=np.intp) + wide
    if wide:
        # A decile ends at the first edge that has the next tenth of the reference behind it.
        upto = np.concatenate(([0], np.cumsum(counts[:wide])[:-1]))
        passed = upto * BINS // max(int(counts[:wide].sum()), 1)
        groups[:wide] = np.cumsum(np.diff(passed, prepend=passed[0]) > 0)
    if reference.levels:
        rare = counts[:named] < RARE * max(reference.n - reference.nulls, 1)
        groups[:named][rare] = len(groups) + wide
    return np.unique(groups, return_inverse=True)[1].astype(np.intp)


def _kind(dtype: pl.DataType) -> str | None:
    if isinstance(dtype, _NESTED):
        return None
    if dtype.is_temporal():
        return "instant"
    return "number" if dtype.is_numeric() or dtype == pl.Boolean else "level"


def _numbers(column: pl.Series, kind: str) -> _Floats:
    """The values as float64 with NaN for missing; instants in microseconds.

    Numbers go through float32: a model is trained on 0.1 in 64 bits and served 0.1 in 32, and both are one
    atom.
    """
    if column.dtype in (pl.Date, pl.Datetime):
        column = column.cast(pl.Datetime("us")).cast(pl.Int64)
    elif column.dtype == pl.Duration:
        column = column.cast(pl.Duration("us")).cast(pl.Int64)
    elif column.dtype == pl.Time:
        column = column.cast(pl.Int64) // 1000
    elif isinstance(column.dtype, (*_NESTED, pl.Categorical, pl.Enum)):
        column = pl.Series([None]).new_from_index(0, len(column))
    if kind == "number":
        column = column.cast(pl.Float32, strict=False)
    return column.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()


def _sketch_numbers(column: pl.Series, kind: str) -> Sketch:
    values = _numbers(column, kind)
    ordered = np.sort(values[np.isfinite(values)])
    if len(ordered) == 0:
        return recount(Sketch(kind=kind, counts=()), column)
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    held = np.diff(starts, append=len(ordered))
    heavy = held * FINE >= len(ordered)
    rest = ordered[np.repeat(~heavy, held)]
    # The k-th edge is the smallest value with k/FINE of the rest at or below it: the inverse empirical CDF.
    at = -(-np.arange(1, FINE) * len(rest) // FINE) - 1
    edges = np.unique(rest[at]) if len(rest) else rest
    bins = Sketch(
        kind=kind, edges=tuple(edges.tolist()), atoms=tuple(ordered[starts[heavy]].tolist()), counts=()
    )
    return recount(bins, column)


def _count_numbers(reference: Sketch, column: pl.Series) -> _Counts:
    values = _numbers(column, reference.kind)
    missing = np.isnan(values)
    edges, atoms = np.asarray(reference.edges), np.asarray(reference.atoms)
    cuts = np.union1d(edges, atoms)
    # One search places a value among intervals and atoms: cell 2p lies before cut p, cell 2p + 1 on it.
    place = np.searchsorted(cuts, values[~missing], side="left")
    on_cut = np.append(cuts, np.nan)[place] == values[~missing]
    cells = np.bincount(2 * place + on_cut, minlength=2 * len(cuts) + 1)

    bin_of = np.searchsorted(edges, np.repeat(cuts, 2), side="left")
    bin_of = np.append(bin_of, len(edges))
    bin_of[1 : 2 * len(cuts) : 2][np.isin(cuts, atoms)] = len(edges) + 1 + np.arange(len(atoms))
    counts = np.bincount(bin_of, weights=cells, minlength=len(edges) + 1 + len(atoms))
    return np.append(counts, [0, missing.sum()]).astype(np.int64)


def _texts(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, _NESTED):
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(column))
    return column.cast(pl.String)


def _sketch_levels(column: pl.Series) -> Sketch:
    counted = _level_counts(column).sort("rows", "level", descending=[True, False]).head(LEVELS)
    return recount(Sketch(kind="level", levels=tuple(sorted(counted["level"])), counts=()), column)


def _level_counts(column: pl.Series) -> pl.DataFrame:
    """One row for each level: ``level`` and ``rows``."""
    return _texts(column).rename("level").drop_nulls().value_counts(name="rows")


def _count_levels(reference: Sketch, column: pl.Series) -> _Counts:
    known = pl.DataFrame({"level": reference.levels}, schema={"level": pl.String})
    joined = known.join(_level_counts(column), on="level", how="left", maintain_order="left")
    rows = joined["rows"].fill_null(0).cast(pl.Int64).to_numpy()
    nulls = _texts(column).null_count()
    return np.append(rows, [len(column) - nulls - rows.sum(), nulls]).astype(np.int64)
