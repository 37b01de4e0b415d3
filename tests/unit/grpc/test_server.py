"""From the first route to the last answer: ready when warm, drained when told to end, closed whatever happens."""

# ruff: noqa: E402 - gRPC may be absent

import asyncio
import builtins
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

grpc = pytest.importorskip("grpc")

from mlwright.adapters.config.load import load_settings
from mlwright.doors.grpc import open_inference_pb2 as wire
from mlwright.doors.grpc.running import build_server, serve_until
from mlwright.doors.grpc.server import serve_grpc
from mlwright.doors.up.processes import free_port
from mlwright.errors import MissingExtra, PortInUse
from mlwright.model.endpoints import Route, Variant
from mlwright.model.ids import EndpointName, ModelName
from mlwright.model.registry import Field
from mlwright.model.settings import EndpointSettings
from mlwright.stages.serving.asks import Answer, Ask
from mlwright.stages.serving.counters import Counters
from mlwright.stages.serving.form import Form
from mlwright.wiring.inference import encode_settings


class Core:
    """A core that answers when it may."""

    curve = None

    def __init__(self) -> None:
        self.spec = EndpointSettings(name="e", model="m")
        self.counters = Counters("e")
        self.began, self.may = threading.Event(), threading.Event()
        self.form = Form(
            endpoint="e",
            model="m",
            version="1",
            generation=1,
            inputs=(Field(name="x", type="double"),),
            outputs=(),
            entity="k",
            timestamp="t",
            keyed=False,
        )
        only = Variant(name="v", model=ModelName("m"), version=1, share=1.0)
        self.route = Route(endpoint=EndpointName("e"), generation=1, salt="", variants=(only,))

    def answer(self, asks: list[Ask]) -> list[Answer]:
        self.began.set()
        self.may.wait(20)
        return [Answer(id=each.id, rows=1, outputs={}, variants=["v"], versions=["m/1"]) for each in asks]


class Host:
    def __init__(self) -> None:
        self.cores = {"e": Core()}
        self.done: list[str] = []
        self.ready = False
        self.spans = None

    def core(self, name: str) -> Core:
        return self.cores[name]

    def refresh(self) -> dict[str, int]:
        self.done.append("refresh")
        self.ready = True
        return {}

    def poll(self) -> dict[str, int]:
        self.done.append("poll")
        raise RuntimeError("whatever happens, it is tried again")

    def close(self) -> None:
        self.done.append("close")


@pytest.fixture
def serving(_loop):
    """``serving(host)`` starts a server and returns its port and what ends it."""
    started = []

    def start(host):
        port, ready = free_port(), threading.Event()
        ended = asyncio.Event()
        running = asyncio.run_coroutine_threadsafe(
            serve_until(ended, host, "127.0.0.1", port, ready.set, poll_s=0.01), _loop
        )
        started.append((ended, running))
        assert ready.wait(20)
        return port, lambda: _loop.call_soon_threadsafe(ended.set), running

    yield start
    for ended, running in started:
        _loop.call_soon_threadsafe(ended.set)
        running.result(20)


def ask_for_one(port: int):
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    contents = wire.InferTensorContents(fp64_contents=[1.0])
    request = wire.ModelInferRequest(model_name="e")
    request.inputs.add(name="x", datatype="FP64", shape=[1], contents=contents)
    call = channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer",
        request_serializer=wire.ModelInferRequest.SerializeToString,
        response_deserializer=wire.ModelInferResponse.FromString,
    )
    return channel, call.future(request, timeout=20)


def test_it_is_ready_when_warm_and_follows_the_routes(serving) -> None:
    host = Host()
    port, _, _ = serving(host)
    assert host.done[0] == "refresh"
    host.cores["e"].may.set()
    channel, answering = ask_for_one(port)
    with channel:
        assert answering.result(20).model_version == "1"
    for _ in range(400):
        if host.done.count("poll") > 1:
            break
        threading.Event().wait(0.01)
    assert host.done.count("poll") > 1


def test_what_was_asked_is_answered_before_it_ends(serving) -> None:
    host = Host()
    port, end, running = serving(host)
    core = host.cores["e"]
    channel, answering = ask_for_one(port)
    with channel:
        assert core.began.wait(20)
        end()
        assert "close" not in host.done
        core.may.set()
        assert answering.result(20).outputs[0].name == "prediction_id"
    running.result(20)
    assert host.done[-1] == "close"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_port_in_use_is_refused(run) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)):
            serve_grpc(Host(), "127.0.0.1", port)

        async def build():
            from mlwright.doors.grpc.servicer import Calls

            return build_server(Calls(Host(), {}), "127.0.0.1", port, most_bytes=1)

        with pytest.raises(PortInUse, match=str(port)):
            run(build())


def test_without_grpcio_it_says_what_to_install(monkeypatch) -> None:
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "grpc":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"mlwright\[grpc\]"):
        serve_grpc(Host(), "127.0.0.1", 1)


PROJECT = """
[project]
name = "p"
"""


@pytest.mark.slow
def test_a_worker_process_speaks_grpc_until_it_is_told_to_end(tmp_path) -> None:
    (tmp_path / "mlwright.toml").write_text(PROJECT, encoding="utf-8")
    port = free_port()
    source = Path(__file__).parents[3] / "src"
    command = [
        sys.executable,
        "-m",
        "mlwright.doors.up.worker",
        "--port",
        str(port),
        "--grpc",
    ]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(source)},
    ) as process:
        try:
            settings = load_settings(tmp_path / "mlwright.toml")
            process.stdin.write(f"{encode_settings(settings).decode()}\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"ready {port}\n", process.stderr.read()
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                ready = channel.unary_unary("/inference.GRPCInferenceService/ServerReady")(b"", timeout=20)
            assert wire.ServerReadyResponse.FromString(ready).ready
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=30)
            assert (process.returncode, said) == (0, "")
        finally:
            process.kill()
