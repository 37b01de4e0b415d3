"""Requests as bytes, the load generator against a small server, and a model in a process of its own."""

import json
import socket
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlwright.adapters.measuring.children import ChildProcesses
from mlwright.adapters.measuring.load import fire, first_answer
from mlwright.adapters.measuring.requests import answers_right, requests_of
from mlwright.adapters.runtimes.functions import FunctionRuntime
from mlwright.errors import ModelLoadFailed
from mlwright.model.fitted import Fitted
from mlwright.ports.measuring import Load

TYPES = {"x": "double", "plan": "string", "at": "long"}


def load(requests, **changes) -> Load:
    given = {"types": TYPES, "shapes": {}, "answer": 0.5, "connections": (1,), "seconds": 1.0}
    return Load(requests=requests, **(given | changes))


def answer(*numbers) -> bytes:
    body = json.dumps({"outputs": [{"name": "score", "data": list(numbers)}]}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def test_a_request_is_whole_and_in_the_protocol() -> None:
    [request] = requests_of(load([{"x": [float("nan")], "plan": ["é"], "at": [3]}]), "churn", 8501)
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v2/models/churn/infer HTTP/1.1\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body)["inputs"] == [
        {"name": "x", "shape": [1], "datatype": "FP64", "data": [None]},
        {"name": "plan", "shape": [1], "datatype": "BYTES", "data": ["é"]},
        {"name": "at", "shape": [1], "datatype": "INT64", "data": [3]},
    ]


def test_a_tensor_is_sent_flat_with_its_shape() -> None:
    asked = load([{"x": [[[1.0, 2.0], [3.0, 4.0]]]}], shapes={"x": (2, 2)})
    body = requests_of(asked, "net", 1)[0].partition(b"\r\n\r\n")[2]
    assert json.loads(body)["inputs"][0] | {"datatype": ""} == {
        "name": "x",
        "shape": [1, 2, 2],
        "datatype": "",
        "data": [1.0, 2.0, 3.0, 4.0],
    }


@pytest.mark.parametrize(
    ("said", "right", "expected"),
    [
        (answer(0.5), 0.5, True),
        (answer(0.5000001), 0.5, True),
        (answer(0.6), 0.5, False),
        (answer("high"), None, True),
        (answer(), 0.5, False),
        (b"HTTP/1.1 200 OK\r\n\r\nnothing", 0.5, False),
    ],
)
def test_only_the_right_number_is_a_right_answer(said, right, expected) -> None:
    assert answers_right(said, right) is expected


@contextmanager
def server(said: bytes):
    """Answers every request on any connection with the same bytes, in two parts."""
    listener = socket.create_server(("127.0.0.1", 0))

    def converse(connection: socket.socket) -> None:
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while connection.recv(65536):
                connection.sendall(said[:10])
                connection.sendall(said[10:])

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=converse, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_all_connections_are_answered_and_counted() -> None:
    with server(answer(0.5)) as port:
        assert first_answer(port, b"GET / HTTP/1.1\r\n\r\n") == answer(0.5)
        fired = fire(port, [b"POST / HTTP/1.1\r\n\r\n"], 3, 0.3)
    assert len(fired.latencies) > 20
    assert fired.errors == 0
    assert 0 < fired.seconds <= 1.0
    assert 0 < fired.quantile(0.5) <= fired.quantile(0.99)


def test_refusals_are_no_latencies() -> None:
    with server(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n") as port:
        fired = fire(port, [b"POST / HTTP/1.1\r\n\r\n"], 1, 0.2)
    assert fired.errors > 0
    assert not fired.latencies


def test_nobody_there_is_no_answer() -> None:
    assert first_answer(1, b"GET / HTTP/1.1\r\n\r\n") is None


def double(x: float) -> float:
    return 2 * x


@pytest.fixture
def folder(tmp_path):
    into = tmp_path / "model"
    into.mkdir()
    fitted = Fitted.of(double)
    FunctionRuntime().save(double, into, signature=fitted.signature, example={"x": [1.0, 2.0]}, categories={})
    return into


def test_a_model_is_measured_in_a_process_of_its_own(folder) -> None:
    found = ChildProcesses().footprint(folder)
    assert found.load_s > 0
    assert found.first_s > 0
    if Path("/proc/self/status").exists():
        assert found.base is not None
        assert 5 << 20 < found.base <= (found.loaded or 0) <= (found.peak or 0)


def test_a_folder_that_does_not_load_says_why(tmp_path) -> None:
    with pytest.raises(ModelLoadFailed, match="does not load in a process of its own") as failed:
        ChildProcesses().footprint(tmp_path)
    assert "MLmodel" in (failed.value.why or "")
