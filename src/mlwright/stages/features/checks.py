"""What has to hold before values may be joined: columns exist, instants have a zone, keys are comparable."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from mlwright.errors import DataError, Fault, near_match
from mlwright.model.features import FeatureView

Int64s = npt.NDArray[np.int64]

_INT64 = np.iinfo(np.int64)
_STEPS = {("ms", "us"): 10**3, ("us", "us"): 1, ("ms", "ns"): 10**6, ("us", "ns"): 10**3, ("ns", "ns"): 1}


def require_columns(frame: pl.DataFrame, names: Iterable[str], where: str) -> None:
    """Refuse a frame that lacks a column.

    Raises:
        DataError: with one fault a missing column, and the column that was probably meant.
    """
    faults = [
        Fault(where=where, what=f"has no column {name!r}", near=near_match(name, frame.columns))
        for name in names
        if name not in frame.columns
    ]
    if faults:
        raise DataError(
            "columns are missing", where=where, next_command="mlwright doctor", faults=tuple(faults)
        )


def require_view(view: FeatureView, values: pl.DataFrame) -> None:
    """Refuse values that are not the view's: a column is missing, or one column has two roles.

    Raises:
        DataError: naming the columns.
    """
    created = () if view.created is None else (view.created,)
    roles = [*view.entity, view.timestamp, *created, *view.features]
    twice = sorted({name for name in roles if roles.count(name) > 1})
    if twice:
        raise DataError(
            f"columns have two roles: {', '.join(twice)}",
            where=_of(view),
            why="entity, timestamp, created and features of a view must be different columns",
            next_command="mlwright doctor",
        )
    require_columns(values, roles, where=f"{_of(view)}, data set {view.dataset!r}")


def time_unit(columns: Iterable[pl.Series]) -> str:
    """The coarsest unit that keeps all of these instants exactly: ``us``, or ``ns`` if any column has it."""
    units = [each.dtype.time_unit for each in columns if isinstance(each.dtype, pl.Datetime)]
    return "ns" if "ns" in units else "us"


def instants(column: pl.Series, unit: str, where: str, *, nulls: int | None = None) -> Int64s:
    """Turn aware datetimes into whole units since 1970 in UTC, exactly.

    Args:
        column: aware datetimes of any zone and unit.
        unit: ``us`` or ``ns``.
        where: what the column is, for the error.
        nulls: the number that stands for a null; None refuses nulls.

    Raises:
        DataError: the column is naive or no datetime, has a null that is not allowed (the message has the
            first row's number, counted from 0), or has instants that the unit cannot hold.
    """
    kind = column.dtype
    if not isinstance(kind, pl.Datetime) or kind.time_zone is None:
        naive = isinstance(kind, pl.Datetime)
        raise DataError(
            f"column {column.name!r} holds {'datetimes without a time zone' if naive else str(kind)}",
            where=where,
            why="features are looked up by instant: a wall time names two of them when clocks are set back",
            next_command=f'in the data set\'s source: pl.col("{column.name}").dt.replace_time_zone("UTC")',
        )
    if nulls is None and column.null_count():
        row = column.is_null().arg_max()
        raise DataError(
            f"column {column.name!r} is null in row {row} (of {column.null_count()} such rows)",
            where=where,
            why="without an instant it cannot be said what was known",
        )
    steps = _STEPS[kind.time_unit, unit]
    whole = column.to_physical()
    low, high = whole.min(), whole.max()
    if (
        isinstance(low, int)
        and isinstance(high, int)
        and not _INT64.min < low * steps <= high * steps <= _INT64.max
    ):
        raise DataError(
            f"column {column.name!r} has instants outside 1677 to 2262, which nanoseconds cannot hold",
            where=where,
        )
    filled: Int64s = (whole.fill_null(0) * steps).to_numpy().astype(np.int64)
    if nulls is not None:
        filled = np.where(column.is_null().to_numpy(), np.int64(nulls), filled)
    return filled


def key_codes(
    rows: pl.DataFrame, values: pl.DataFrame, entity: Sequence[str], where: str
) -> tuple[Int64s, Int64s]:
    """Number the distinct keys of two frames: equal keys have equal numbers, a key with a null has -1.

    Raises:
        DataError: a key column has different kinds in the two frames (text and whole number, say), or is of
            a kind that cannot be a key; the message names the columns.
    """
    codes = np.zeros(len(rows) + len(values), dtype=np.int64)
    for name in entity:
        left, right = _comparable(rows[name], values[name], where)
        both = pl.concat([left.alias("key"), right.alias("key")])
        # a rank per column, folded into one number and made dense again, so that many columns cannot overflow
        column = _dense(both)
        folded = codes * (int(column.max(initial=0)) + 1) + column
        known = (codes >= 0) & (column >= 0)
        codes = _dense(pl.Series(np.where(known, folded, -1)).replace(-1, None))
    return codes[: len(rows)], codes[len(rows) :]


def _dense(column: pl.Series) -> Int64s:
    ranks: Int64s = column.rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1
    return ranks


def _comparable(left: pl.Series, right: pl.Series, where: str) -> tuple[pl.Series, pl.Series]:
    kinds = _kind(left.dtype), _kind(right.dtype)
    if "null" in kinds:  # a column of nothing but nulls matches nothing, whatever the other one holds
        return left.cast(right.dtype, strict=False), right.cast(right.dtype)
    if kinds[0] != kinds[1] or kinds[0] == "other":
        raise DataError(
            f"key column {left.name!r} is {left.dtype} in the rows and {right.dtype} in the view's data",
            where=where,
            why="keys must be of one kind in both: text, whole number, boolean or date",
            next_command=f'cast one of them: pl.col("{left.name}").cast(pl.String)',
        )
    common = {"text": pl.String, "whole": pl.Int128, "boolean": pl.Boolean, "date": pl.Date}[kinds[0]]
    return left.cast(common), right.cast(common)


def _kind(dtype: pl.DataType) -> str:
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    if dtype.is_integer():
        return "whole"
    return {pl.Boolean: "boolean", pl.Date: "date", pl.Null: "null"}.get(type(dtype), "other")


def _of(view: FeatureView) -> str:
    return f"feature view {view.name!r}"
