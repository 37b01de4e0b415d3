"""Slices of served rows: a value of a column each, or a range of a number that the reference fixes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from mlwright.stages.monitoring.labels import instants

MOST: Final = 50
"""Of a column with more values the most frequent ones are looked at."""
_FEW: Final = 12
_LONGEST: Final = 200
"""Characters of a value that name its slice."""


def slice_edges(reference: pl.DataFrame, columns: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Where numbers are cut into ranges: at the quartiles of a reference, so that windows can be compared.

    Columns that are no numbers, or have at most twelve values there, are not cut: each value is a slice.
    """
    found: dict[str, tuple[float, ...]] = {}
    for name in columns:
        if name not in reference.columns or not reference.schema[name].is_numeric():
            continue
        values = reference[name].cast(pl.Float64)
        values = values.filter(values.is_finite().fill_null(value=False))
        if values.n_unique() > _FEW:
            cuts = {values.quantile(each, "lower") for each in (0.25, 0.5, 0.75)}
            found[name] = tuple(sorted(each for each in cuts if each is not None))
    return found


def sliced(
    rows: pl.DataFrame, columns: Sequence[str], edges: Mapping[str, Sequence[float]]
) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of each slice under its name, ``column=value``.

    Args:
        rows: features beside event_time; a column that is not there has no slices, except ``hour``, which is that of
            the event in UTC.
        columns: by which to slice.
        edges: of numbers, see :func:`slice_edges`.
    """
    for name in columns:
        labels = slice_values(rows, name, edges.get(name))
        if labels is None:
            continue
        marked = rows.with_columns(labels.alias(_SLICE))
        counted = marked.group_by(_SLICE).len("rows").sort("rows", _SLICE, descending=[True, False])
        for value in in_order(counted.head(MOST)[_SLICE].to_list(), edges.get(name)):
            yield slice_name(name, value), marked.filter(pl.col(_SLICE) == value).drop(_SLICE)


def slice_values(rows: pl.DataFrame, column: str, cuts: Sequence[float] | None = None) -> pl.Series | None:
    """Which slice of a column each row lies in: its value as text, or the range between cuts.

    Args:
        rows: as for :func:`sliced`.
        column: by which to slice.
        cuts: of a number, see :func:`slice_edges`.

    Returns:
        No nulls; None where the rows do not have the column.
    """
    if column in rows.columns:
        labels = _named(rows[column], cuts)
    elif column == "hour" and "event_time" in rows.columns:
        labels = rows.select(instants(rows, "event_time").dt.hour().cast(pl.String)).to_series()
    else:
        return None
    # PostgreSQL keeps no NUL in a text.
    return labels.str.replace_all("\0", "␀", literal=True).fill_null("missing")


def slice_name(column: str, value: str) -> str:
    """What the slice of a value is called."""
    return f"{column}={value[:_LONGEST]}"


def in_order(values: Iterable[str], cuts: Sequence[float] | None = None) -> list[str]:
    """Slices of one column as people expect them: ranges and numbers by size, other values by name, missing last."""
    ranges = _ranges(cuts or ())
    return sorted(values, key=lambda each: _order(each, ranges))


_SLICE = "·slice"


def _named(values: pl.Series, cuts: Sequence[float] | None) -> pl.Series:
    """A column as text: numbers as the range that they lie in."""
    if not cuts or not values.dtype.is_numeric():
        if values.dtype.is_float():
            whole = values.fill_nan(None)
            as_whole = whole.cast(pl.Int64, strict=False)
            return pl.select(
                pl.when(as_whole == whole).then(as_whole.cast(pl.String)).otherwise(whole.cast(pl.String))
            ).to_series()
        return values.cast(pl.String, strict=False)
    number = values.cast(pl.Float64).fill_nan(None)
    place = pl.Series(np.searchsorted(cuts, number.fill_null(0.0).to_numpy(), side="left"))
    named = place.replace_strict(dict(enumerate(_ranges(cuts))), return_dtype=pl.String)
    return named.zip_with(
        number.is_not_null(), pl.Series([None], dtype=pl.String).new_from_index(0, len(named))
    )


def _ranges(cuts: Sequence[float]) -> list[str]:
    """The names of the ranges between cuts; a cut belongs to the range below it."""
    if not cuts:
        return []
    said = [f"{each:g}" for each in cuts]
    if len(set(said)) < len(said):  # six digits do not tell them apart
        said = [repr(each) for each in cuts]
    return [f"≤ {said[0]}", *(f"{low} … {high}" for low, high in pairwise(said)), f"> {said[-1]}"]


def _order(value: str, ranges: Sequence[str]) -> tuple[bool, float, str]:
    """Ranges and numbers by size, other values by name, the missing one last."""
    if value in ranges:
        return (False, float(ranges.index(value)), "")
    return (value == "missing", float(value) if value.isdigit() else float("inf"), value)
