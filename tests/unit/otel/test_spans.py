"""What is told of requests and batches, as spans of the SDK."""

import logging
import threading
import time

import pytest

from mlwright.ports.spans import BatchSpan, RequestSpan, Scoring

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode

from mlwright.adapters.otel.spans import OtelSpans

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"


class Bench:
    """Spans, and what they became."""

    def __init__(self, **how) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False, **{k: how.pop(k) for k in ("sampler",) if k in how})
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.spans = OtelSpans(provider, **how)

    def finished(self):
        self.spans.close(5.0)
        return self._exporter.get_finished_spans()


@pytest.fixture
def bench():
    made: list[Bench] = []

    def make(**how) -> Bench:
        made.append(Bench(**{"every_s": 0.01, **how}))
        return made[-1]

    yield make
    for each in made:
        each.spans.close(1.0)


def request(id: str = "r1", **changed) -> RequestSpan:
    now = time.monotonic()
    return RequestSpan(
        endpoint="churn",
        call="/v2/models/{model}/infer",
        path="/v2/models/churn/infer",
        client="10.0.0.7",
        trace=f"00-{TRACE}-{CALLER}-01",
        state="vendor=1",
        agent="python-requests/2",
        server="127.0.0.1:8501",
        received=now - 0.010,
        ended=now,
        status=200,
        error="",
        id=id,
        rows=2,
        versions=("churn/3", "churn/3"),
        degraded="",
    )._replace(**changed)


def batch(*ids: str, error: str = "") -> BatchSpan:
    now = time.monotonic()
    scorings = (Scoring("champion", "churn/3", 0.002, ""), Scoring("challenger", "churn/4", 0.001, error))
    return BatchSpan("churn", ids, 2 * len(ids), now - 0.006, now - 0.002, scorings)


def test_a_request_continues_the_trace_of_its_caller(bench) -> None:
    made = bench()
    told = request()
    made.spans.request(told)
    (span,) = made.finished()
    assert (span.name, span.kind) == ("POST /v2/models/{model}/infer", SpanKind.SERVER)
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == CALLER
    assert span.context.trace_state.get("vendor") == "1"
    assert (span.end_time - span.start_time) / 1e9 == pytest.approx(0.010, abs=1e-6)
    assert abs(span.end_time / 1e9 - time.time()) < 60
    assert dict(span.attributes) == {
        "mlwright.endpoint": "churn",
        "mlwright.degraded": False,
        "mlwright.request_id": "r1",
        "mlwright.rows": 2,
        "mlwright.model_version": "churn/3",
        "client.address": "10.0.0.7",
        "http.request.method": "POST",
        "http.route": "/v2/models/{model}/infer",
        "url.path": "/v2/models/churn/infer",
        "url.scheme": "http",
        "http.response.status_code": 200,
        "network.protocol.name": "http",
        "user_agent.original": "python-requests/2",
        "server.address": "127.0.0.1",
        "server.port": 8501,
    }
    assert span.status.status_code is StatusCode.UNSET


