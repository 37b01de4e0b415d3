"""Traces, spans and assessments as the MLflow protocol writes them, and back."""

import math
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from mlwright.errors import BadRequest
from mlwright.model.traces import (
    Assessment,
    AssessmentKind,
    Span,
    SpanStatus,
    Trace,
    TraceInfo,
    TraceState,
)

_LONG: Final = 1 << 63
_INSTANT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_DURATION: Final = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s")


class ExperimentPlace(msgspec.Struct):
    """Which experiment."""

    experiment_id: str = ""


class Location(msgspec.Struct):
    """Where a trace is; only experiments are known here."""

    mlflow_experiment: ExperimentPlace | None = None


class AssessmentWire(msgspec.Struct):
    """An assessment as it comes."""

    assessment_id: str = ""
    assessment_name: str = ""
    trace_id: str = ""
    span_id: str = ""
    source: dict[str, str] = {}
    create_time: str | None = None
    last_update_time: str | None = None
    feedback: dict[str, Any] | None = None
    expectation: dict[str, Any] | None = None
    issue: dict[str, Any] | None = None
    rationale: str = ""
    error: dict[str, str] | None = None
    metadata: dict[str, str] = {}
    overrides: str = ""
    valid: bool = True


class TraceInfoWire(msgspec.Struct):
    """A trace as it comes."""

    trace_id: str
    trace_location: Location
    request_time: str | None = None
    execution_duration: str | None = None
    state: str = "STATE_UNSPECIFIED"
    client_request_id: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    trace_metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    assessments: list[AssessmentWire] = []


def info_from_wire(came: TraceInfoWire) -> TraceInfo:
    """Read what a client says of a trace.

    Raises:
        BadRequest: an instant, the state or an assessment cannot be read.
    """
    place = came.trace_location.mlflow_experiment
    if place is None or not came.trace_id:
        raise BadRequest(
            "a trace needs an id and the experiment that it belongs to", where="trace.trace_info"
        )
    if came.state not in {each.value for each in TraceState}:
        raise BadRequest(f"there is no state {came.state!r}", where="trace.trace_info.state")
    return TraceInfo(
        id=came.trace_id,
        experiment_id=place.experiment_id,
        state=TraceState(came.state),
        started_ms=read_instant(came.request_time or "1970-01-01T00:00:00Z"),
        duration_ms=None if came.execution_duration is None else read_duration(came.execution_duration),
        client_request=came.client_request_id,
        request_preview=came.request_preview,
        response_preview=came.response_preview,
        tags=came.tags,
        metadata=came.trace_metadata,
        assessments=tuple(assessment_from_wire(each, came.trace_id) for each in came.assessments),
    )


def assessment_from_wire(came: AssessmentWire, trace: str) -> Assessment:
    """Read an assessment of a trace; instants that are missing are 0.

    Raises:
        BadRequest: it is not exactly one of feedback, expectation and issue, or an instant cannot be read.
    """
    kinds = [each for each in AssessmentKind if getattr(came, each.value) is not None]
    if len(kinds) != 1:
        raise BadRequest(
            "Exactly one of `expectation`, `feedback`, or `issue` should be specified.", where="assessment"
        )
    said: dict[str, Any] = getattr(came, kinds[0].value)
    serialized = said.get("serialized_value")
    value = said.get("issue_name") if kinds[0] is AssessmentKind.ISSUE else said.get("value")
    if serialized is not None:
        try:
            value = msgspec.json.decode(serialized["value"])
        except (msgspec.DecodeError, KeyError, TypeError, RecursionError) as fault:
            raise BadRequest("the value is not JSON", where="assessment.expectation") from fault
    return Assessment(
        id=came.assessment_id,
        trace=trace,
        name=came.assessment_name,
        kind=kinds[0],
        value=value,
        serialized=serialized is not None,
        source_type=came.source.get("source_type", "SOURCE_TYPE_UNSPECIFIED"),
        source_id=came.source.get("source_id", ""),
        created_ms=read_instant(came.create_time) if came.create_time else 0,
        updated_ms=read_instant(came.last_update_time) if came.last_update_time else 0,
        error=said.get("error") or came.error,
        rationale=came.rationale or None,
        metadata=came.metadata,
        span=came.span_id or None,
        overrides=came.overrides or None,
        valid=came.valid,
    )


def info_to_wire(info: TraceInfo) -> dict[str, Any]:
    """A trace without its spans."""
    wire: dict[str, Any] = {
        "trace_id": info.id,
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": info.experiment_id},
        },
        "request_time": write_instant(info.started_ms),
        "state": info.state.value,
    }
    said = {
        "client_request_id": info.client_request,
        "execution_duration": None if info.duration_ms is None else write_duration(info.duration_ms),
        "request_preview": info.request_preview,
        "response_preview": info.response_preview,
        "trace_metadata": info.metadata or None,
        "tags": info.tags or None,
        "assessments": [assessment_to_wire(each) for each in info.assessments] or None,
    }
    return wire | {key: value for key, value in said.items() if value is not None}


def trace_to_wire(trace: Trace) -> dict[str, Any]:
    """A trace with its spans."""
    return {"trace_info": info_to_wire(trace.info), "spans": [span_to_wire(each) for each in trace.spans]}


def info_to_old_wire(info: TraceInfo) -> dict[str, Any]:
    """A trace as clients before MLflow 3 know it."""
    unspecified = info.state is TraceState.UNSPECIFIED
    wire: dict[str, Any] = {
        "request_id": info.id,
        "experiment_id": info.experiment_id,
        "timestamp_ms": info.started_ms,
        "status": "TRACE_STATUS_UNSPECIFIED" if unspecified else info.state.value,
        "request_metadata": _pairs(info.metadata),
        "tags": _pairs(info.tags),
    }
    return wire if info.duration_ms is None else {**wire, "execution_time_ms": info.duration_ms}


