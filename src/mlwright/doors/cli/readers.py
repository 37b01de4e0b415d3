"""Rows that people hand to a command: JSON, NDJSON, CSV or Parquet."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import polars as pl

from mlwright.errors import DataError

Column = list[object]

_DTYPES: Final[Mapping[str, pl.DataType]] = {
    "BYTES": pl.String(),
    "INT64": pl.Int64(),
    "INT32": pl.Int64(),
    "FP64": pl.Float64(),
    "FP32": pl.Float64(),
    "BOOL": pl.Boolean(),
}


def read_rows(path: Path) -> pl.DataFrame:
    """Read a file of rows; JSON is a list of objects, one object, or an object of columns.

    Raises:
        DataError: the file is not there, is of another kind, or cannot be parsed.
    """
    kind = path.suffix.lower()
    try:
        if kind == ".json":
            return _from_json(json.loads(path.read_text(encoding="utf-8")))
        if kind in (".ndjson", ".jsonl"):
            return pl.read_ndjson(path, infer_schema_length=None)
        if kind == ".csv":
            return pl.read_csv(path, try_parse_dates=True, infer_schema_length=None)
        if kind == ".parquet":
            return pl.read_parquet(path)
    except (OSError, ValueError, TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(
            "the file cannot be read",
            where=str(path),
            why=f"{type(error).__name__}: {str(error).splitlines()[0]}",
        ) from error
    raise DataError(
        "files of this kind cannot be read",
        where=str(path),
        why="rows come as .json, .ndjson, .csv or .parquet",
    )


def as_column(frame: pl.DataFrame, name: str, datatype: str) -> Column:
    """One column as the values that go over the wire; an instant becomes microseconds since 1970 in UTC.

    Args:
        frame: the rows.
        name: the column.
        datatype: the Open Inference Protocol's, such as ``FP64``.

    Raises:
        DataError: a value does not fit the datatype.
    """
    column = frame[name]
    try:
        if datatype == "INT64" and column.dtype == pl.String:
            column = column.str.to_datetime(time_unit="us", time_zone="UTC")
        if isinstance(column.dtype, pl.Date | pl.Datetime):
            column = (
                column.cast(pl.Datetime("us")) if column.dtype == pl.Date else column.dt.cast_time_unit("us")
            )
            column = column.dt.epoch("us") if datatype == "INT64" else column
        wanted = _DTYPES[datatype]
        return (column if column.dtype == wanted else column.cast(wanted)).to_list()
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"the values are not {datatype}", where=f"column {name}", why=str(error).splitlines()[0]
        ) from error


def _from_json(value: object) -> pl.DataFrame:
    if isinstance(value, list):
        return pl.from_dicts(value, infer_schema_length=None)
    if isinstance(value, dict) and any(isinstance(each, list) for each in value.values()):
        return pl.from_dict(value)
    if isinstance(value, dict):
        return pl.from_dicts([value])
    raise TypeError("rows are a list of objects, or an object of columns")
