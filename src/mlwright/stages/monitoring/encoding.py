"""A frame as numbers for a learner, with levels and types fixed by a reference."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
LEVELS: Final = 254
"""Most levels that one column keeps: a learner's codes are bytes, and one value is for missing."""
_RARE: Final = 3
"""A level seen less often in the reference than this tells nothing."""
_HOUR: Final = 3_600_000_000


class Kind(StrEnum):
    """What a column of the reference holds."""

    NUMBER = "number"
    LEVELS = "levels"
    INSTANT = "instant"
    OTHER = "other"
    """Lists, structures, bytes, or nothing but nulls: no test reads it."""


def kind_of(dtype: pl.DataType) -> Kind:
    """What a column of this type holds: booleans and durations are numbers, dates and datetimes are instants."""
    if dtype.is_numeric() or dtype in (pl.Boolean, pl.Duration, pl.Time):
        return Kind.NUMBER
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return Kind.LEVELS
    return Kind.INSTANT if dtype in (pl.Date, pl.Datetime) else Kind.OTHER


def numbers(series: pl.Series) -> _Floats:
    """A column as numbers, shape (n,); NaN for null, for ±∞, and for text that is no number.

    Instants are microseconds since 1970 in UTC, durations and times of day microseconds, booleans 0 and 1.
    """
    dtype = series.dtype
    if dtype == pl.Datetime:
        series = series.dt.epoch("us")
    elif dtype == pl.Date:
        series = series.cast(pl.Datetime("us")).dt.epoch("us")
    elif dtype == pl.Duration:
        series = series.dt.total_microseconds()
    elif dtype == pl.Time:
        series = series.cast(pl.Duration("us")).dt.total_microseconds()
    elif dtype in (pl.String, pl.Categorical, pl.Enum):
        series = series.cast(pl.String).str.strip_chars()
    elif not (dtype.is_numeric() or dtype == pl.Boolean):
        return np.full(len(series), np.nan)
    found = np.asarray(series.cast(pl.Float64, strict=False).to_numpy(), dtype=np.float64)
    wild = np.isinf(found)
    return np.where(wild, np.nan, found) if wild.any() else found


def texts_of(series: pl.Series) -> pl.Series:
    """A column as text; whole numbers without a decimal point, so that 3, 3.0 and ``"3"`` are one level."""
    if series.dtype.is_float():
        whole = series.is_finite() & (series == series.round(0)) & (series.abs() < 2**53)
        plain = series.fill_nan(None)
        as_whole = plain.cast(pl.Int64, strict=False).cast(pl.String)
        return as_whole.zip_with(whole.fill_null(value=False), plain.cast(pl.String))
    return series.cast(pl.String, strict=False)


def by_count(series: pl.Series) -> pl.DataFrame:
    """The known values of a column, ``value`` and ``count``: the most frequent first, ties by value."""
    counted = series.alias("value").drop_nulls().value_counts()
    return counted.sort("count", "value", descending=[True, False])


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """One column of the matrix: where it comes from and how."""

    source: str
    kind: Kind
    levels: tuple[str, ...] = ()
    """By how often they occur in the reference; the code of a level is its place."""
    hour: bool = False
    """The hour of the day of an instant, in UTC, with its fraction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """Turns frames into matrices whose columns always mean the same."""

    columns: tuple[Coded, ...]

    @property
    def categorical(self) -> tuple[int, ...]:
        """Which columns of the matrix hold codes without an order."""
        return tuple(i for i, column in enumerate(self.columns) if column.kind is Kind.LEVELS)

    @property
    def names(self) -> tuple[str, ...]:
        """The feature that each column of the matrix comes from; an instant has two."""
        return tuple(column.source for column in self.columns)

    def places(self, feature: str) -> tuple[int, ...]:
        """The columns of the matrix that come from a feature."""
        return tuple(i for i, column in enumerate(self.columns) if column.source == feature)

    def matrix(self, frame: pl.DataFrame) -> _Floats:
        """Encode rows, shape (n, k); NaN for null, ±∞, unreadable, rare or never seen, or a column that is not here."""
        found = np.full((frame.height, len(self.columns)), np.nan, order="F")
        for i, column in enumerate(self.columns):
            if column.source in frame.columns:
                found[:, i] = _coded(frame[column.source], column)
        return found


def encoder(reference: pl.DataFrame, texts: Sequence[str] = ()) -> Encoder:
    """Fix the encoding by a reference.

    Args:
        reference: feature columns; lists, structures and bytes are left out.
        texts: columns of free text, left out.

    Returns:
        Numbers as they are, instants as microseconds and hour of the day, text as codes of its at most 254 most
        frequent levels (ties by name) that occur at least three times; a column without such a level is left out.
    """
    columns: list[Coded] = []
    for series in reference.iter_columns():
        kind = kind_of(series.dtype)
        if series.name in texts or kind is Kind.OTHER:
            continue
        if kind is Kind.LEVELS:
            if levels := _levels(series):
                columns.append(Coded(source=series.name, kind=kind, levels=levels))
            continue
        columns.append(Coded(source=series.name, kind=kind))
        if kind is Kind.INSTANT and series.dtype != pl.Date:
            columns.append(Coded(source=series.name, kind=kind, hour=True))
    return Encoder(columns=tuple(columns))


def _levels(series: pl.Series) -> tuple[str, ...]:
    counted = by_count(series.cast(pl.String)).filter(pl.col("count") >= _RARE)
    return tuple(counted["value"].head(LEVELS))


def _coded(series: pl.Series, column: Coded) -> _Floats:
    if column.kind is Kind.LEVELS:
        codes = pl.Series(range(len(column.levels)), dtype=pl.Float64)
        coded = texts_of(series).replace_strict(pl.Series(column.levels), codes, default=None)
        return np.asarray(coded.cast(pl.Float64).to_numpy(), dtype=np.float64)
    if column.kind is Kind.INSTANT and series.dtype == pl.String:
        series = series.str.to_datetime(time_unit="us", strict=False)
    found = numbers(series)
    return np.asarray((found % (24 * _HOUR)) / _HOUR if column.hour else found, dtype=np.float64)
