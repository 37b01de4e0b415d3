"""``POST /v1/traces``: spans by the protocol of OpenTelemetry over HTTP, as protocol buffers or as JSON.

The package that reads protocol buffers is loaded with the first such request. Where it is not installed, the answer is
501 with the words that MLflow's client waits for: it then keeps its spans among the artifacts.
"""

import asyncio
import base64
import importlib
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from starlette.types import Receive, Scope, Send

from mlwright.doors.http.mlflow.bodies import read_body
from mlwright.doors.http.mlflow.call import StreamCall
from mlwright.errors import BadRequest, MissingExtra
from mlwright.model.ids import RunId
from mlwright.model.traces import Span, SpanEvent, SpanLink, SpanStatus
from mlwright.platform.tracking.facade import TrackingPlatform

PATH: Final = "v1/traces"
_MODULE: Final = "opentelemetry.proto.collector.trace.v1.trace_service_pb2"
_LIMIT: Final = 64 << 20
"""Bytes of a body, at most, and of what it holds when it is compressed."""
_DEPTH: Final = 100
_WINDOWS: Final = {"gzip": (31,), "deflate": (15, -15)}
_STATUS: Final = {1: SpanStatus.OK, 2: SpanStatus.ERROR}
_STATUS_NAMES: Final = {"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_Tags = dict[str, dict[str, str]]


async def _serve(tracking: TrackingPlatform, rest: str, scope: Scope, receive: Receive, send: Send) -> None:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    experiment = headers.get("x-mlflow-experiment-id")
    if not experiment:
        raise BadRequest("the header x-mlflow-experiment-id must name the experiment", where="headers")
    kind = headers.get("content-type", "").partition(";")[0].strip()
    if kind not in ("application/x-protobuf", "application/json"):
        raise BadRequest(
            f"Invalid Content-Type: {kind}. Expected: application/x-protobuf or application/json",
            where="headers",
        )
    plain = {key: value for key, value in headers.items() if key != "content-encoding"}
    body = await read_body(receive, plain, _LIMIT)
    read = partial(_read, body, kind, headers.get("content-encoding", ""))
    spans, tags = await asyncio.to_thread(read)
    run = headers.get("x-mlflow-run-id")
    keep = partial(tracking.traces.receive, experiment, spans, tags=tags, run=RunId(run) if run else None)
    await asyncio.wrap_future(tracking.book.submit(keep))
    answer = b"{}" if kind == "application/json" else b""
    head = [(b"content-type", kind.encode()), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": answer})


def _read(body: bytes, kind: str, encoding: str) -> tuple[list[Span], _Tags]:
    body = _inflate(body, encoding.lower()) if encoding not in ("", "identity") else body
    return read_json(body) if kind == "application/json" else read_protobuf(body)


def read_protobuf(body: bytes) -> tuple[list[Span], _Tags]:
    """The spans of a request in protocol buffers, and the tags of their traces by the trace's id.

    Raises:
        BadRequest: it cannot be read, or holds no spans.
        MissingExtra: the package that reads it is not installed.
    """
    try:
        message = importlib.import_module(_MODULE).ExportTraceServiceRequest()
    except ImportError as fault:
        raise MissingExtra(
            "REST OTLP span logging is not supported without the package opentelemetry-proto",
            next_command="pip install opentelemetry-proto",
        ) from fault
    try:
        message.ParseFromString(body)
    except Exception as fault:  # DecodeError's class differs with the implementation of protocol buffers
        raise BadRequest("Invalid OpenTelemetry format", where="body") from fault
    spans: list[Span] = []
    tags: _Tags = {}
    for resource in message.resource_spans:
        about = _tags_of(_values(resource.resource.attributes))
        for scope in resource.scope_spans:
            for each in scope.spans:
                spans.append(_span(each))
                tags.setdefault(spans[-1].trace, {}).update(about)
    return _some(spans), tags


def read_json(body: bytes) -> tuple[list[Span], _Tags]:
    """As :func:`read_protobuf`, of a request in JSON, where ids are in hexadecimal digits.

    Raises:
        BadRequest: it cannot be read, or holds no spans.
    """
    spans: list[Span] = []
    tags: _Tags = {}
    try:
        for resource in msgspec.json.decode(body)["resourceSpans"]:
            about = _tags_of(_json_values(resource.get("resource", {}).get("attributes", ())))
            for scope in resource.get("scopeSpans", ()):
                for each in scope.get("spans", ()):
                    spans.append(_json_span(each))
                    tags.setdefault(spans[-1].trace, {}).update(about)
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as fault:
        raise BadRequest("Invalid OpenTelemetry format", where="body") from fault
    return _some(spans), tags


def _some(spans: list[Span]) -> list[Span]:
    if not spans:
        raise BadRequest("Invalid OpenTelemetry format - no spans found", where="body")
    return spans


def _span(came: Any) -> Span:
    trace = _trace_id(came.trace_id)
    return Span(
        trace=trace,
        id=_span_id(came.span_id),
        parent=_span_id(came.parent_span_id) if came.parent_span_id else None,
        name=came.name,
        status=_STATUS.get(came.status.code, SpanStatus.UNSET),
        message=came.status.message,
        started_ns=_instant(came.start_time_unix_nano),
        ended_ns=_instant(came.end_time_unix_nano) or None,
        attributes=_values(came.attributes),
        events=tuple(
            SpanEvent(
                name=each.name, at_ns=_instant(each.time_unix_nano), attributes=_values(each.attributes)
            )
            for each in came.events
        ),
        links=tuple(
            SpanLink(
                trace=_trace_id(each.trace_id),
                span=_span_id(each.span_id),
                attributes=_values(each.attributes),
            )
            for each in came.links
        ),
    )


def _values(attributes: Any) -> dict[str, object]:
    return {each.key: _value(each.value, _DEPTH) for each in attributes}


def _value(came: Any, depth: int) -> object:
    name = came.WhichOneof("value")
    if name is None or depth == 0:
        return None
    if name == "array_value":
        return [_value(each, depth - 1) for each in came.array_value.values]
    if name == "kvlist_value":
        return {each.key: _value(each.value, depth - 1) for each in came.kvlist_value.values}
    value: object = getattr(came, name)
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value


def _json_span(came: Mapping[str, Any]) -> Span:
    status = came.get("status") or {}
    code = status.get("code", 0)
    parent = came.get("parentSpanId")
    return Span(
        trace=_trace_id(bytes.fromhex(came["traceId"])),
        id=_span_id(bytes.fromhex(came["spanId"])),
        parent=_span_id(bytes.fromhex(parent)) if parent else None,
        name=str(came.get("name", "")),
        status=_STATUS.get(_STATUS_NAMES.get(code, code), SpanStatus.UNSET),
        message=str(status.get("message", "")),
        started_ns=_instant(came.get("startTimeUnixNano", 0)),
        ended_ns=_instant(came.get("endTimeUnixNano", 0)) or None,
        attributes=_json_values(came.get("attributes", ())),
        events=tuple(
            SpanEvent(
                name=str(each.get("name", "")),
                at_ns=_instant(each.get("timeUnixNano", 0)),
                attributes=_json_values(each.get("attributes", ())),
            )
            for each in came.get("events", ())
        ),
        links=tuple(
            SpanLink(
                trace=_trace_id(bytes.fromhex(each["traceId"])),
                span=_span_id(bytes.fromhex(each["spanId"])),
                attributes=_json_values(each.get("attributes", ())),
            )
            for each in came.get("links", ())
        ),
    )


def _json_values(attributes: Any) -> dict[str, object]:
    return {each["key"]: _json_value(each.get("value") or {}) for each in attributes}


def _json_value(came: Mapping[str, Any]) -> object:
    for name, value in came.items():
        match name:
            case "intValue":
                return int(value)
            case "doubleValue":
                return float(value)
            case "arrayValue":
                return [_json_value(each) for each in value.get("values", ())]
            case "kvlistValue":
                return _json_values(value.get("values", ()))
            case "stringValue" | "boolValue" | "bytesValue":
                return value
    return None


def _tags_of(resource: Mapping[str, object]) -> dict[str, str]:
    """What a resource says of its traces: not what its library says of itself, and nothing in MLflow's own names."""
    return {
        key: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for key, value in resource.items()
        if key and not key.startswith(("telemetry.sdk.", "mlflow."))
    }


def _trace_id(digits: bytes) -> str:
    if len(digits) != 16:
        raise BadRequest(f"a trace's id has 16 bytes, not {len(digits)}", where="body")
    return f"tr-{digits.hex()}"


def _span_id(digits: bytes) -> str:
    if len(digits) != 8:
        raise BadRequest(f"a span's id has 8 bytes, not {len(digits)}", where="body")
    return digits.hex()


def _instant(value: Any) -> int:
    at = int(value)
    if not 0 <= at < 1 << 63:
        raise BadRequest("an instant lies outside of what nanoseconds in 64 bits can say", where="body")
    return at


def _inflate(body: bytes, encoding: str) -> bytes:
    for window in _WINDOWS.get(encoding, ()):
        try:
            return b"".join(_inflated(body, window))
        except zlib.error:
            continue
    raise BadRequest(f"the body cannot be read as {encoding[:20]!r}", where="headers")


def _inflated(body: bytes, window: int) -> Iterator[bytes]:
    inflater = zlib.decompressobj(wbits=window)
    left = _LIMIT
    part = inflater.decompress(body, left)
    while part:
        left -= len(part)
        yield part
        if left <= 0:
            raise BadRequest(f"the body holds more than {_LIMIT} bytes", where="body")
        part = inflater.decompress(inflater.unconsumed_tail, left)
    if not inflater.eof:
        raise zlib.error("incomplete")


STREAMS: Final[tuple[StreamCall, ...]] = (StreamCall(methods=("POST",), prefix=PATH, serve=_serve),)
