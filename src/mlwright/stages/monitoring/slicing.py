"""Slices of served rows: a value of a column each, or a range of a number that the reference fixes."""

from collections.abc import Iterator, Mapping, Sequence
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
        if name in rows.columns:
            labels = _named(rows[name], edges.get(name))
        elif name == "hour":
            labels = rows.select(instants(rows, "event_time").dt.hour().cast(pl.String)).to_series()
        else:
            continue
        # PostgreSQL keeps no NUL in a text.
        labels = labels.str.replace_all("\0", "␀", literal=True)
        marked = rows.with_columns(labels.fill_null("missing").alias(_SLICE))
        counted = marked.group_by(_SLICE).len("rows").sort("rows", _SLICE, descending=[True, False])
        ranges = _ranges(edges.get(name) or ())
        for value in sorted(counted.head(MOST)[_SLICE].to_list(), key=lambda each: _order(each, ranges)):
            yield f"{name}={value[:_LONGEST]}", marked.filter(pl.col(_SLICE) == value).drop(_SLICE)


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
