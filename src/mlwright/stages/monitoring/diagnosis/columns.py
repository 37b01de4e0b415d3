"""One feature on both sides, read once."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.stages.monitoring.diagnosis.case import Case, Floats
from mlwright.stages.monitoring.encoding import Kind, kind_of, numbers

SAMPLED: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A feature as it was and as it is served.

    ``before`` and ``now`` hold it as numbers, shape (n,) over all rows, NaN where missing; of levels they
    are empty.
    """

    name: str
    kind: Kind
    old: pl.Series
    new: pl.Series
    before: Floats
    now: Floats
    old_rows: NDArray[np.int64]
    """At most 20,000 rows that stand for the reference, in order."""
    new_rows: NDArray[np.int64]

    ordered: tuple[Floats, Floats]

    def sampled(self) -> tuple[Floats, Floats]:
        """The known numbers of the sampled rows, sorted; of levels none."""
        return self.ordered

    def served(self, now: Floats, new: pl.Series | None = None) -> "Column":
        """The same feature with other current values."""
        ordered = (self.ordered[0], _sorted(now[self.new_rows]))
        return replace(self, now=now, new=self.new if new is None else new, ordered=ordered)


def columns(case: Case) -> tuple[Column, ...]:
    """The features of the reference that the current side has too, free text and nested types left out."""
    random = np.random.default_rng(case.seed + 3)
    old_rows = _rows(len(case.reference), random)
    new_rows = _rows(len(case.current), random)
    found = []
    for series in case.reference.features.iter_columns():
        kind = kind_of(series.dtype)
        if series.name in case.keep_texts or kind is Kind.OTHER:
            continue
        if series.name not in case.current.features.columns:
            continue
        found.append(column(series, case.current.features[series.name], old_rows=old_rows, new_rows=new_rows))
    return tuple(found)


def column(
    old: pl.Series, new: pl.Series, *, old_rows: NDArray[np.int64], new_rows: NDArray[np.int64]
) -> Column:
    """Read a feature."""
    kind = kind_of(old.dtype)
    levels = kind is Kind.LEVELS
    nothing = np.empty(0)
    before, now = (nothing, nothing) if levels else (numbers(old), numbers(new))
    ordered = (nothing, nothing) if levels else (_sorted(before[old_rows]), _sorted(now[new_rows]))
    return Column(
        name=old.name,
        kind=kind,
        old=old,
        new=new,
        before=before,
        now=now,
        ordered=ordered,
        old_rows=old_rows,
        new_rows=new_rows,
    )


def _sorted(values: Floats) -> Floats:
    return np.sort(values[np.isfinite(values)])


def _rows(n: int, random: np.random.Generator) -> NDArray[np.int64]:
    if n <= SAMPLED:
        return np.arange(n)
    return np.sort(random.choice(n, SAMPLED, replace=False))
