"""Traces: what a call of a program did, step by step, and what people, programs and models judged of it.

The words are those of the MLflow protocol; a span is one of OpenTelemetry's. Instants of spans are nanoseconds since
1970, those of traces milliseconds, both as a client measured them.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

NAME_TAG: Final = "mlflow.traceName"
"""The tag that holds the name of a trace; it has a column of its own here."""
SPANS_TAG: Final = "mlflow.trace.spansLocation"
"""The tag that says where a trace's spans are: with the server (``SPANS_HERE``), or else in an artifact."""
SPANS_HERE: Final = "TRACKING_STORE"
ARTIFACT_TAG: Final = "mlflow.artifactLocation"
RUN_METADATA: Final = "mlflow.sourceRun"
"""The metadata that holds the id of the run in which a trace was made."""


class TraceState(StrEnum):
    """How far a trace is."""

    OK = "OK"
    ERROR = "ERROR"
    IN_PROGRESS = "IN_PROGRESS"
    UNSPECIFIED = "STATE_UNSPECIFIED"


class SpanStatus(StrEnum):
    """How a span ended."""

    OK = "OK"
    ERROR = "ERROR"
    UNSET = "UNSET"


class AssessmentKind(StrEnum):
    """What an assessment is: a judgement, what should have come out, or a reference to an issue."""

    FEEDBACK = "feedback"
    EXPECTATION = "expectation"
    ISSUE = "issue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """One judgement of a trace or of one of its spans.

    ``value`` is what JSON can hold. An assessment that another one ``overrides`` is no longer ``valid``.
    """

    id: str
    trace: str
    name: str
    kind: AssessmentKind
    value: object
    source_type: str
    source_id: str
    created_ms: int
    updated_ms: int
    error: dict[str, str] | None = None
    rationale: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    span: str | None = None
    overrides: str | None = None
    valid: bool = True
    serialized: bool = False
    """Whether the client sent the value of an expectation as a text of JSON; it gets it back in the same form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentChange:
    """What shall be different in an assessment; None leaves it as it is, metadata are added to those there are."""

    name: str | None = None
    rationale: str | None = None
    metadata: dict[str, str] | None = None
    valid: bool | None = None
    judgement: Assessment | None = None
    """Holds the new kind, value and error, where those change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanEvent:
    """Something that happened at one instant within a span."""

    name: str
    at_ns: int
    attributes: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanLink:
    """A span of the same or another trace that a span refers to; ``trace`` and ``span`` as in :class:`Span`."""

    trace: str
    span: str
    attributes: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One step of a trace.

    ``trace`` is ``tr-`` and 32 hexadecimal digits, ``id`` and ``parent`` are 16. Attributes hold what JSON can hold,
    and NaN and the infinities.
    """

    trace: str
    id: str
    parent: str | None
    name: str
    status: SpanStatus
    message: str
    started_ns: int
    ended_ns: int | None
    attributes: dict[str, object] = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceInfo:
    """A trace without its spans."""

    id: str
    experiment_id: str
    state: TraceState
    started_ms: int
    duration_ms: int | None = None
    client_request: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    assessments: tuple[Assessment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A trace with its spans: those without a parent first, then by their beginning."""

    info: TraceInfo
    spans: tuple[Span, ...] = ()
