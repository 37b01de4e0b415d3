"""Requests and batches as spans of OpenTelemetry, made in a thread after they are over.

A span of the SDK costs 50 µs, a request here 30. So what answers requests only puts a tuple aside, and a thread makes
spans of them with the instants that they had. It takes at most a fifth of the time, so that it never holds up answers;
what it does not manage is dropped, and counted. The SDK's sampler is asked in that thread: where there are more than a
few thousand requests a second, have ``OTEL_TRACES_SAMPLER`` take a part of them.

Names and attributes: https://opentelemetry.io/docs/specs/semconv/, HTTP 1.23 and later, RPC.
"""

import logging
import time
from collections import deque
from collections.abc import Sequence
from threading import Event, Thread
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace import set_span_in_context as within
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from mlwright.ports.spans import BatchSpan, RequestSpan

MOST: Final = 8192
"""Tuples that may wait; what comes on top is dropped."""
_EVERY_S: Final = 0.1
_WORK_S: Final = 1e-3
_REST_S: Final = 4e-3
_STALE_S: Final = 5.0
_TOLD_EVERY_S: Final = 60.0
_MOST_LINKS: Final = 128
_GRPC_FAULTS: Final = frozenset({2, 4, 12, 13, 14, 15})
"""The server's fault: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS."""
_SERVICE: Final = "inference.GRPCInferenceService"

_log: Final = logging.getLogger("mlwright.serving")


class _Batch:
    """A batch whose requests are still being told of."""

    __slots__ = ("found", "left", "span")

    def __init__(self, span: BatchSpan) -> None:
        self.span = span
        self.left = len(span.ids)
        self.found: list[tuple[SpanContext, float]] = []
        """The spans of its requests that were sampled, and the seconds that each waited."""


