"""One chunk of a file as columns, with the types that the model's inputs have."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np
import polars as pl

from mlwright.errors import DataError
from mlwright.model.batches import NUMBERS, REAL, WHOLE, Array
from mlwright.model.registry import Field
from mlwright.stages.serving.batch.job import Chunk, Plan
from mlwright.stages.serving.cells import MISSING, cell_or_text

Values: TypeAlias = pl.Series | list[Any]

_ZONED: Final = ("%+", "%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z")
_NAIVE: Final = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d")
_MICROS: Final = pl.Datetime("us", "UTC")


@dataclass(slots=True)
class Rows:
    """Rows of one file: columns by name, and the numbers that the rows have in the file.

    ``refused`` are rows that are none: their numbers, with what is wrong with them; they are not in the columns.
    """

    columns: dict[str, Values]
    numbers: Array
    refused: list[tuple[int, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.numbers)


def read_chunk(path: str, kind: str, chunk: Chunk, plan: Plan, wanted: Sequence[str]) -> Rows:
    """The rows of one chunk.

    Args:
        path: the file, on this machine.
        kind: how it is read: a value of ``FORMATS``.
        chunk: which of its rows.
        plan: what stands in it.
        wanted: the columns that are needed; those that the file has not are left out.

    Returns:
        Tables give Series with their types, CSV lists of texts (None: an empty cell), NDJSON lists of values.

    Raises:
        DataError: the file cannot be read.
    """
    names = [name for name in plan.columns if name in set(wanted)]
    try:
        if kind in ("parquet", "ipc"):
            table = pl.scan_parquet(path, glob=False) if kind == "parquet" else pl.scan_ipc(path, glob=False)
            frame = table.select(names).slice(chunk.start, chunk.rows).collect()
            columns: dict[str, Values] = {name: frame[name] for name in names}
            return Rows(columns, chunk.start + np.arange(chunk.rows))
        with open(path, "rb") as file:
            header = file.read(plan.header)
            file.seek(chunk.begin)
            body = file.read(chunk.end - chunk.begin)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError("the file cannot be read", where=path, why=str(error).partition("\n")[0]) from error
    if kind == "csv":
        return _csv(path, header, body, chunk.start, names, plan.columns)
    return _ndjson(body, chunk.start, names)


def _csv(
    path: str, header: bytes, body: bytes, start: int, names: Sequence[str], columns: Sequence[str]
) -> Rows:
    whole = header.rstrip(b"\r\n") + b"\n" + body
    try:
        frame = pl.read_csv(whole, infer_schema=False, columns=list(names) or None)
        blank = body.startswith((b"\n", b"\r")) or b"\n\n" in body or b"\r\n\r\n" in body
        if not blank and _separators(body) == frame.height * (len(columns) - 1):
            found: dict[str, Values] = {name: frame[name] for name in names}
            return Rows(found, start + np.arange(frame.height))
    except pl.exceptions.PolarsError:
        pass  # a row has too many cells, or what is no UTF-8: row by row it can be said which
    try:
        records = list(csv.reader(io.StringIO(body.decode("utf-8"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError("the file is no CSV in UTF-8", where=path, why=str(error)) from error
    kept, numbers, refused = [], [], []
    for number, record in enumerate(records, start=start):
        if len(record) == len(columns):
            kept.append(record)
            numbers.append(number)
        elif record:
            refused.append((number, f"has {len(record)} cells, and the header {len(columns)}"))
    by_name = dict(zip(columns, zip(*kept, strict=True), strict=True)) if kept else dict.fromkeys(columns, ())
    texts: dict[str, Values] = {
        name: pl.Series(name, [cell or None for cell in by_name[name]], dtype=pl.String) for name in names
    }
    return Rows(texts, np.array(numbers, dtype=np.int64), refused)


def _separators(body: bytes) -> int:
    """How many commas part cells: polars would fill up a row that has too few."""
    if b'"' not in body:
        return body.count(b",")
    data = np.frombuffer(body, dtype=np.uint8)
    outside = (np.cumsum(data == ord('"'), dtype=np.int64) & 1) == 0
    return int((outside & (data == ord(","))).sum())


def _ndjson(body: bytes, start: int, names: Sequence[str]) -> Rows:
    found: list[Any]
    try:
        found = msgspec.json.Decoder().decode_lines(body)
    except msgspec.DecodeError:
        found = []
    if not found or len(found) != body.count(b"\n") + (not body.endswith(b"\n")):
        found = [_json(line) for line in body.splitlines()]
    rows, numbers, refused = [], [], []
    for number, row in enumerate(found, start=start):
        if isinstance(row, dict):
            rows.append(row)
            numbers.append(number)
        elif row is not _BLANK:
            refused.append((number, row.what if isinstance(row, _Broken) else "is no JSON object"))
    columns: dict[str, Values] = {name: [row.get(name) for row in rows] for name in names}
    return Rows(columns, np.array(numbers, dtype=np.int64), refused)


@dataclass(frozen=True, slots=True)
class _Broken:
    what: str


_BLANK: Final = object()


def _json(line: bytes) -> object:
    if not line.strip():
        return _BLANK
    try:
        found: object = msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        return _Broken(f"is no JSON: {error}")
    return found


def typed(each: Field, values: Values) -> Values | Array:
    """Values of one input as the core takes them: an array where all are sound, else plain values, None is missing.

    What has another type stays as it is: to refuse it is the contract's.
    """
    if isinstance(values, list):
        return values
    if values.dtype == pl.String and each.type in NUMBERS and not each.shape:
        return _from_texts(each, values)
    if each.shape:
        return values.to_list()
    if isinstance(values.dtype, pl.Datetime | pl.Date):
        return _instants(values).to_list() if each.type in WHOLE else _naive(values)
    return _plain(values)


def _plain(series: pl.Series) -> Values | Array:
    if isinstance(series.dtype, pl.Categorical | pl.Enum):
        series = series.cast(pl.String)
    if isinstance(series.dtype, pl.Decimal):
        series = series.cast(pl.Float64)
    if series.dtype == pl.String:
        return _texts(series)
    if series.dtype.is_float():
        return series.fill_null(float("nan")).to_numpy()
    whole = series.dtype.is_integer() or series.dtype == pl.Boolean
    return series.to_numpy() if whole and not series.null_count() else series.to_list()


def plain_texts(values: Values) -> list[Any]:
    """Keys as texts; what is no number and no text stays as it is."""
    if isinstance(values, list):
        return [
            str(each) if isinstance(each, int) and not isinstance(each, bool) else each for each in values
        ]
    return _texts(values if values.dtype == pl.String else values.cast(pl.String))


def instants(values: Values) -> list[Any]:
    """Instants as microseconds since 1970 UTC. Texts are ISO 8601, without a zone UTC; what cannot be read stays."""
    if isinstance(values, pl.Series):
        if values.dtype == pl.String:
            values = values.to_list()
        elif isinstance(values.dtype, pl.Datetime | pl.Date):
            return _instants(values).to_list()
        else:
            return values.to_list()
    if not any(isinstance(each, str) for each in values):
        return values
    series = pl.Series(values=[each if isinstance(each, str) else None for each in values], dtype=pl.String)
    read = series.str.to_datetime(_ZONED[0], time_unit="us", time_zone="UTC", strict=False)
    for form in _ZONED[1:]:
        if read.null_count():
            read = read.fill_null(series.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False))
    for form in _NAIVE:
        if read.null_count():
            naive = series.str.to_datetime(form, time_unit="us", strict=False)
            read = read.fill_null(naive.dt.replace_time_zone("UTC"))
    found = read.dt.epoch("us").to_list()
    return [
        value if not isinstance(value, str) else _whole_or(value) if micros is None else micros
        for value, micros in zip(values, found, strict=True)
    ]


def _whole_or(text: str) -> object:
    return int(text) if text.strip().lstrip("-").isdecimal() else text


def _from_texts(each: Field, series: pl.Series) -> Values | Array:
    """A column of a CSV by the type of its field, as the answers to ``/invocations`` read it."""
    texts = series.str.strip_chars()
    known = texts.is_not_null() & ~texts.is_in(sorted(MISSING))
    texts = texts.set(~known, None)
    if each.type != "boolean":
        kind = pl.Int64() if each.type in WHOLE else pl.Float64()
        numbers = texts.cast(kind, strict=False)
        if not (numbers.is_null() & known).any():
            whole = each.type not in REAL and each.type != "float16"
            if not whole:
                return numbers.fill_null(float("nan")).to_numpy()
            return numbers.to_list() if numbers.null_count() else numbers.to_numpy()
    return [None if text is None else cell_or_text(each.type, text) for text in texts.to_list()]


def _texts(series: pl.Series) -> list[Any]:
    return [text or None for text in series.to_list()]


def _instants(series: pl.Series) -> pl.Series:
    return _utc(series).dt.epoch("us")


def _naive(series: pl.Series) -> Array:
    return _utc(series).dt.replace_time_zone(None).to_numpy()


def _utc(series: pl.Series) -> pl.Series:
    column = series.cast(pl.Datetime("us")) if series.dtype == pl.Date else series.dt.cast_time_unit("us")
    assert isinstance(column.dtype, pl.Datetime)
    if column.dtype.time_zone is None:
        return column.dt.replace_time_zone("UTC")
    return column.dt.convert_time_zone("UTC")


def kept(
    name: str,
    values: Values,
    fields: Mapping[str, Field],
    plan: Plan,
    times: str,
    where: Callable[[int], str],
) -> pl.Series:
    """A column of the input for the output.

    Tables keep their types. Of CSV and NDJSON, inputs of the model have the types that it declares, ``times`` are
    instants and everything else of a CSV is text.

    Args:
        name: of the column.
        values: its values.
        fields: the inputs of the model.
        plan: what stands in the file.
        times: the column of instants.
        where: says where a row stands, for people.

    Raises:
        DataError: a value is of another kind than those of the first rows.
    """
    if isinstance(values, pl.Series) and values.dtype != pl.String:
        return values.alias(name)
    if name == times:
        micros = [each if type(each) is int else None for each in instants(values)]
        return pl.Series(name, micros, dtype=pl.Int64).cast(_MICROS)
    each = fields.get(name)
    if each is not None and each.type in NUMBERS and not each.shape:
        dtype = pl.Boolean() if each.type == "boolean" else pl.Int64() if each.type in WHOLE else pl.Float64()
        found = typed(each, values)
        if isinstance(found, list):
            found = [value if isinstance(value, bool | int | float) else None for value in found]
        return pl.Series(name, found, dtype=dtype, strict=False)
    if isinstance(values, pl.Series):
        return values.alias(name)
    return _of_kind(name, values, plan.kinds.get(name, "json"), where)


_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "text": (str,),
    "boolean": (bool,),
    "whole": (int,),
    "number": (int, float),
}
_DTYPES: Final = {"text": pl.String(), "boolean": pl.Boolean(), "whole": pl.Int64(), "number": pl.Float64()}


def _of_kind(name: str, values: list[Any], kind: str, where: Callable[[int], str]) -> pl.Series:
    if kind == "json":
        texts = [None if value is None else msgspec.json.encode(value).decode() for value in values]
        return pl.Series(name, texts, dtype=pl.String)
    for row, value in enumerate(values):
        if value is not None and (
            not isinstance(value, _KINDS[kind]) or (isinstance(value, bool) and kind != "boolean")
        ):
            raise DataError(
                f"column {name!r} is {kind} in the first rows, and here {value!r}",
                where=where(row),
                next_command="--keep without it, or make its values one kind",
            )
    return pl.Series(name, values, dtype=_DTYPES[kind], strict=False)
