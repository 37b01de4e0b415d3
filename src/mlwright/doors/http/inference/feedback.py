"""``POST /v1/feedback``: labels as JSON, as NDJSON or as CSV.

JSON is one object, plain values for one label or lists for many, or a list of objects::

    {"endpoint": "churn", "prediction_id": ["r1.0", "r1.1"], "label": [1, 0]}

NDJSON (``application/x-ndjson``) is an object a line, CSV (``text/csv``) has a line of names first; both name the
endpoint in the query (``?endpoint=churn``) or in a column. Columns, of which the endpoint's own names for entity,
timestamp and label do as well: ``label``, ``prediction_id`` or ``entity_key``, ``event_time`` (with an entity: the
prediction that was asked as of that instant), ``observed_at`` (without it: now). Instants are microseconds since 1970
in UTC, or ISO 8601. One request is taken whole or refused whole.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs

from mlwright.doors.http.inference.cells import first
from mlwright.doors.http.inference.exchange import Reply, Request, Response
from mlwright.doors.http.inference.feedback_body import MOST_FAULTS, Columns, Sent, read_labels
from mlwright.doors.http.inference.rendering import Complaints, as_json, fault, status_of
from mlwright.errors import BadRequest, Fault, MlwrightError, Overloaded, near_match
from mlwright.model.instants import to_micros
from mlwright.model.predictions import LabelBlock
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.host import InferenceHost

_MOST_WAITING_BYTES: Final = 128 << 20
_COMPARED: Final = 1000
_NAMES: Final = ("label", "prediction_id", "entity_key", "event_time", "observed_at")


class _Desk:
    """Takes one body after the other in a thread: labels are forced to the disk, which no event loop waits for."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mlwright-feedback")
        self._waiting = 0
        self._complaints = Complaints()

    def take(self, request: Request, host: InferenceHost, reply: Reply) -> None:
        size = len(request.body)
        if self._waiting and self._waiting + size > _MOST_WAITING_BYTES:
            raise Overloaded("more labels wait to be written than can be kept in memory")
        self._waiting += size + 1
        done = asyncio.get_running_loop().run_in_executor(self._thread, taken, request, host)
        done.add_done_callback(partial(self._answer, size + 1, request, reply))

    def _answer(self, size: int, request: Request, reply: Reply, done: "asyncio.Future[Response]") -> None:
        self._waiting -= size
        error: BaseException | None = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is None:
            reply(done.result())
        elif isinstance(error, MlwrightError):
            reply(fault(error, status_of(error)))
        else:
            reply(self._complaints.answer(error, f"{request.method} {request.path}"))


_desk: Final = _Desk()


def handle(request: Request, host: InferenceHost, reply: Reply) -> None:
    """Take labels; they are on disk when the reply is sent.

    Raises:
        Overloaded: the disk is slower than the labels.
    """
    _desk.take(request, host, reply)


def taken(request: Request, host: InferenceHost) -> Response:
    """Parse labels and write them; it waits for the disk.

    Raises:
        BadRequest: the body is not of its form, or a label cannot be taken; faults name column and row.
        NotFound: there is no such endpoint.
        StorageError: they could not be written.
    """
    sent = read_labels(request)
    core = host.core(_endpoint(request, sent.columns, tuple(host.cores)))
    receipt = core.feedback(label_block(core, sent))
    answer: dict[str, object] = {"accepted": receipt.accepted}
    if receipt.repeated is not None:
        answer["repeated"] = receipt.repeated
    return as_json(answer)


def label_block(core: EndpointCore, sent: Sent) -> LabelBlock:
    """Columns as they came as a block; where no time of observation is given, it is now.

    Raises:
        BadRequest: with all faults, up to twenty.
    """
    named = _named(core, sent)
    rows = len(named["label"])
    now = to_micros(core.clock.now())
    faults: list[Fault] = []
    ids = _texts(named.get("prediction_id", ()), "prediction_id", faults)
    keys = _texts(named.get("entity_key", ()), "entity_key", faults)
    events = _instants(named.get("event_time", ()), "event_time", faults, text=sent.text)
    observed = _instants(named.get("observed_at", ()), "observed_at", faults, text=sent.text)
    labels = _numbers(named["label"], faults, text=sent.text)
    if faults:
        raise BadRequest("the labels cannot be taken as they are", faults=faults[:MOST_FAULTS])
    return LabelBlock(
        endpoint=core.spec.name,
        received_at=now,
        prediction_ids=ids,
        entity_keys=keys,
        labels=labels,
        observed_at=[now if each is None else each for each in observed] if observed else [now] * rows,
        event_times=events if any(each is not None for each in events) else [],
    )