class OtelSpans:
    """Fills ``Spans`` with a tracer of the SDK."""

    def __init__(self, provider: TracerProvider, *, most: int = MOST, every_s: float = _EVERY_S) -> None:
        """
        Args:
            provider: makes and sends spans; shut down with this.
            most: how many tuples may wait.
            every_s: how often they are looked at.
        """
        self._provider = provider
        self._tracer = provider.get_tracer("mlwright")
        self._propagator = TraceContextTextMapPropagator()
        self._most, self._every_s = most, every_s
        self._waiting: deque[RequestSpan | BatchSpan] = deque()
        self._batches: dict[str, _Batch] = {}
        self._ending = Event()
        self._until = 0.0
        self._offset_ns = 0
        self._told_at = -_TOLD_EVERY_S
        self._told = 0
        self.dropped = 0
        """How many were dropped because too many waited."""
        self._thread = Thread(target=self._work, name="mlwright-spans", daemon=True)
        self._thread.start()

    def request(self, span: RequestSpan) -> None:
        """Put it aside; see ``Spans.request``."""
        if len(self._waiting) < self._most:
            self._waiting.append(span)
        else:
            self.dropped += 1

    def batch(self, span: BatchSpan) -> None:
        """Put it aside; see ``Spans.batch``."""
        if len(self._waiting) < self._most:
            self._waiting.append(span)
        else:
            self.dropped += 1

    def close(self, seconds: float) -> None:
        """Send what is there; see ``Spans.close``."""
        self._until = time.monotonic() + seconds
        self._most = 0
        self._ending.set()
        self._thread.join(seconds)

    # -- in the thread

    def _work(self) -> None:
        while not self._ending.wait(self._every_s):
            self._look(_REST_S)
            self._say_dropped()
        self._look(0.0)
        for each in set(self._batches.values()):
            self._end_batch(each)
        self._provider.shutdown()

    def _look(self, rest_s: float) -> None:
        """Make spans of what waits, a moment at a time."""
        self._offset_ns = time.time_ns() - time.monotonic_ns()
        while self._waiting and not (self._ending.is_set() and time.monotonic() >= self._until):
            enough = time.perf_counter() + _WORK_S
            while self._waiting and time.perf_counter() < enough:
                self._make(self._waiting.popleft())
            if rest_s and self._waiting:
                self._ending.wait(rest_s)
        self._end_stale()

    def _make(self, told: RequestSpan | BatchSpan) -> None:
        try:
            if isinstance(told, RequestSpan):
                self._make_request(told)
            else:
                batch = _Batch(told)
                self._batches.update(dict.fromkeys(told.ids, batch))
        except Exception:  # noqa: BLE001 - the others are made
            _log.exception("a span could not be made")

    def _make_request(self, told: RequestSpan) -> None:
        batch = self._batches.pop(told.id, None)
        made = self._tracer.start_span(
            f"POST {told.call}" if told.path else f"{_SERVICE}/{told.call}",
            context=self._caller(told),
            kind=SpanKind.SERVER,
            start_time=self._at(told.received),
        )
        if batch is not None:
            batch.left -= 1
        if made.is_recording():
            self._tell_request(made, told, batch)
        if batch is not None and batch.left <= 0:
            self._end_batch(batch)

    def _tell_request(self, made: Span, told: RequestSpan, batch: _Batch | None) -> None:
        made.set_attributes(_attributes(told))
        if batch is not None:
            waited_s = max(0.0, batch.span.started - told.received)
            batch.found.append((made.get_span_context(), waited_s))
            self._tell_batch(made, batch.span, waited_s)
        if told.status >= 500 if told.path else told.status in _GRPC_FAULTS:
            made.set_attribute("error.type", told.error or str(told.status))
            made.set_status(Status(StatusCode.ERROR, told.error or None))
        made.end(self._at(told.ended))

    def _tell_batch(self, made: Span, batch: BatchSpan, waited_s: float) -> None:
        made.add_event(
            "mlwright.batch",
            {
                "mlwright.batch.rows": batch.rows,
                "mlwright.batch.requests": len(batch.ids),
                "mlwright.waiting_s": waited_s,
            },
            self._at(batch.started),
        )

    def _end_batch(self, batch: _Batch) -> None:
        """The span of a batch, below the first of its requests and linked to all; none where none was sampled."""
        told = batch.span
        for id in told.ids:
            if self._batches.get(id) is batch:
                del self._batches[id]
        if not batch.found:
            return
        made = self._tracer.start_span(
            f"score {told.endpoint}",
            context=within(NonRecordingSpan(batch.found[0][0]), Context()),
            attributes={
                "mlwright.endpoint": told.endpoint,
                "mlwright.batch.rows": told.rows,
                "mlwright.batch.requests": len(told.ids),
            },
            links=[Link(each, {"mlwright.waiting_s": s}) for each, s in batch.found[:_MOST_LINKS]],
            start_time=self._at(told.started),
        )
        for each in told.scorings:
            said: dict[str, AttributeValue] = {
                "mlwright.variant": each.variant,
                "mlwright.model_version": each.version,
                "mlwright.scoring_s": each.seconds,
            }
            if each.error:
                said["error.type"] = each.error
            made.add_event("mlwright.scored", said, self._at(told.ended))
        if any(each.error for each in told.scorings):
            made.set_status(Status(StatusCode.ERROR))
        made.end(self._at(told.ended))

    def _end_stale(self) -> None:
        """Batches of which a request was dropped."""
        late = time.monotonic() - _STALE_S
        stale = {each for each in self._batches.values() if each.span.ended < late}
        for each in stale:
            self._end_batch(each)

    def _say_dropped(self) -> None:
        now = time.monotonic()
        if self.dropped > self._told and now - self._told_at >= _TOLD_EVERY_S:
            _log.warning(
                "%d spans were dropped: more are made than can be sent; OTEL_TRACES_SAMPLER makes fewer",
                self.dropped - self._told,
            )
            self._told, self._told_at = self.dropped, now

    def _caller(self, told: RequestSpan) -> Context:
        if not told.trace:
            return Context()
        carrier = {"traceparent": told.trace, "tracestate": told.state}
        return self._propagator.extract(carrier, Context())

    def _at(self, monotonic_s: float) -> int:
        return int(monotonic_s * 1e9) + self._offset_ns


def _attributes(told: RequestSpan) -> dict[str, AttributeValue]:
    about: dict[str, AttributeValue] = {
        "mlwright.endpoint": told.endpoint,
        "mlwright.degraded": bool(told.degraded),
        "client.address": told.client,
    }
    if told.path:
        about["http.request.method"] = "POST"
        about["http.route"] = told.call
        about["url.path"] = told.path
        about["url.scheme"] = "http"
        about["http.response.status_code"] = told.status
        about["network.protocol.name"] = "http"
    else:
        about["rpc.system"] = "grpc"
        about["rpc.service"] = _SERVICE
        about["rpc.method"] = told.call
        about["rpc.grpc.status_code"] = told.status
    if told.agent:
        about["user_agent.original"] = told.agent
    name, _, port = told.server.rpartition(":")
    if name and port.isdecimal():
        about["server.address"], about["server.port"] = name.strip("[]"), int(port)
    elif told.server:
        about["server.address"] = told.server
    if told.id:
        about["mlwright.request_id"], about["mlwright.rows"] = told.id, told.rows
    if told.versions:
        about["mlwright.model_version"] = _distinct(told.versions)
    if told.degraded:
        about["mlwright.fallback"] = told.degraded
    return about


def _distinct(versions: Sequence[str]) -> str:
    return versions[0] if len(versions) == 1 else ",".join(dict.fromkeys(versions))
