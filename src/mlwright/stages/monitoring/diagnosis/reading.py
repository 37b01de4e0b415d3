"""Columns of plain tables as numbers, classes and instants, with what is wrong with them."""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.errors import Fault
from mlwright.stages.monitoring.diagnosis.case import Floats

_UNITS: Final = ((1e17, None), (1e14, 1), (1e11, 1_000), (1e8, 1_000_000))
"""From which size on an integer is a time in … microseconds, milliseconds, seconds since 1970."""


def kind(column: pl.Series) -> str:
    """``number``, ``text``, ``time`` or ``other``; what may stand in for one another is of one kind."""
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return "number"
    if column.dtype in (pl.String, pl.Null) or isinstance(column.dtype, pl.Categorical | pl.Enum):
        return "text"  # a number that became text, or a column that is all null, is a finding and no fault
    if column.dtype.is_temporal():
        return "time"
    return "other"


def numbers(
    tables: tuple[pl.DataFrame, pl.DataFrame],
    names: tuple[str, str],
    columns: tuple[str, str],
    faults: list[Fault],
) -> list[tuple[Floats, Floats]] | None:
    """Labels and scores of both sides as numbers, NaN where there is none; text on all of them is coded as classes.

    Args:
        tables: both sides.
        names: what a fault calls them.
        columns: of the label and of the score.
        faults: what is wrong is added here.

    Returns:
        (label, score) of each side; None where something is wrong.
    """
    held = [[side[name] for name in columns] for side in tables]
    flat = [column for pair in held for column in pair]
    full = [column for column in flat if column.null_count() < len(column)]
    if full and all(kind(column) == "text" for column in full):
        levels = sorted({str(value) for column in full for value in column.drop_nulls().unique().to_list()})
        code = {level: float(place) for place, level in enumerate(levels)}
        made = [
            [np.array([np.nan if value is None else code[str(value)] for value in column]) for column in pair]
            for pair in held
        ]
        before = len(faults)
        for (label, _), name in zip(made, names, strict=True):
            faults += _unlabelled(label, name, columns[0])
        return [(pair[0], pair[1]) for pair in made] if len(faults) == before else None
    before = len(faults)
    found = []
    for pair, name in zip(held, names, strict=True):
        found.append([_number(column, f"{name}, {column.name!r}", faults) for column in pair])
    if len(faults) > before:
        return None
    for (label, _), name in zip(found, names, strict=True):
        faults += _unlabelled(label, name, columns[0])
    return [(pair[0], pair[1]) for pair in found] if len(faults) == before else None


def _unlabelled(label: Floats, side: str, target: str) -> list[Fault]:
    if np.isfinite(label).any():
        return []
    return [
        Fault(where=f"{side}, {target!r}", what="no row has a label; quality cannot be compared without any")
    ]


def _number(column: pl.Series, where: str, faults: list[Fault]) -> Floats:
    if kind(column) != "number" and column.null_count() < len(column):
        some = ", ".join(
            repr(each) for each in column.drop_nulls().unique(maintain_order=True).head(3).to_list()
        )
        faults.append(
            Fault(where=where, what=f"expected numbers (0 and 1, or values), got {column.dtype}: {some}")
        )
        return np.full(len(column), np.nan)
    values = column.cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
    values[~np.isfinite(values)] = np.nan
    return np.asarray(values, dtype=np.float64)


def texts(column: pl.Series) -> NDArray[np.str_]:
    """As text, "" where there is none, shape (n,)."""
    return np.array([str(each) for each in column.cast(pl.String).fill_null("").to_list()], dtype=np.str_)


def label_times(column: pl.Series | None, where: str, faults: list[Fault]) -> NDArray[np.int64] | None:
    """As :func:`times`, −1 where there is none."""
    if column is None:
        return None
    known = column.is_not_null().to_numpy()
    found = np.full(len(column), -1, dtype=np.int64)
    read = times(column.drop_nulls(), where, faults)
    if read is not None:
        found[known] = read
    return found


def times(column: pl.Series | None, where: str, faults: list[Fault]) -> NDArray[np.int64] | None:
    """Microseconds since 1970 in UTC, shape (n,); None where there is no such column or it cannot be read."""
    if column is None:
        return None
    if column.null_count():
        faults.append(Fault(where=where, what=f"{column.null_count():,} rows have no time"))
        return None
    if column.dtype.is_integer() and len(column):
        return _counted(column, where, faults)
    if column.dtype == pl.String:
        read = column.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
        if read.null_count():
            bad = column.filter(read.is_null())[0]
            faults.append(
                Fault(where=where, what=f"expected ISO times such as 2024-05-01T12:00:00Z, got {bad!r}")
            )
            return None
        column = read
    if column.dtype != pl.Date and not isinstance(column.dtype, pl.Datetime):
        faults.append(Fault(where=where, what=f"expected times, got {column.dtype}"))
        return None
    return column.cast(pl.Datetime("us")).dt.timestamp("us").to_numpy().astype(np.int64)


def _counted(column: pl.Series, where: str, faults: list[Fault]) -> NDArray[np.int64] | None:
    values = column.cast(pl.Int64).to_numpy()
    size = float(np.abs(values).max())
    unit = next((each for least, each in _UNITS if size >= least), None)
    if unit is None:
        faults.append(Fault(where=where, what=f"{int(values[0])} is no time since 1970 in s, ms or µs"))
        return None
    return values * unit
