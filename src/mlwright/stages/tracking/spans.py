"""Spans as text, and what can be said of a trace from its spans alone.

The text is that of MLflow's own trace files: a search with ``LIKE`` in the content of spans finds here what it finds
there, and the pages of MLflow read it as it is.
"""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mlwright.model.traces import Span, SpanEvent, SpanLink, SpanStatus, TraceState

KIND: Final = "mlflow.spanType"
REQUEST_ID: Final = "mlflow.traceRequestId"
INPUTS: Final = "mlflow.spanInputs"
OUTPUTS: Final = "mlflow.spanOutputs"
TOKENS: Final = "mlflow.chat.tokenUsage"
COST: Final = "mlflow.llm.cost"
TAG_PREFIX: Final = "mlflow.traceTag."
_PREVIEW_LETTERS: Final = 1000
_SUMMED: Final = (TOKENS, "mlflow.trace.tokenUsage"), (COST, "mlflow.trace.cost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What the spans of one trace say of the trace. ``state`` is None as long as the root span has not come."""

    started_ms: int
    ended_ms: int | None
    state: TraceState | None
    request_preview: str | None
    response_preview: str | None
    tags: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)


def gather(spans: Sequence[Span]) -> Gathered:
    """Say of a trace what its spans say; the sums of tokens and cost are of these spans alone."""
    ended = [each.ended_ns for each in spans if each.ended_ns is not None]
    root = next((each for each in spans if each.parent is None), None)
    state = None
    if root is not None:
        state = TraceState.ERROR if root.status is SpanStatus.ERROR else TraceState.OK
    return Gathered(
        started_ms=min(each.started_ns for each in spans) // 1_000_000,
        ended_ms=max(ended) // 1_000_000 if ended else None,
        state=state,
        request_preview=_preview(root, INPUTS),
        response_preview=_preview(root, OUTPUTS),
        tags=_root_tags(root),
        metadata=_metadata(spans),
    )


def kind_of(span: Span) -> str | None:
    """The type of a span (LLM, TOOL, …), or None."""
    kind = span.attributes.get(KIND)
    return kind if isinstance(kind, str) else None


def to_content(span: Span) -> dict[str, Any]:
    """A span as MLflow's trace files hold it: values of attributes are texts of JSON, ids are in base64."""
    attributes = {**span.attributes, REQUEST_ID: span.trace}
    return {
        "trace_id": _base64(trace_hex(span.trace)),
        "span_id": _base64(span.id),
        "parent_span_id": _base64(span.parent) if span.parent else None,
        "name": span.name,
        "start_time_unix_nano": span.started_ns,
        "end_time_unix_nano": span.ended_ns,
        "events": [
            {"name": each.name, "time_unix_nano": each.at_ns, "attributes": each.attributes}
            for each in span.events
        ],
        "status": {"code": f"STATUS_CODE_{span.status}", "message": span.message},
        "attributes": {key: json.dumps(value, ensure_ascii=False) for key, value in attributes.items()},
        "links": [
            {"trace_id": each.trace, "span_id": each.span, "attributes": each.attributes or None}
            for each in span.links
        ],
    }


def to_text(span: Span) -> str:
    """A span as text."""
    return json.dumps(to_content(span), ensure_ascii=False)


def from_text(trace: str, text: str) -> Span:
    """The span that :func:`to_text` made a text of."""
    return from_content(trace, json.loads(text))


def from_content(trace: str, found: Mapping[str, Any]) -> Span:
    """The span that :func:`to_content` made a mapping of."""
    parent = found["parent_span_id"]
    return Span(
        trace=trace,
        id=_hex(found["span_id"]),
        parent=_hex(parent) if parent else None,
        name=found["name"],
        status=SpanStatus(found["status"]["code"].removeprefix("STATUS_CODE_")),
        message=found["status"].get("message") or "",
        started_ns=int(found["start_time_unix_nano"]),
        ended_ns=int(found["end_time_unix_nano"]) if found["end_time_unix_nano"] else None,
        attributes={key: json.loads(value) for key, value in found["attributes"].items()},
        events=tuple(
            SpanEvent(
                name=each["name"], at_ns=int(each["time_unix_nano"]), attributes=each.get("attributes") or {}
            )
            for each in found.get("events") or ()
        ),
        links=tuple(
            SpanLink(trace=each["trace_id"], span=each["span_id"], attributes=each.get("attributes") or {})
            for each in found.get("links") or ()
        ),
    )


def in_order(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans without a parent first, then by their beginning."""
    return tuple(sorted(spans, key=lambda each: (each.parent is not None, each.started_ns)))


def trace_hex(trace: str) -> str:
    """The 32 hexadecimal digits of a trace's id."""
    return trace.removeprefix("tr-")


def _preview(root: Span | None, key: str) -> str | None:
    value = root.attributes.get(key) if root is not None else None
    if value is None:
        return None
    text = _last_words(value) or json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _PREVIEW_LETTERS else text[: _PREVIEW_LETTERS - 3] + "..."


def _last_words(value: object) -> str | None:
    """What was said last, where the value is a conversation in one of the usual forms."""
    if not isinstance(value, dict):
        return None
    messages = value.get("messages")
    if messages is None and isinstance(value.get("choices"), list):
        messages = [each.get("message") for each in value["choices"][:1] if isinstance(each, dict)]
    if not isinstance(messages, list):
        return None
    said = [each.get("content") for each in messages if isinstance(each, dict)]
    words = [each for each in said if isinstance(each, str) and each]
    return words[-1] if words else None


def _root_tags(root: Span | None) -> dict[str, str]:
    """Tags that the processor of OpenTelemetry in MLflow's client puts among the attributes of the root span."""
    found = {} if root is None else root.attributes
    return {
        key.removeprefix(TAG_PREFIX): value if isinstance(value, str) else json.dumps(value)
        for key, value in found.items()
        if key.startswith(TAG_PREFIX) and key != TAG_PREFIX
    }


def _metadata(spans: Sequence[Span]) -> dict[str, str]:
    found: dict[str, str] = {}
    for attribute, name in (
        ("session.id", "mlflow.trace.session"),
        ("gen_ai.conversation.id", "mlflow.trace.session"),
        ("user.id", "mlflow.trace.user"),
    ):
        said = next((each.attributes[attribute] for each in spans if each.attributes.get(attribute)), None)
        if said is not None:
            found.setdefault(name, str(said))
    for attribute, name in _SUMMED:
        total = _sum_down(spans, attribute)
        if total:
            found[name] = json.dumps(total)
    return found


def _sum_down(spans: Sequence[Span], attribute: str) -> dict[str, float]:
    """Sum figures over the tree; a span that has them speaks for all below it, as its own sum or a repeated one."""
    figures = {
        each.id: figure for each in spans if isinstance(figure := each.attributes.get(attribute), dict)
    }
    parents = {each.id: each.parent for each in spans}
    total: dict[str, float] = {}
    for span, figure in figures.items():
        if not _has_above(span, parents, figures):
            for key, value in figure.items():
                if isinstance(value, int | float) and not isinstance(value, bool):
                    total[key] = total.get(key, 0) + value
    return total


def _has_above(span: str, parents: Mapping[str, str | None], figures: Mapping[str, object]) -> bool:
    above, seen = parents[span], {span}
    while above is not None and above in parents and above not in seen:
        if above in figures:
            return True
        seen.add(above)
        above = parents[above]
    return False


def _base64(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode("ascii")


def _hex(text: str) -> str:
    return base64.b64decode(text).hex()
