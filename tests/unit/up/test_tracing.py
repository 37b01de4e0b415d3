"""Real inference processes, and a receiver of OpenTelemetry's protocol: what was asked, as traces."""

import gzip
import json
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from mlwright.doors.up.processes import free_port

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class Receiver:
    """Takes traces as a collector does."""

    def __init__(self) -> None:
        self.exports: list[tuple[str, ExportTraceServiceRequest]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver.exports.append((self.path, ExportTraceServiceRequest.FromString(body)))
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = Thread(target=self.server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    @property
    def spans(self):
        return [
            span
            for _, export in self.exports
            for resource in export.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def receiver(monkeypatch) -> Iterator[Receiver]:
    made = Receiver()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.address)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "rules-in-test")
    for name in ("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_TRACES_SAMPLER"):
        monkeypatch.delenv(name, raising=False)
    yield made
    made.close()


def values(attributes) -> dict[str, object]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


def test_requests_over_http_are_traces(run, receiver) -> None:
    inference, port, _ = run()
    client = HTTPConnection("127.0.0.1", port, timeout=30)
    client.request(
        "POST", "/v1/models/rules:predict", json.dumps({"instances": [[5.0], [6.0]]}), {"traceparent": PARENT}
    )
    answer = client.getresponse()
    assert json.loads(answer.read())["predictions"] == [6.0, 7.0]
    ids = answer.headers["x-mlwright-prediction-ids"]
    client.request("POST", "/v1/models/rules:predict", b"{")
    assert client.getresponse().read()
    client.request("GET", "/v2/health/live")
    assert client.getresponse().read()
    client.close()
    inference.stop()  # the rest is sent before the process ends

    assert {path for path, _ in receiver.exports} == {"/v1/traces"}
    resource = values(receiver.exports[0][1].resource_spans[0].resource.attributes)
    assert resource["service.name"] == "rules-in-test"
    spans = {span.name: span for span in receiver.spans if span.trace_id.hex() == TRACE}
    server = spans["POST /v1/models/{model}:predict"]
    assert server.parent_span_id.hex() == "b7ad6b7169203331"
    about = values(server.attributes)
    assert about["mlwright.rows"] == 2
    assert about["mlwright.model_version"] == "rules/1"
    assert ids == f"{about['mlwright.request_id']}.0,{about['mlwright.request_id']}.1"
    assert about["http.response.status_code"] == 200
    assert about["server.port"] == port
    batch = spans["score rules"]
    assert batch.parent_span_id == server.span_id
    assert [link.span_id for link in batch.links] == [server.span_id]
    assert server.start_time_unix_nano <= batch.start_time_unix_nano < batch.end_time_unix_nano
    assert batch.end_time_unix_nano <= server.end_time_unix_nano
    (scored,) = batch.events
    assert values(scored.attributes)["mlwright.variant"] == "champion"
    (refused,) = [span for span in receiver.spans if span.trace_id.hex() != TRACE]
    assert values(refused.attributes)["http.response.status_code"] == 400


def test_requests_over_grpc_are_traces(run, receiver) -> None:
    grpc = pytest.importorskip("grpc")
    from mlwright.doors.grpc import open_inference_pb2 as wire

    grpc_port = free_port()
    inference, _, _ = run(grpc_port=grpc_port)
    tensor = wire.ModelInferRequest.InferInputTensor(name="x", datatype="FP64", shape=[1])
    tensor.contents.fp64_contents.append(5.0)
    with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        body = wire.ModelInferRequest(model_name="rules", inputs=[tensor]).SerializeToString()
        infer(body, metadata=(("traceparent", PARENT),), timeout=20)
        with pytest.raises(grpc.RpcError):
            infer(wire.ModelInferRequest(model_name="ruels").SerializeToString(), timeout=20)
    inference.stop()

    spans = {span.name: span for span in receiver.spans if span.trace_id.hex() == TRACE}
    server = spans["inference.GRPCInferenceService/ModelInfer"]
    about = values(server.attributes)
    assert (about["rpc.system"], about["rpc.grpc.status_code"], about["mlwright.rows"]) == ("grpc", 0, 1)
    assert about["client.address"] == "127.0.0.1"
    assert spans["score rules"].parent_span_id == server.span_id
    (refused,) = [span for span in receiver.spans if span.trace_id.hex() != TRACE]
    assert values(refused.attributes)["rpc.grpc.status_code"] == 5
