"""What is measured, as a receiver of OpenTelemetry's protocol gets it."""

import gzip
import logging
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from mlwright.adapters.otel.opening import asked_for, open_metrics
from mlwright.doors.up.processes import free_port
from mlwright.errors import MissingExtra
from mlwright.model.metering import MeasuredMetric, MetricPoint
from mlwright.wiring.inference import open_metering

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
DELAY = (("endpoint", "delay"),)
LATENCY = MetricPoint(labels=DELAY, value=1.5, counts=(3, 0, 1), bounds=(0.1, 1.0))


class Receiver:
    """Takes metrics as a collector does."""

    def __init__(self, port: int = 0) -> None:
        self.exports: list[tuple[str, ExportMetricsServiceRequest]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver.exports.append((self.path, ExportMetricsServiceRequest.FromString(body)))
                answer = ExportMetricsServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = Thread(target=self.server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def metrics(self, at: int = -1) -> dict:
        [resource] = self.exports[at][1].resource_metrics
        [scope] = resource.scope_metrics
        assert scope.scope.name == "mlwright"
        return {each.name: each for each in scope.metrics}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def sender(monkeypatch):
    """Opens by the variables, every 20 ms."""
    made = []

    def start(look, address: str, **more: str):
        for name in ("OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
            monkeypatch.delenv(name, raising=False)
        wanted = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_METRIC_EXPORT_INTERVAL": "20", **more}
        for name, value in wanted.items():
            monkeypatch.setenv(name, value)
        made.append(open_metrics(wanted))
        made[-1].start(look)
        return made[-1]

    yield start
    for each in made:
        each.close(1.0)


def metric(name: str, kind: str, unit: str, *points: MetricPoint) -> MeasuredMetric:
    return MeasuredMetric(name=name, kind=kind, unit=unit, text=f"About {name}.", points=points)  # type: ignore[arg-type]


def until(done, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


def attributes(point) -> dict[str, object]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in point.attributes}


def test_kinds_names_and_units(receiver, sender) -> None:
    process = (("process", "4711"),)
    found = [
        metric("mlwright_requests", "counter", "{request}", MetricPoint(labels=DELAY, value=7.0)),
        metric("mlwright_waiting_rows", "sum", "{row}", MetricPoint(labels=DELAY, value=3.0)),
        metric("mlwright_drift_null_ratio", "gauge", "1", MetricPoint(labels=DELAY, value=0.25)),
        metric("mlwright_latency_seconds", "histogram", "s", LATENCY),
        metric("process_resident_memory_bytes", "gauge", "By", MetricPoint(labels=process, value=1e6)),
        metric("process_start_time_seconds", "gauge", "s", MetricPoint(labels=process, value=1e9)),
        metric("mlwright_turns", "counter", "{turn}"),
    ]
    sending = sender(lambda: found, receiver.address, OTEL_EXPORTER_OTLP_COMPRESSION="gzip")
    until(lambda: receiver.exports)
    sending.close(5.0)
    assert {path for path, _ in receiver.exports} == {"/v1/metrics"}
    resource = attributes(receiver.exports[0][1].resource_metrics[0].resource)
    assert resource["service.name"] == "mlwright"
    sent = receiver.metrics()
    assert {(each.name, each.unit, each.WhichOneof("data")) for each in sent.values()} == {
        ("mlwright.requests", "{request}", "sum"),
        ("mlwright.waiting_rows", "{row}", "sum"),
        ("mlwright.drift.null", "1", "gauge"),
        ("mlwright.latency", "s", "histogram"),
        ("process.memory.usage", "By", "sum"),
    }
    requests, waiting = sent["mlwright.requests"].sum, sent["mlwright.waiting_rows"].sum
    assert (requests.is_monotonic, waiting.is_monotonic) == (True, False)
    assert requests.aggregation_temporality == waiting.aggregation_temporality == CUMULATIVE
    assert requests.data_points[0].as_int == 7
    assert attributes(requests.data_points[0]) == {"endpoint": "delay"}
    assert sent["mlwright.drift.null"].gauge.data_points[0].as_double == 0.25
    assert sent["mlwright.drift.null"].description == "About mlwright_drift_null_ratio."
    assert attributes(sent["process.memory.usage"].sum.data_points[0]) == {"process.pid": 4711}
    [latency] = sent["mlwright.latency"].histogram.data_points
    assert (list(latency.bucket_counts), list(latency.explicit_bounds)) == ([3, 0, 1], [0.1, 1.0])
    assert (latency.count, latency.sum, latency.HasField("min")) == (4, 1.5, False)


def test_since_when_a_sum_counts(receiver, sender) -> None:
    """What was there at the first look began who knows when; what comes or falls later began after the look before."""
    steps = [{"a": 5.0}, {"a": 6.0, "b": 1.0}, {"a": 2.0, "b": 3.0}]
    looks = iter(steps)

    def look():
        values = next(looks, steps[-1])
        points = [MetricPoint(labels=(("kind", kind),), value=value) for kind, value in values.items()]
        return [metric("mlwright_request_errors", "counter", "{request}", *points)]

    sender(look, receiver.address)
    until(lambda: len(receiver.exports) >= 4)
    at, start = [], []
    for number in range(4):
        points = receiver.metrics(number)["mlwright.request_errors"].sum.data_points
        at.append(points[0].time_unix_nano)
        start.append({attributes(each)["kind"]: each.start_time_unix_nano for each in points})
    assert start == [
        {"a": at[0]},
        {"a": at[0], "b": at[0]},
        {"a": at[1], "b": at[0]},
        {"a": at[1], "b": at[0]},
    ]
    assert abs(at[0] / 1e9 - time.time()) < 60


def test_a_receiver_that_is_down_loses_no_count_and_holds_nobody_up(sender, caplog) -> None:
    port, looked, count = free_port(), Event(), iter(range(1, 10**6))

    def look():
        looked.set()
        return [
            metric(
                "mlwright_requests", "counter", "{request}", MetricPoint(labels=(), value=float(next(count)))
            )
        ]

    with caplog.at_level(logging.CRITICAL):
        sending = sender(look, f"http://127.0.0.1:{port}", OTEL_EXPORTER_OTLP_TIMEOUT="0.2")
        assert looked.wait(20)
        until(lambda: next(count) > 3)
        receiver = Receiver(port)
        try:
            until(lambda: receiver.exports)
            [point] = receiver.metrics(0)["mlwright.requests"].sum.data_points
            assert point.as_int > 3
        finally:
            receiver.close()
        begun = time.monotonic()
        sending.close(0.5)
        assert time.monotonic() - begun < 15


def test_a_look_that_fails_is_said_once_and_the_next_is_sent(receiver, sender, caplog) -> None:
    said = iter([OSError("database is away"), OSError("database is away")])

    def look():
        error = next(said, None)
        if error is not None:
            raise error
        return [metric("mlwright_turns", "counter", "{turn}", MetricPoint(labels=(), value=1.0))]

    with caplog.at_level(logging.ERROR, "mlwright.metrics"):
        sender(look, receiver.address)
        until(lambda: receiver.exports)
    assert caplog.text.count("metrics could not be sent") == 1


def test_when_metrics_are_sent(monkeypatch, caplog) -> None:
    where = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    only = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:9/v1/metrics"}
    assert asked_for(only, "METRICS")
    assert not asked_for(only, "TRACES")
    assert open_metrics({}) is None
    assert open_metrics({**where, "OTEL_METRICS_EXPORTER": "none"}) is None
    assert open_metrics({**only, "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"}) is None
    assert "no metrics are sent" in caplog.text
    odd = {
        "OTEL_METRIC_EXPORT_INTERVAL": "soon",
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
    }
    opened = open_metrics({**where, **odd})
    assert "'soon'" in caplog.text
    assert "not as delta" in caplog.text
    opened.close(0.0)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.metric_exporter", None)
    with pytest.raises(MissingExtra, match="metrics"):
        open_metrics(where)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)
    assert open_metering() is None
    assert "pip install 'mlwright[otel]'" in caplog.text
