"""MLflow's scoring protocol: ``POST /invocations`` with a data frame as JSON or CSV, or with tensors.

Form: ``mlflow/pyfunc/scoring_server/__init__.py`` of MLflow 3. The ids of the predictions travel in headers:
:mod:`~mlwright.doors.http.inference.answering`.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any, Final

import msgspec

from mlwright import __version__
from mlwright.doors.http.inference import rows
from mlwright.doors.http.inference.answering import encoded, predictions
from mlwright.doors.http.inference.cells import MOST_FAULTS, shown
from mlwright.doors.http.inference.exchange import JSON, Request, Response
from mlwright.doors.http.inference.parsing import Encode, Kept, decode, refused
from mlwright.doors.http.inference.rendering import waiting
from mlwright.errors import BadRequest, Fault, MlwrightError, Unsupported
from mlwright.model.registry import Field
from mlwright.stages.serving.asks import Ask
from mlwright.stages.serving.cells import cell, guessed
from mlwright.stages.serving.form import Form
from mlwright.stages.serving.host import InferenceHost

FORMATS: Final = ("dataframe_split", "dataframe_records", "instances", "inputs")
CSV: Final = "text/csv"

_CODES: Final[Mapping[int, str]] = {
    404: "RESOURCE_DOES_NOT_EXIST",
    409: "RESOURCE_CONFLICT",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    501: "NOT_IMPLEMENTED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


@dataclass(frozen=True, slots=True)
class _Compiled:
    table: rows.Table
    decode: Callable[[bytes], Any]


def _compiled(form: Form) -> _Compiled:
    table = rows.Table.of(form)
    record: Any = table.record
    row: Any = list[float] | record if table.plan.width and not form.keyed else record
    cell: Any = float if table.plan.width and not form.keyed else Any
    split = msgspec.defstruct(
        "Split", [("data", list[list[cell]]), ("columns", list[str] | None, None)], gc=False
    )
    kinds: tuple[Any, ...] = (split, list[record], list[row], list[list[float]])
    body = msgspec.defstruct(
        "Body",
        [(name, kind | msgspec.UnsetType, msgspec.UNSET) for name, kind in zip(FORMATS, kinds, strict=True)],
        gc=False,
    )
    return _Compiled(table, msgspec.json.Decoder(body).decode)


_kept: Final = Kept(_compiled)


def parse(request: Request, form: Form) -> tuple[Ask, Encode]:
    """Read one request in any of the formats.

    Raises:
        BadRequest: with every fault.
        Unsupported: the content type is neither JSON nor CSV.
    """
    compiled = _kept.of(form)
    content_type = request.headers.get("content-type", JSON)
    if content_type != JSON:
        media, _, parameters = content_type.partition(";")
        media = media.strip().lower()
        charset = parameters.partition("charset=")[2].strip().strip('"').lower()
        if charset not in ("", "utf-8", "utf8"):
            raise Unsupported(f"only UTF-8 is read, not {charset[:40]}")
        if media == CSV:
            return _csv(request, compiled.table), predictions
        if media not in (JSON, ""):
            raise Unsupported(
                f"the content type {media[:80]!r} is not read", next_command=f"content-type: {JSON} or {CSV}"
            )
    try:
        body = compiled.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _carefully(request, compiled.table), predictions
    return _fast(request, compiled.table, body) or _carefully(request, compiled.table), predictions


def _fast(  # noqa: PLR0911 - the hot path: each check leaves it at once
    request: Request, table: rows.Table, body: Any
) -> Ask | None:
    """The ask of a typed body; None where it takes care."""
    unset = msgspec.UNSET
    plan = table.plan
    if not plan.form.inputs:
        return None
    sent = [
        value
        for value in (body.dataframe_split, body.dataframe_records, body.instances, body.inputs)
        if value is not unset
    ]
    if len(sent) != 1:
        return None
    value = sent[0]
    if value is body.dataframe_split:
        if not plan.width or plan.form.keyed:
            return None if value.columns is None else table.split(request, value.columns, value.data)
        if value.columns is not None and tuple(value.columns) != plan.names:
            return None
        return table.fast(request, value.data)
    if value is body.inputs and (plan.form.keyed or not plan.width):
        return None
    return table.fast(request, value) if table.strict else table.typed(request, value)


def _carefully(request: Request, table: rows.Table) -> Ask:
    body = decode(request.body)
    if not isinstance(body, dict):
        raise BadRequest(f"the body must be an object with one of {', '.join(FORMATS)}, not {shown(body)}")
    given = [name for name in FORMATS if name in body]
    if len(given) != 1:
        raise BadRequest(
            f"the body must have exactly one of {', '.join(FORMATS)}",
            why=f"it has {', '.join(given) or 'none of them'}",
        )
    name, value = given[0], body[given[0]]
    faults: list[Fault] = []
    plan = table.plan
    columns: Mapping[str, object]
    if name == "dataframe_split":
        if not isinstance(value, dict) or not isinstance(value.get("data"), list):
            raise refused([Fault(where=name, what="must be an object with columns and data, a list of rows")])
        names = value.get("columns", list(plan.names))
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
            raise refused([Fault(where=f"{name}.columns", what="must be a list of names")])
        columns = rows.by_rows(plan, names, value["data"], f"{name}.data", faults)
    elif name == "dataframe_records":
        if not isinstance(value, list):
            raise refused([Fault(where=name, what=f"must be a list of records, not {shown(value)}")])
        columns = rows.by_records(plan, value, name, faults)
    elif name == "inputs" and isinstance(value, dict):
        columns = {each: rows.unwrapped(column, faults, each) for each, column in value.items()}
    else:
        numbers = rows.matrix_of(request, table, value) if isinstance(value, list) else None
        if numbers is not None:
            return numbers
        columns = rows.by_instances(plan, value if isinstance(value, list) else [value], name, faults)
    return rows.carefully(request, table, columns, faults)


def _csv(request: Request, table: rows.Table) -> Ask:
    """The ask of a CSV with a header; the types are those of the form."""
    try:
        lines = list(csv.reader(StringIO(request.body.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRequest("the body is not CSV in UTF-8", why=str(error)[:200]) from error
    if not lines:
        raise BadRequest("the CSV has no header")
    faults: list[Fault] = []
    header, data = lines[0], [line for line in lines[1:] if line]
    plan = table.plan
    columns = rows.by_rows(plan, header, data, "$", faults)
    typed: dict[str, object] = {}
    for name, column in columns.items():
        each = plan.fields.get(name)
        assert isinstance(column, list)
        if each is None:
            typed[name] = column if plan.form.inputs else [guessed(text) for text in column]
        elif each.shape:
            faults.append(Fault(where=name, what="a tensor cannot be sent as CSV"))
        else:
            typed[name] = _cells(each, column, faults)
    return rows.carefully(request, table, typed, faults)


def _cells(each: Field, column: list[str], faults: list[Fault]) -> list[object]:
    """A column of a CSV, by the type of its field; an empty cell is missing."""
    values: list[object] = []
    wrong = 0
    for row, text in enumerate(column):
        try:
            values.append(cell(each.type, text))
        except ValueError:
            values.append(None)
            wrong += 1
            if wrong <= MOST_FAULTS:
                faults.append(Fault(where=f"{each.name}[{row}]", what=f"{shown(text)} is no {each.type}"))
    return values


def fault(error: MlwrightError, status: int) -> Response:
    """An error as MLflow writes it. What cannot be read because of its content type is 415."""
    if isinstance(error, Unsupported):
        status = 415
    code = _CODES.get(status, "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR")
    return Response(encoded({"error_code": code, "message": str(error)}), status, JSON, waiting(error))


def ping(host: InferenceHost) -> Response:
    """``GET /ping`` and ``/health``: 200 once every endpoint that has a route serves it, else 404 as MLflow says."""
    return Response(b"\n", 200 if host.ready else 404)


def version(host: InferenceHost) -> Response:
    """``GET /version``: that of mlwright, as plain text."""
    return Response(__version__.encode())