def test_a_batch_is_below_its_first_request_and_linked_to_all(bench) -> None:
    made = bench()
    made.spans.batch(batch("a", "b", "c", error="ValueError: no"))
    for id in ("a", "b", "c"):
        made.spans.request(request(id, trace=""))
    spans = {span.attributes.get("mlwright.request_id", span.name): span for span in made.finished()}
    whole = spans["score churn"]
    assert whole.parent.span_id == spans["a"].context.span_id
    assert whole.context.trace_id == spans["a"].context.trace_id
    assert [each.context.span_id for each in whole.links] == [spans[id].context.span_id for id in "abc"]
    assert whole.links[0].attributes["mlwright.waiting_s"] == pytest.approx(0.004, abs=0.003)
    assert (whole.attributes["mlwright.batch.rows"], whole.attributes["mlwright.batch.requests"]) == (6, 3)
    champion, challenger = whole.events
    assert dict(champion.attributes) == {
        "mlwright.variant": "champion",
        "mlwright.model_version": "churn/3",
        "mlwright.scoring_s": 0.002,
    }
    assert challenger.attributes["error.type"] == "ValueError: no"
    assert whole.status.status_code is StatusCode.ERROR
    (event,) = spans["b"].events
    assert event.name == "mlwright.batch"
    assert event.timestamp == whole.start_time
    assert event.attributes["mlwright.batch.rows"] == 6
    assert len({spans[id].context.trace_id for id in "abc"}) == 3


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({"status": 400, "error": "BadRequest"}, False),
        ({"status": 429, "error": "TooManyRequests"}, False),
        ({"status": 503, "error": "ModelLoadFailed"}, True),
        ({"path": "", "call": "ModelInfer", "status": 3, "error": "BadRequest"}, False),
        ({"path": "", "call": "ModelInfer", "status": 13, "error": "ModelError"}, True),
        ({"path": "", "call": "ModelInfer", "status": 0}, False),
    ],
)
def test_only_what_is_the_servers_fault_is_an_error(bench, changed, failed) -> None:
    made = bench()
    made.spans.request(request(**changed))
    (span,) = made.finished()
    assert (span.status.status_code is StatusCode.ERROR) is failed
    assert span.attributes.get("error.type") == (changed["error"] if failed else None)
    if not changed.get("path", "/"):
        assert span.name == "inference.GRPCInferenceService/ModelInfer"
        assert span.attributes["rpc.grpc.status_code"] == changed["status"]
        assert span.attributes["rpc.system"] == "grpc"
        assert "http.route" not in span.attributes


def test_the_sampler_decides_and_the_caller_before_it(bench) -> None:
    made = bench(sampler=ParentBased(TraceIdRatioBased(0.0)))
    made.spans.batch(batch("a", "b", "c"))
    made.spans.request(request("a", trace=""))
    made.spans.request(request("b"))
    made.spans.request(request("c", trace=f"00-{TRACE}-{CALLER}-00"))
    spans = made.finished()
    assert [span.attributes.get("mlwright.request_id") for span in spans] == ["b", None]
    assert [f"{link.context.trace_id:032x}" for link in spans[1].links] == [TRACE]


@pytest.mark.parametrize("trace", ["", "nonsense", "00-0-0-01", f"00-{'0' * 32}-{CALLER}-01"])
def test_a_caller_that_says_nothing_sound_begins_no_trace(bench, trace) -> None:
    made = bench()
    made.spans.request(request(trace=trace, versions=(), id="", degraded="cached", server="host"))
    (span,) = made.finished()
    assert span.parent is None
    assert span.attributes["mlwright.fallback"] == "cached"
    assert span.attributes["server.address"] == "host"
    assert "mlwright.rows" not in span.attributes


def test_a_batch_whose_request_got_lost_is_told_of_all_the_same(bench) -> None:
    made = bench()
    made.spans.batch(batch("a", "lost"))
    made.spans.request(request("a"))
    assert [span.name for span in made.finished()] == ["POST /v2/models/{model}/infer", "score churn"]


def test_too_many_are_dropped_counted_and_said(bench, caplog) -> None:
    made = bench(most=10, every_s=0.2)
    began = time.monotonic()
    for number in range(100):
        made.spans.request(request(str(number)))
    assert time.monotonic() - began < 0.15
    assert made.spans.dropped == 90
    with caplog.at_level(logging.WARNING, "mlwright.serving"):
        end = time.monotonic() + 5
        while not caplog.records and time.monotonic() < end:
            time.sleep(0.01)
    assert "90 spans were dropped" in caplog.text
    assert len(made.finished()) == 10


def test_the_end_is_bounded_however_slow_the_receiver_is() -> None:
    held = threading.Event()

    class Slow(InMemorySpanExporter):
        def export(self, spans):
            held.wait(20)
            return super().export(spans)

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(Slow()))
    spans = OtelSpans(provider)
    spans.request(request())
    began = time.monotonic()
    spans.close(0.2)
    assert time.monotonic() - began < 5
    spans.request(request())
    assert spans.dropped == 1  # it takes nothing more
    held.set()


def test_what_cannot_be_made_into_a_span_keeps_nobody_back(bench, caplog) -> None:
    made = bench()
    made.spans.request(request(received="never"))
    made.spans.request(request("sound"))
    assert [span.attributes["mlwright.request_id"] for span in made.finished()] == ["sound"]
    assert "a span could not be made" in caplog.text
