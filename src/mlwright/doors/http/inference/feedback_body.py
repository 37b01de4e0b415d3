"""Bodies of labels to columns: JSON, NDJSON and CSV. What the columns mean is for ``feedback.py``."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, Final, TypeAlias

import msgspec

from mlwright.doors.http.inference.exchange import Request
from mlwright.errors import BadRequest, Fault

Columns: TypeAlias = Mapping[str, Sequence[Any]]

MOST_ROWS: Final = 1_000_000
MOST_FAULTS: Final = 20
_CELLS: Final = 1_000_000
_HOLES: Final = 4
"""A table that is mostly holes is refused: filled, it would be many times what was sent."""
_NDJSON: Final = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/jsonlines"}
)


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent. ``strict``: every column has to mean something, as a file may have others. ``text``: it comes from
    a file in which everything is text, and the empty text is missing.
    """

    columns: Columns
    strict: bool
    text: bool = False


def read_labels(request: Request) -> Sent:
    """The columns of a body.

    Raises:
        BadRequest: it is not of its form; the faults name line or row.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        raise BadRequest(
            "a file of labels is the body itself, not a part of a form",
            next_command="curl --data-binary @labels.csv -H 'content-type: text/csv' …",
        )
    try:
        if kind == "text/csv":
            return Sent(_from_csv(request.body), strict=False, text=True)
        if kind in _NDJSON:
            return Sent(_from_rows(_lines(request.body)), strict=False)
        body = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("the body is not JSON", why=str(error)) from error
    if isinstance(body, list):
        return Sent(_from_rows(body), strict=False)
    if not isinstance(body, dict):
        raise BadRequest(
            "the body does not have the form of this call",
            faults=[
                Fault(where="$", what=f"expected an object or a list of objects, got {type(body).__name__}")
            ],
        )
    return Sent(_from_columns(body), strict=True)


def _from_columns(body: dict[str, Any]) -> Columns:
    """One object: all lists, or all plain values. The endpoint is always plain."""
    given = {name: value for name, value in body.items() if value is not None}
    kinds = {name: isinstance(value, list) for name, value in given.items() if name != "endpoint"}
    if len(set(kinds.values())) > 1:
        many = kinds.get("label", True)
        raise BadRequest(
            "the labels cannot be taken as they are",
            faults=[
                Fault(
                    where=name,
                    what="must be a list, as label is" if many else "must be one value, as label is",
                )
                for name, kind in kinds.items()
                if kind is not many
            ][:MOST_FAULTS],
        )
    return {name: value if isinstance(value, list) else [value] for name, value in given.items()}


def _from_rows(rows: Iterable[Any]) -> Columns:
    """Objects, one a label; a name that one of them has not is missing there."""
    columns: dict[str, list[Any]] = {}
    faults: list[Fault] = []
    sent = 0
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            faults.append(Fault(where=f"[{number}]", what=f"expected an object, got {type(row).__name__}"))
            if len(faults) >= MOST_FAULTS:
                break
            continue
        for name, value in row.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = [None] * number
            column.append(value)
        sent += len(row)
        if len(row) != len(columns):
            if len(columns) * number > max(_CELLS, _HOLES * sent):
                what = f"{number + 1} rows name {len(columns)} columns in all, but have {sent} values"
                raise BadRequest(
                    "the labels cannot be taken as they are", faults=[Fault(where="$", what=what)]
                )
            for column in columns.values():
                if len(column) == number:
                    column.append(None)
        _bounded(number)
    if faults:
        raise BadRequest("the labels cannot be taken as they are", faults=faults)
    return columns


def _lines(body: bytes) -> Iterator[Any]:
    """The values of the lines; one at a time, so that the event loop gets its turns."""
    decode = msgspec.json.Decoder().decode
    for number, line in enumerate(body.splitlines()):
        if line.strip():
            try:
                yield decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise BadRequest(
                    "the body is not NDJSON", faults=[Fault(where=f"line {number + 1}", what=str(error))]
                ) from error


def _from_csv(body: bytes) -> Columns:
    try:
        rows = csv.reader(StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        names = next(rows, [])
        if len(set(names)) != len(names):
            raise BadRequest("the CSV has a name twice in its first line", why=", ".join(names))
        columns: list[list[str]] = [[] for _ in names]
        faults: list[Fault] = []
        for row, cells in enumerate(each for each in rows if each):
            if len(cells) != len(names):
                what = f"{len(cells)} values for {len(names)} columns"
                faults.append(Fault(where=f"line {rows.line_num}", what=what))
                if len(faults) >= MOST_FAULTS:
                    break
                continue
            for column, cell in zip(columns, cells, strict=True):
                column.append(cell)
            _bounded(row)
    except UnicodeDecodeError as error:
        raise BadRequest("the CSV is not UTF-8", why=str(error)) from error
    except csv.Error as error:
        raise BadRequest(
            "the body is not CSV", faults=[Fault(where=f"line {rows.line_num}", what=str(error))]
        ) from error
    if faults:
        raise BadRequest("the labels cannot be taken as they are", faults=faults)
    return {name.strip(): column for name, column in zip(names, columns, strict=True)}


def _bounded(rows: int) -> None:
    if rows >= MOST_ROWS:
        raise BadRequest(
            f"there are more than {MOST_ROWS:,} labels", next_command="send them in several requests"
        )
