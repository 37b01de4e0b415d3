"""What the columns of a table look like, from a bounded number of its first rows."""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlwright.engineer.facts.repository import FileEntry
from mlwright.engineer.fixes.shape import Read

if TYPE_CHECKING:
    import polars

ROWS: Final = 10_000
"""Rows that are looked at."""
_HEAD: Final = 8_000_000
_PARQUET: Final = 64_000_000
_COLUMNS: Final = 500


class Unreadable(Exception):
    """A file is no table that can be read here; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a sample.

    ``logical_type`` is a word of ODCS, "" where none fits. ``nulls`` counts rows. ``unique`` tells that there is no
    null and no value twice. ``limits`` are generous ends around the numbers that were seen, as text.
    """

    name: str
    logical_type: str
    nulls: int
    unique: bool
    limits: tuple[str, str] | None


def profiled(entry: FileEntry, read: Read) -> tuple[tuple[Column, ...], int]:
    """The columns of a file's first rows, in its order, and how many rows those are.

    Raises:
        Unreadable: it is no table, has no rows, or is too large to be read.
    """
    limit = _PARQUET if entry.path.lower().endswith(".parquet") else _HEAD
    if entry.bytes > limit and limit == _PARQUET:
        raise Unreadable(f"larger than {_PARQUET // 1_000_000} MB")
    raw = read(entry.path, head=limit)
    if not raw:
        raise Unreadable("cannot be read")
    if raw.startswith(b"version https://git-lfs"):
        raise Unreadable("stands in Git LFS: only a pointer is here")
    frame = _frame(entry.path.lower(), raw, whole=len(raw) >= entry.bytes)
    if not frame.height or not frame.width:
        raise Unreadable("has no rows")
    if frame.width > _COLUMNS:
        raise Unreadable(f"has {frame.width} columns: too many for one contract")
    return tuple(_column(frame[name]) for name in frame.columns), frame.height


def _frame(path: str, raw: bytes, *, whole: bool) -> "polars.DataFrame":
    # polars takes a fifth of a second to import, which no other part of an assessment needs.
    import polars as pl

    readers: dict[str, Callable[[], pl.DataFrame]] = {
        ".parquet": lambda: pl.read_parquet(io.BytesIO(raw), n_rows=ROWS),
        ".csv": lambda: _csv(_whole_lines(raw, whole)),
        ".tsv": lambda: _csv(_whole_lines(raw, whole)),
        ".jsonl": lambda: pl.read_ndjson(io.BytesIO(_first_lines(_whole_lines(raw, whole)))),
        ".ndjson": lambda: pl.read_ndjson(io.BytesIO(_first_lines(_whole_lines(raw, whole)))),
    }
    suffix = path[path.rindex(".") :]
    try:
        return readers[suffix]()
    except (pl.exceptions.PolarsError, OSError, ValueError, pl.exceptions.PanicException) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise Unreadable(f"cannot be read as {suffix[1:]}: {first[:120]}") from error


def _csv(raw: bytes) -> "polars.DataFrame":
    import polars as pl

    head = raw.partition(b"\n")[0]
    separator = max((",", ";", "\t", "|"), key=lambda each: head.count(each.encode()))
    return pl.read_csv(
        io.BytesIO(raw),
        separator=separator,
        n_rows=ROWS,
        infer_schema_length=ROWS,
        try_parse_dates=True,
        null_values=["", "NA", "NaN", "nan", "null", "NULL", "None"],
    )


def _whole_lines(raw: bytes, whole: bool) -> bytes:
    return raw if whole else raw[: raw.rfind(b"\n") + 1]


def _first_lines(raw: bytes) -> bytes:
    return b"".join(raw.splitlines(keepends=True)[:ROWS])


def _column(values: "polars.Series") -> Column:
    import polars as pl

    kind = values.dtype
    logical = ""
    if kind == pl.Boolean:
        logical = "boolean"
    elif kind.is_integer():
        logical = "integer"
    elif kind.is_numeric():
        logical = "number"
    elif kind == pl.Date:
        logical = "date"
    elif kind == pl.Datetime:
        logical = "timestamp"
    elif kind in (pl.String, pl.Categorical, pl.Enum):
        logical = "string"
    elif kind in (pl.List, pl.Array):
        logical = "array"
    elif kind == pl.Struct:
        logical = "object"
    nulls = values.null_count()
    if kind.is_float():
        nulls += int(values.is_nan().sum())
    plain = logical not in ("", "array", "object")
    return Column(
        name=values.name,
        logical_type=logical,
        nulls=nulls,
        unique=plain and logical != "number" and not nulls and values.n_unique() == len(values),
        limits=_limits(values) if logical in ("integer", "number") else None,
    )


def _limits(values: "polars.Series") -> tuple[str, str] | None:
    """Ends a whole range beyond what was seen, rounded outwards; never below zero where nothing negative was seen."""
    numbers = values.drop_nulls().cast(float)
    numbers = numbers.filter(numbers.is_finite())
    if not len(numbers):
        return None
    low, high = float(numbers.min() or 0), float(numbers.max() or 0)  # type: ignore[arg-type]  # of numbers
    if (low, high) == (0, 1):
        return "0", "1"
    span = (high - low) or abs(high) or 1.0
    lower = 0.0 if low >= 0 else _rounded(low - span, math.floor)
    upper = 0.0 if high <= 0 else _rounded(high + span, math.ceil)
    return _written(lower), _written(upper)


def _rounded(value: float, outwards: Callable[[float], int]) -> float:
    """Two digits are enough for a guess."""
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 1) if value else 1.0
    return outwards(value / unit) * unit


def _written(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.6g}"
