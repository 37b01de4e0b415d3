"""Counting rows by slice and by who answered, so that any window of a part is a sum, and all parts make the whole.

The slices of a column are fixed by the reference: at most :data:`MOST_APART` values, the missing ones, and all others
together. A window's slices are then the same as those of every other window, and add up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
from blake3 import blake3

from mlwright.model.windows import Window
from mlwright.stages.monitoring.counting_groups import Grouping, count_groups
from mlwright.stages.monitoring.seasons import Part
from mlwright.stages.monitoring.sketches import Sketch, merge_all
from mlwright.stages.monitoring.slicing import in_order, slice_name, slice_values

MOST_APART: Final = 24
"""Values of a column that are counted apart, as many as the hours of a day; the others are counted together."""
OTHER: Final = "(other)"
MISSING: Final = "missing"
MANY: Final = 5000
"""Rows a day from which on they are counted by the hour."""
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_LONGEST: Final = 220
"""Characters of a part's name."""
_AT, _START, _WEIGHT, _VARIANT = "·at", "·start", "·weight", "·variant"


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceColumn:
    """The slices of one column: where its numbers are cut, and the values that have counts of their own, in order."""

    column: str
    values: tuple[str, ...]
    cuts: tuple[float, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All slices that there can be."""
        return tuple(dict.fromkeys(self.name(each) for each in (*self.values, MISSING, OTHER)))

    def name(self, value: str) -> str:
        """What the slice of a value is called."""
        return _short(slice_name(self.column, value))

    def labels(self, rows: pl.DataFrame) -> pl.Series:
        """The slice of each row; rows that do not have the column are missing in it."""
        values = slice_values(rows, self.column, self.cuts)
        if values is None:
            return pl.Series([self.name(MISSING)], dtype=pl.String).new_from_index(0, rows.height)
        known = {each: self.name(each) for each in (*self.values, MISSING)}
        return values.replace_strict(known, default=self.name(OTHER), return_dtype=pl.String)


def slice_column(rows: pl.DataFrame, column: str, cuts: Sequence[float] = ()) -> SliceColumn | None:
    """Fix the slices of a column by the rows: its most frequent values. None where the rows do not have it."""
    values = slice_values(rows, column, cuts)
    if values is None:
        return None
    counted = values.rename("value").value_counts(name="rows")
    most = counted.sort("rows", "value", descending=[True, False])["value"].head(MOST_APART)
    return SliceColumn(column=column, values=tuple(in_order(most, cuts)), cuts=tuple(cuts))


def variant_labels(answers: pl.DataFrame) -> pl.Series:
    """Who answered each row: ``variant=champion (delay/1)``. Columns variant and model_version."""
    told = answers.select(
        pl.format("variant={} ({})", pl.col("variant"), pl.col("model_version")).fill_null(f"variant={OTHER}")
    ).to_series()
    names = {each: _short(each) for each in told.unique()}
    return told.replace_strict(names, return_dtype=pl.String)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The counts of some rows by the hour or day: of all, and of each part by name."""

    whole: tuple[Part, ...]
    parts: Mapping[str, tuple[Part, ...]]


def count_apart(
    reference: Mapping[str, Sketch],
    rows: pl.DataFrame,
    *,
    at: pl.Series,
    window: Window | None = None,
    weights: pl.Series | None = None,
    variant: pl.Series | None = None,
    slices: Sequence[pl.Series] = (),
    hourly: bool = True,
) -> Counted:
    """Count rows by the hour or day (UTC) of their instant, none longer than the window that they are of.

    What variants answered is counted apart and added up to the whole. Of slices, the counts add up to the whole's too.

    Args:
        reference: the columns and their bins.
        rows: what is counted.
        at: instants; rows without one are left out, times without a zone are UTC, other types give no counts.
        window: what the rows are of; None is any time.
        weights: how many rows each stands for.
        variant: the name of who answered each row; None: one did.
        slices: for each sliced column the name of each row's slice.
        hourly: whether slices may be counted by the hour as well.
    """
    if not isinstance(at.dtype, pl.Datetime):
        return Counted(whole=(), parts={})
    instant = at.dt.replace_time_zone("UTC") if at.dtype.time_zone is None else at
    labels = {f"·{place}": each for place, each in enumerate(slices)}
    marked = rows.with_columns(
        instant.dt.convert_time_zone("UTC").alias(_AT),
        *([weights.alias(_WEIGHT)] if weights is not None else []),
        (variant if variant is not None else pl.lit("", pl.String)).alias(_VARIANT),
        *(each.alias(name) for name, each in labels.items()),
    ).drop_nulls(_AT)
    if marked.is_empty():
        return Counted(whole=(), parts={})
    cut = window is not None and bool((window.end - window.start) % _DAY)
    many = marked.height >= MANY * max(1, marked[_AT].dt.date().n_unique())
    span = _HOUR if many or cut else _DAY
    fine = span if hourly or cut else _DAY
    splits = [_split(marked, _VARIANT, span), *(_split(marked, name, fine) for name in labels)]
    counted = count_groups(
        reference,
        marked,
        [each.grouping for each in splits],
        weights=marked[_WEIGHT] if weights is not None else None,
    )
    found = [each.parts(groups) for each, groups in zip(splits, counted, strict=True)]
    parts: dict[str, tuple[Part, ...]] = {}
    for each in found if variant is not None else found[1:]:
        parts |= each
    return Counted(whole=_added(reference, list(found[0].values())), parts=parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Split:
    """Rows by hour or day and by the name of a part; ``keys`` are the start and the name of each group."""

    grouping: Grouping
    keys: Sequence[tuple[datetime, str]]
    span: timedelta

    def parts(self, counted: Sequence[Mapping[str, Sketch]]) -> dict[str, tuple[Part, ...]]:
        """What was counted, by name and in order of time."""
        found: dict[str, list[Part]] = {}
        for (start, name), sketches in sorted(zip(self.keys, counted, strict=True), key=lambda each: each[0]):
            window = Window(start=start, end=start + self.span)
            found.setdefault(name, []).append(Part(window=window, sketches=sketches))
        return {name: tuple(found[name]) for name in sorted(found)}


def _split(rows: pl.DataFrame, key: str, span: timedelta) -> _Split:
    starts = rows.select(pl.col(_AT).dt.truncate("1h" if span == _HOUR else "1d").alias(_START), key)
    keys = starts.unique().with_row_index("·group")
    groups = starts.join(keys, on=[_START, key], how="left", maintain_order="left")["·group"]
    return _Split(
        grouping=Grouping(of=groups.to_numpy().astype(np.intp), groups=keys.height),
        keys=list(zip(keys[_START], keys[key], strict=True)),
        span=span,
    )


def _added(reference: Mapping[str, Sketch], apart: Sequence[Sequence[Part]]) -> tuple[Part, ...]:
    """The sum of several parts, window by window."""
    if len(apart) == 1:
        return tuple(apart[0])
    windows: dict[datetime, list[Part]] = {}
    for each in (part for parts in apart for part in parts):
        windows.setdefault(each.window.start, []).append(each)
    return tuple(
        held[0]
        if len(held) == 1
        else Part(window=held[0].window, sketches=merge_all(reference, (each.sketches for each in held)))
        for _, held in sorted(windows.items())
    )


def _short(name: str) -> str:
    """A name that a database keeps as a key, whatever the value."""
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}… {blake3(name.encode()).hexdigest(length=4)}"