def assessment_to_wire(assessment: Assessment) -> dict[str, Any]:
    """An assessment."""
    wire: dict[str, Any] = {
        "assessment_id": assessment.id,
        "assessment_name": assessment.name,
        "trace_id": assessment.trace,
        "source": {"source_type": assessment.source_type, "source_id": assessment.source_id},
        "create_time": write_instant(assessment.created_ms),
        "last_update_time": write_instant(assessment.updated_ms),
        assessment.kind.value: _judgement(assessment),
        "valid": assessment.valid,
    }
    said = {
        "span_id": assessment.span,
        "rationale": assessment.rationale,
        "metadata": assessment.metadata or None,
        "overrides": assessment.overrides,
    }
    return wire | {key: value for key, value in said.items() if value is not None}


def span_to_wire(span: Span) -> dict[str, Any]:
    """A span as a message of OpenTelemetry, with bytes in base64."""
    wire: dict[str, Any] = {
        "trace_id": _base64(span.trace.removeprefix("tr-")),
        "span_id": _base64(span.id),
        "name": span.name,
        "start_time_unix_nano": span.started_ns,
        "attributes": _attributes(span.attributes),
        "status": {},
    }
    if span.status is not SpanStatus.UNSET:
        wire["status"]["code"] = f"STATUS_CODE_{span.status.value}"
    if span.message:
        wire["status"]["message"] = span.message
    said = {
        "parent_span_id": _base64(span.parent) if span.parent else None,
        "end_time_unix_nano": span.ended_ns,
        "events": [
            {"name": each.name, "time_unix_nano": each.at_ns, "attributes": _attributes(each.attributes)}
            for each in span.events
        ],
        "links": [
            {
                "trace_id": _base64(each.trace.removeprefix("tr-")),
                "span_id": _base64(each.span),
                "attributes": _attributes(each.attributes),
            }
            for each in span.links
        ],
    }
    return wire | {key: value for key, value in said.items() if value}


def any_value(value: Any) -> dict[str, Any]:
    """A value as OpenTelemetry's message ``AnyValue``; what has no place there becomes text."""
    if isinstance(value, int) and not -_LONG <= value < _LONG:
        return {"string_value": str(value)}
    for kinds, name in _NAMES:
        if isinstance(value, kinds):
            return {name: _WRITTEN[name](value) if name in _WRITTEN else value}
    return {} if value is None else {"string_value": str(value)}


def _double(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def read_instant(text: str) -> int:
    """Milliseconds since 1970 of an instant as protocol buffers write it.

    Raises:
        BadRequest: it is none.
    """
    found = _INSTANT.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        whole = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00"))
    except ValueError as fault:
        raise BadRequest(f"{text[:40]!r} is not an instant like 2026-01-31T12:00:00.123Z") from fault
    return (whole - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) + _thousandths(found[2])


def write_instant(at_ms: int) -> str:
    """An instant as protocol buffers write it. One beyond the year 9999 is written as its last moment."""
    at_ms = min(max(at_ms, -62_135_596_800_000), 253_402_300_799_999)
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    text = at.strftime("%Y-%m-%dT%H:%M:%S").zfill(19)
    return f"{text}.{at_ms % 1000:03d}Z" if at_ms % 1000 else f"{text}Z"


def read_duration(text: str) -> int:
    """Milliseconds of a duration as protocol buffers write it.

    Raises:
        BadRequest: it is none.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise BadRequest(f"{text[:40]!r} is not a duration like 0.299s")
    length = int(found[2]) * 1000 + _thousandths(found[3])
    return -length if found[1] else length


def write_duration(length_ms: int) -> str:
    """A duration as protocol buffers write it."""
    seconds, rest = divmod(abs(length_ms), 1000)
    sign = "-" if length_ms < 0 else ""
    return f"{sign}{seconds}.{rest:03d}s" if rest else f"{sign}{seconds}s"


def _judgement(assessment: Assessment) -> dict[str, Any]:
    if assessment.kind is AssessmentKind.ISSUE:
        return {"issue_name": assessment.value}
    if assessment.serialized:
        text = msgspec.json.encode(assessment.value).decode()
        return {"serialized_value": {"serialization_format": "JSON_FORMAT", "value": text}}
    return {"value": assessment.value} | ({"error": assessment.error} if assessment.error else {})


def _attributes(values: Mapping[str, object]) -> list[dict[str, Any]]:
    return [{"key": str(key), "value": any_value(value)} for key, value in values.items()]


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def pairs_to_texts(pairs: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Texts by key, of messages that hold key and value."""
    return {each.get("key", ""): each.get("value", "") for each in pairs}


def _base64(digits: str) -> str:
    return b64encode(bytes.fromhex(digits)).decode("ascii")


def _thousandths(digits: str | None) -> int:
    return int((digits or "").ljust(3, "0")[:3] or 0)


# The first that fits: True is an int as well.
_NAMES: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (bool, "bool_value"),
    (str, "string_value"),
    (int, "int_value"),
    (float, "double_value"),
    ((list, tuple), "array_value"),
    (dict, "kvlist_value"),
)
_WRITTEN: Final[dict[str, Callable[[Any], Any]]] = {
    "double_value": _double,
    "array_value": lambda values: {"values": [any_value(each) for each in values]},
    "kvlist_value": lambda values: {"values": _attributes(values)},
}
