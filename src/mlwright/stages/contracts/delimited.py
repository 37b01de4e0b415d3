"""Comma-separated text (RFC 4180), read fast and refused precisely.

polars parses. It fills short rows with nulls and names a broken value by byte offset; where it fails, or
where nulls in the last column make a short row possible, the text is read a second time to find the line.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import polars as pl

from mlwright.errors import DataError
from mlwright.model.contracts import Contract

_PARSED = {"integer": pl.Int64(), "number": pl.Float64(), "boolean": pl.Boolean(), "string": pl.String()}
_NEEDED = {
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean (true or false)",
    "timestamp": "an instant (ISO 8601)",
    "date": "a date (ISO 8601)",
}
_SHOWN = 60


def parse_csv(data: bytes, path: Path, contract: Contract | None) -> pl.DataFrame:
    """Parse a whole file with a header line; an empty field is a null.

    Args:
        data: the uncompressed bytes, UTF-8.
        path: for messages.
        contract: gives column types by name. Other columns get the narrowest type that fits all their values.

    Raises:
        DataError: a row has another number of fields than the header, a value is not of the contract's type,
        a
            quote is not closed, or the text is not UTF-8; names file, line, column and what was found.
    """
    data = data.rstrip(b"\r\n")
    logical = {column.name: column.logical_type for column in contract.columns} if contract else {}
    types = {
        name: _PARSED.get(kind, pl.String())
        for name, kind in logical.items()
        if kind in _NEEDED or kind == "string"
    }
    header = next(_records(data, path), (1, [""]))[1]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise DataError(
            f"the header names {', '.join(repeated)} twice",
            where=f"{path}:1",
            next_command=f"rename a column in line 1 of {path.name}",
        )
    try:
        overrides = {name: types[name] for name in header if name in types}
        frame = pl.read_csv(data, schema_overrides=overrides, infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        _explain(data, path, logical, error)
    if frame.width > 1 and frame.height and frame.to_series(frame.width - 1).null_count():
        _require_whole_rows(data, path)
    for name in frame.columns:
        kind = logical.get(name, "")
        if kind in ("timestamp", "date"):
            parsed = frame.select(_parsed(name, kind)).to_series()
            if parsed.null_count() > frame[name].null_count():
                _refuse_value(data, path, frame[name], parsed, kind)
            frame = frame.with_columns(parsed)
    return frame


def _parsed(name: str, kind: str) -> pl.Expr:
    """The text column as its type, null where it does not parse. An instant without an offset is UTC."""
    text = pl.col(name).str.strip_chars()
    if kind == "date":
        return text.str.to_date("%Y-%m-%d", strict=False)
    if kind != "timestamp":
        return pl.col(name).cast(_PARSED[kind], strict=False) if kind != "boolean" else _truth(name)
    text = text.str.replace(" ", "T", literal=True).str.replace(r"[zZ]$", "+00:00")
    aware = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", time_zone="UTC", strict=False)
    naive = [
        text.str.to_datetime(form, time_unit="us", strict=False).dt.replace_time_zone("UTC")
        for form in ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")
    ]
    day = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return pl.coalesce(aware, *naive, day).alias(name)


def _truth(name: str) -> pl.Expr:
    text = pl.col(name)
    return pl.when(text.is_in(["true", "false"])).then(text == "true")


def _explain(data: bytes, path: Path, logical: dict[str, str], error: pl.exceptions.PolarsError) -> NoReturn:
    """Find what polars stumbled over and say it with its line."""
    if not data.strip():
        raise DataError("the file is empty", where=str(path), next_command="check how the file was written")
    _require_whole_rows(data, path)
    text = pl.read_csv(data, infer_schema=False)
    failures: list[tuple[int, str]] = []
    for name in text.columns:
        if logical.get(name) in _NEEDED:
            parsed = text.select(_parsed(name, logical[name])).to_series()
            bad = (parsed.is_null() & text[name].is_not_null()).arg_true()
            failures += [(int(bad[0]), name)] if len(bad) else []
    if failures:
        row, name = min(failures)
        _refuse(path, _line_of(data, path, row), name, text[name][row], logical[name], error)
    raise DataError(
        "the file cannot be parsed as CSV",
        where=str(path),
        why=str(error).partition("\n")[0],
        next_command="correct the file, then run again",
    ) from error


def _refuse_value(data: bytes, path: Path, text: pl.Series, parsed: pl.Series, kind: str) -> NoReturn:
    row = int((parsed.is_null() & text.is_not_null()).arg_true()[0])
    _refuse(path, _line_of(data, path, row), text.name, text[row], kind, None)


def _refuse(path: Path, line: int, column: str, found: str, kind: str, cause: Exception | None) -> NoReturn:
    raise DataError(
        f"column {column!r} holds {found[:_SHOWN]!r}, which is not {_NEEDED[kind]}",
        where=f"{path}:{line}",
        why=f"the contract calls {column!r} {kind}",
        next_command=f"correct line {line} of {path.name}, or the logicalType in the contract",
    ) from cause


def _require_whole_rows(data: bytes, path: Path) -> None:
    """Refuse the first record that has more or fewer fields than the header."""
    width = 0
    for line, record in _records(data, path):
        width = width or len(record)
        if len(record) == width or (width == 1 and not record):
            continue
        found = ",".join(record)[:_SHOWN]
        raise DataError(
            f"the row has {len(record)} field{'' if len(record) == 1 else 's'}, and the header has {width}",
            where=f"{path}:{line}",
            why=f"found {found!r}" if record else "the line is empty",
            next_command=f"correct line {line} of {path.name} (quote fields that contain a comma)",
        )


def _line_of(data: bytes, path: Path, row: int) -> int:
    """The number of the line on which the 0-based data row starts; the header is line 1."""
    return next(line for place, (line, _) in enumerate(_records(data, path)) if place == row + 1)


def _records(data: bytes, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Records with the line on which they start; a record may span lines inside quotes."""
    reader = csv.reader(_lines(data, path), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                "a quoted field is broken or never closed",
                where=f"{path}:{line}",
                why=str(error),
                next_command=f"correct the quotes on line {line} of {path.name}",
            ) from error
        yield line, record


def _lines(data: bytes, path: Path) -> Iterator[str]:
    start, number = 0, 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end + 1
        number += 1
        try:
            yield data[start:end].decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"byte {data[start + error.start]:#04x} at place {error.start + 1} of the line is not UTF-8",
                where=f"{path}:{number}",
                next_command=f"convert the file: iconv -f latin1 -t utf-8 {path.name} > new.csv",
            ) from error
        start = end
