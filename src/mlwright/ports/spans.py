"""Where requests and batches are told of, once they are over. Open wire: OpenTelemetry's traces (OTLP)."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class RequestSpan(NamedTuple):
    """A request for predictions that was answered. Made a request while tracing is on, so a tuple (0.5 µs)."""

    endpoint: str
    call: str
    """What was called, without what differs from endpoint to endpoint: the pattern of the path over HTTP, the method's
    name over gRPC."""
    path: str
    """The path itself over HTTP; empty over gRPC."""
    client: str
    """The address that it came from."""
    trace: str
    """The W3C ``traceparent`` header; empty where there was none."""
    state: str
    """The W3C ``tracestate`` header."""
    agent: str
    """What the client calls itself."""
    server: str
    """The name and port that the client asked."""
    received: float
    """When its last byte came, in seconds of ``time.monotonic``."""
    ended: float
    """When its answer was handed to the connection, in the same seconds."""
    status: int
    """The status of HTTP or gRPC."""
    error: str
    """The code of the error that it got; empty where it got an answer."""
    id: str
    """The prediction id of row i is this, a point, and i. Empty where it could not be read."""
    rows: int
    versions: Sequence[str]
    """``model/version`` that answered each row; empty where nothing did."""
    degraded: str
    """Why a fallback answered; empty where the model did."""


class Scoring(NamedTuple):
    """What one variant did in a batch."""

    variant: str
    version: str
    """``model/version``."""
    seconds: float
    error: str
    """Why it gave nothing; empty where it did."""


class BatchSpan(NamedTuple):
    """Requests that were scored together; told before those requests are."""

    endpoint: str
    ids: Sequence[str]
    """Those of the requests."""
    rows: int
    started: float
    """Seconds of ``time.monotonic``."""
    ended: float
    scorings: Sequence[Scoring]


class Spans(Protocol):
    """Takes what is over. Safe to call from several threads; it never raises, and never waits."""

    def request(self, span: RequestSpan) -> None:
        """A request was answered, or refused."""

    def batch(self, span: BatchSpan) -> None:
        """A batch was scored, well or not."""

    def close(self, seconds: float) -> None:
        """Send what is there, for at most so long, and take nothing more."""