def _endpoint(request: Request, columns: Columns, known: Sequence[str]) -> str:
    """The endpoint that the query or the body names; the only one there is where nothing does."""
    named: set[str] = set(parse_qs(request.query).get("endpoint", ()))
    named |= {str(each) for each in columns.get("endpoint", ())}
    if len(named) == 1:
        return named.pop()
    if not named and len(known) == 1:
        return known[0]
    what = "one request is for one endpoint" if named else "the endpoint is not named"
    raise BadRequest(
        what,
        faults=[Fault(where="endpoint", what=f"send one of {', '.join(known)}")],
        next_command="mlwright doctor",
    )


def _named(core: EndpointCore, sent: Sent) -> dict[str, Sequence[Any]]:
    """The columns by the names of this call."""
    spec = core.spec
    own = {spec.entity: "entity_key", spec.timestamp: "event_time"}
    if spec.label is not None:
        own[spec.label.column] = "label"
        if spec.label.observed:
            own[spec.label.observed] = "observed_at"
    named: dict[str, Sequence[Any]] = {name: sent.columns[name] for name in _NAMES if name in sent.columns}
    faults: list[Fault] = []
    for at, (name, column) in enumerate(sent.columns.items()):
        if len(faults) >= MOST_FAULTS:
            break
        meant = own.get(name)
        if meant is not None:
            named.setdefault(meant, column)
        elif name not in _NAMES and name != "endpoint":
            near = near_match(name, _NAMES) if at < _COMPARED else None
            if sent.strict or near:
                faults.append(Fault(where=name, what="there is no such column", near=near))
    if "entity_key" not in named and "event_time" not in sent.columns:
        named.pop("event_time", None)  # a file of predictions has it too, and names them by their ids
    if "label" not in named:
        faults.append(Fault(where="label", what="this column is missing"))
    if faults:
        raise BadRequest("the labels cannot be taken as they are", faults=faults[:MOST_FAULTS])
    return named


def _texts(column: Sequence[Any], name: str, faults: list[Fault]) -> list[str]:
    kinds = set(map(type, column))
    if kinds <= {str, type(None)}:
        texts = list(column) if kinds == {str} else [each or "" for each in column]
        return texts if any(texts) else []
    faults += first(
        Fault(where=f"{name}[{row}]", what=f"must be a text, not {each!r:.40}")
        for row, each in enumerate(column)
        if not (each is None or isinstance(each, str))
    )
    return []


def _numbers(column: Sequence[Any], faults: list[Fault], *, text: bool) -> list[float]:
    if text or set(map(type, column)) <= {float, int, bool}:
        try:
            return list(map(float, column))
        except (ValueError, OverflowError):  # which ones, and why, is said below
            pass
    return _each(column, "label", _number_of_text if text else _number, faults)


def _number(value: Any) -> float:
    if type(value) not in (float, int, bool):
        raise ValueError
    return float(value)


def _number_of_text(value: str) -> float:
    return _TRUTHS[value.lower()] if value.lower() in _TRUTHS else float(value)


def _instants(column: Sequence[Any], name: str, faults: list[Fault], *, text: bool) -> list[int | None]:
    if set(map(type, column)) <= {int, type(None)}:
        return list(column)
    if text:
        try:
            return list(map(int, column))
        except ValueError:
            pass
    return _each(column, name, _instant_of_text if text else _instant, faults)


def _instant(value: Any) -> int | None:
    if value is None or type(value) is int:
        return value
    if not isinstance(value, str):
        raise ValueError
    at = datetime.fromisoformat(value.strip())
    return to_micros(at if at.tzinfo else at.replace(tzinfo=UTC))


def _instant_of_text(value: str) -> int | None:
    if value.lstrip("-").isdigit():
        return int(value)
    return _instant(value) if value else None


def _each(column: Sequence[Any], name: str, read: Callable[[Any], Any], faults: list[Fault]) -> list[Any]:
    values = []
    wrong: list[Fault] = []
    expected = _EXPECTED.get(name, "microseconds since 1970-01-01 UTC or an instant in ISO 8601")
    for row, value in enumerate(column):
        try:
            values.append(read(value))
        except (ValueError, OverflowError):
            if len(wrong) < MOST_FAULTS:
                wrong.append(Fault(where=f"{name}[{row}]", what=f"must be {expected}, not {value!r:.40}"))
    faults += wrong
    return values


_TRUTHS: Final = {"true": 1.0, "false": 0.0}
_EXPECTED: Final = {"label": "a number or true or false (a class is sent as its number)"}
