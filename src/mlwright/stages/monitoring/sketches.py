"""Counts of a column in bins that a reference fixed once: every window is the sum of its parts.

The bins of numbers are ``(-inf, e1], (e1, e2], ..., (ek, inf)`` at percentiles of the reference. A value that alone
holds as much as a bin is an *atom*: it ends its interval and has a cell of its own behind it (else a constant that
turns into another constant would look unchanged). Levels of text have a cell each. Two cells stand at the end: levels
that the reference does not name, and missing values. With the counts go the sum of the values of each cell, their
squares and extremes, so that means, deviations, ranges and the Wasserstein distance are known of any window.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from math import inf, isfinite, sqrt

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from mlwright.errors import StorageError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """Where a column is counted. ``kind`` is ``number``, ``instant`` (microseconds) or ``level`` (text).

    ``edges`` ascend; those in ``atoms`` (a subset) hold a cell of their own.
    """

    kind: str
    edges: tuple[float, ...] = ()
    atoms: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()

    @property
    def ordered(self) -> int:
        """Cells in the order of the values: intervals and atoms; none for levels."""
        return 0 if self.kind == "level" else len(self.edges) + 1 + len(self.atoms)

    @property
    def cells(self) -> int:
        """All cells: the ordered ones or the levels, then unseen levels, then missing values."""
        return self.ordered + len(self.levels) + 2

    @property
    def points(self) -> NDArray[np.bool_]:
        """Which of the ordered cells are single values, shape ``(ordered,)``."""
        atomic = np.isin(self.edges, self.atoms)
        found = np.zeros(self.ordered, dtype=np.bool_)
        found[np.flatnonzero(atomic) + np.arange(int(atomic.sum())) + 1] = True
        return found

    def ends(self) -> tuple[Floats, Floats]:
        """The ends of each ordered cell, the outer ones infinite; an atom ends where it begins."""
        ends = np.repeat(np.asarray(self.edges, dtype=np.float64), 1 + np.isin(self.edges, self.atoms))
        return np.concatenate(([-inf], ends)), np.concatenate((ends, [inf]))

    def digest(self) -> bytes:
        """Eight bytes that two different sets of bins do not share."""
        return _digest(self)

    def to_json(self) -> dict[str, object]:
        """The bins as JSON-able values."""
        return {
            "kind": self.kind,
            "edges": list(self.edges),
            "atoms": list(self.atoms),
            "levels": list(self.levels),
        }


@lru_cache(maxsize=512)  # each of a window's slices asks for those of every column
def _digest(bins: Bins) -> bytes:
    told = repr((bins.kind, bins.edges, bins.atoms, bins.levels)).encode()
    return blake3(told).digest(length=8)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sketch:
    """How much of a column lies in each cell.

    ``counts`` has shape ``(bins.cells,)`` and holds weights: 1 a row, or how many rows a sampled row stands for.
    ``sums``, shape ``(bins.ordered,)``, are of finite values only; of those are ``least``, ``most`` and ``squares``
    too. ``rows`` is what was really counted, ``heaviness`` the sum of squared weights.
    """

    bins: Bins
    counts: Floats
    sums: Floats
    rows: int
    heaviness: float
    squares: float = 0.0
    least: float = inf
    most: float = -inf
    infinite: tuple[float, float] = (0.0, 0.0)
    """Weight of values below and above all finite ones; they are in the outer cells too."""
    unread: float = 0.0
    """Weight of values that are not of the reference's type; they count as missing too."""

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Sketch)
            and self.bins == other.bins
            and np.array_equal(self.counts, other.counts)
            and np.array_equal(self.sums, other.sums)
            and self._scalars() == other._scalars()
        )

    __hash__ = None  # type: ignore[assignment]  # arrays change

    @property
    def n(self) -> float:
        """Weight of all rows: their number where nothing was sampled."""
        return float(self.counts.sum())

    @property
    def effective(self) -> float:
        """As many unweighted rows would say as much (Kish 1965)."""
        return self.n**2 / self.heaviness if self.heaviness else 0.0

    @property
    def nulls(self) -> float:
        """Weight of rows without a value."""
        return float(self.counts[-1])

    @property
    def unseen(self) -> float:
        """Weight of rows with a level that the bins do not name."""
        return float(self.counts[-2])

    @property
    def finite(self) -> float:
        """Weight of finite numbers."""
        return float(self.counts[: self.bins.ordered].sum()) - sum(self.infinite)

    @property
    def mean(self) -> float | None:
        """Mean of the finite numbers; None without any."""
        return float(self.sums.sum()) / self.finite if self.finite > 0 else None

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the finite numbers; None without any. One wild value is enough to make it large."""
        if self.mean is None:
            return None
        return sqrt(max(self.squares / self.finite - self.mean**2, 0.0))

    def quantile(self, share: float) -> float | None:
        """About the value that has this share of the numbers at or below it; None without any.

        Linear within an interval, whose ends are the neighbouring edges or the extremes.
        """
        masses = self.counts[: self.bins.ordered]
        if masses.sum() <= 0 or not isfinite(self.least):
            return None
        reached = np.cumsum(masses)
        cell = int(np.searchsorted(reached, share * reached[-1], side="left"))
        low, high = self.spans()
        inside = (share * reached[-1] - reached[cell] + masses[cell]) / masses[cell] if masses[cell] else 1.0
        return float(low[cell] + (high[cell] - low[cell]) * min(max(inside, 0.0), 1.0))

    def spans(self, other: "Sketch | None" = None) -> tuple[Floats, Floats]:
        """The ends of each ordered cell, no further out than the extremes (of both sketches if two)."""
        low, high = self.bins.ends()
        least = min(self.least, other.least if other else inf)
        most = max(self.most, other.most if other else -inf)
        return np.clip(low, least, most), np.clip(high, least, most)

    def to_json(self) -> dict[str, object]:
        """The sketch as JSON-able values."""
        return {
            **self.bins.to_json(),
            "counts": self.counts.tolist(),
            "sums": self.sums.tolist(),
            "rows": self.rows,
            "heaviness": self.heaviness,
            "squares": self.squares,
            "extremes": [self.least, self.most] if isfinite(self.least) else [],
            "infinite": list(self.infinite),
            "unread": self.unread,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> "Sketch":
        """Read what ``to_json`` wrote.

        Raises:
            StorageError: it is not a sketch.
        """
        try:
            bins = Bins(
                kind=str(stored["kind"]),
                edges=_numbers(stored["edges"]),
                atoms=_numbers(stored["atoms"]),
                levels=tuple(str(level) for level in _row(stored["levels"])),
            )
            least, most = _numbers(stored["extremes"]) or (inf, -inf)
            below, above = _numbers(stored["infinite"])
            found = cls(
                bins=bins,
                counts=np.array(_numbers(stored["counts"])),
                sums=np.array(_numbers(stored["sums"])),
                rows=int(str(stored["rows"])),
                heaviness=float(str(stored["heaviness"])),
                squares=float(str(stored["squares"])),
                least=least,
                most=most,
                infinite=(below, above),
                unread=float(str(stored["unread"])),
            )
        except (KeyError, TypeError, ValueError) as fault:
            raise StorageError("a stored drift reference cannot be read", why=repr(fault)) from fault
        if len(found.counts) != bins.cells or len(found.sums) != bins.ordered:
            raise StorageError("a stored drift reference cannot be read", why="counts and bins disagree")
        return found

    def _scalars(self) -> tuple[float, ...]:
        return (
            self.rows,
            self.heaviness,
            self.squares,
            self.least,
            self.most,
            *self.infinite,
            self.unread,
        )


def empty(bins: Bins) -> Sketch:
    """No rows at all: what every sum begins with."""
    return Sketch(bins=bins, counts=np.zeros(bins.cells), sums=np.zeros(bins.ordered), rows=0, heaviness=0.0)


def merge(first: Sketch, second: Sketch) -> Sketch:
    """The sketch of the rows of both. Counts add exactly, sums to the last bits of a float64.

    Raises:
        ValueError: the two have different bins.
    """
    _same(first, second)
    return replace(
        first,
        counts=first.counts + second.counts,
        sums=first.sums + second.sums,
        rows=first.rows + second.rows,
        heaviness=first.heaviness + second.heaviness,
        squares=first.squares + second.squares,
        least=min(first.least, second.least),
        most=max(first.most, second.most),
        infinite=(first.infinite[0] + second.infinite[0], first.infinite[1] + second.infinite[1]),
        unread=first.unread + second.unread,
    )


def total(bins: Bins, parts: Iterable[Sketch]) -> Sketch:
    """The sum of any number of sketches of the same bins."""
    return reduce(merge, parts, empty(bins))


def merge_all(reference: Mapping[str, Sketch], parts: Iterable[Mapping[str, Sketch]]) -> dict[str, Sketch]:
    """The sum of parts, column by column; a column that a part lacks counts as all missing there."""
    summed = {name: empty(known.bins) for name, known in reference.items()}
    for part in parts:
        rows = max((each.n for each in part.values()), default=0.0)
        for name, so_far in summed.items():
            there = part.get(name)
            summed[name] = merge(so_far, there if there is not None else _missing(so_far.bins, rows))
    return summed


def _missing(bins: Bins, rows: float) -> Sketch:
    none = empty(bins)
    none.counts[-1] = rows
    return replace(none, rows=round(rows), heaviness=rows)


def _same(first: Sketch, second: Sketch) -> None:
    if first.bins is not second.bins and first.bins != second.bins:
        raise ValueError("two sketches add up only if they were counted into the same bins")


def _row(stored: object) -> Sequence[object]:
    if not isinstance(stored, list):
        raise TypeError(f"a list, not {stored!r}")
    return stored


def _numbers(stored: object) -> tuple[float, ...]:
    return tuple(float(str(each)) for each in _row(stored))
