"""The inference server as a process: sharing a port, ending well, and ending badly without losing anything."""

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread

import pytest

from mlwright.doors.http.inference.connections import Connections, Limits
from mlwright.doors.http.inference.exchange import Response
from mlwright.doors.http.inference.routing import Router, Target
from mlwright.doors.http.inference.server import end_listening, ensure_free, serve
from mlwright.doors.http.listening import bind
from mlwright.errors import PortInUse
from mlwright.stages.serving.host import InferenceHost
from mlwright.stages.serving.journal import Journal
from mlwright.stages.serving.log import PredictionLog
from mlwright.testing.fakes.clock import ManualClock

SERVER = '''
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np

from mlwright.doors.http.inference.server import serve
from mlwright.errors import MlwrightError
from mlwright.model.endpoints import Route, Variant
from mlwright.model.registry import Field, Signature
from mlwright.model.settings import EndpointSettings, LabelSettings
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.host import InferenceHost
from mlwright.stages.serving.journal import Journal
from mlwright.testing.fakes.clock import ManualClock


class Slow:
    """score = x, after as many seconds as x says beyond 100."""

    signature = Signature(
        inputs=(Field(name="x", type="double"),), outputs=(Field(name="score", type="double"),)
    )

    def infer(self, batch):
        x = np.asarray(batch.column("x"), dtype=np.float64)
        time.sleep(max(0.0, x.max(initial=0.0) - 100))
        return {"score": x}

    def close(self):
        pass


folder, port, siblings = Path(sys.argv[1]), int(sys.argv[2]), "siblings" in sys.argv
label = LabelSettings(column="late", horizon=timedelta(hours=1))
spec = EndpointSettings(name="delay", model="m@champion", entity="flight", timestamp="at", label=label)
journal = Journal(folder, ManualClock())
core = EndpointCore(spec, [], None, lambda variant: Slow(), journal, ManualClock())
champion = Variant(name="champion", model="m", version=1, share=1.0)
host = InferenceHost(
    {"delay": core},
    lambda: [Route(endpoint="delay", generation=1, salt="s", variants=(champion,))],
    journal,
)
try:
    serve(host, "127.0.0.1", port, ready=lambda: print("ready", flush=True), siblings=siblings)
except MlwrightError as error:
    print(error, flush=True)
    sys.exit(error.exit_code)
print("closed", flush=True)
'''


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Servers:
    def __init__(self, folder: Path, source: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.running: list[subprocess.Popen[str]] = []
        self._environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONWARNINGS": "error"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SERVER, str(self.folder), str(self.port), *arguments]
        started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=self._environment)
        self.running.append(started)
        return started

    def ask(self, request: str, x: float, connection: http.client.HTTPConnection | None = None) -> list[str]:
        """The acknowledged prediction ids of one row."""
        tensors = [
            {"name": "flight", "shape": [1], "datatype": "BYTES", "data": ["UA 1"]},
            {"name": "at", "shape": [1], "datatype": "INT64", "data": [10**15]},
            {"name": "x", "shape": [1], "datatype": "FP64", "data": [x]},
        ]
        body = json.dumps({"id": request, "inputs": tensors, "outputs": [{"name": "prediction_id"}]})
        own = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            own.request("POST", "/v2/models/delay/infer", body)
            answer = own.getresponse()
            content = answer.read()
        finally:
            if connection is None:
                own.close()
        assert answer.status == 200, content
        return json.loads(content)["outputs"][0]["data"]


@pytest.fixture
def servers(tmp_path, repository) -> Iterator[Servers]:
    made = Servers(tmp_path, repository / "src")
    yield made
    for each in made.running:
        if each.poll() is None:
            each.kill()
        each.wait()
        assert each.stdout is not None
        each.stdout.close()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def logged(folder: Path) -> set[str]:
    return set(PredictionLog(folder).predictions(None, served_only=True)["prediction_id"])


def ask_until(ended: Event, servers: Servers, answered: list[str], failed: list[Exception]) -> None:
    """A client that asks again and again on connections that it keeps, and connects again when told to."""
    connection = http.client.HTTPConnection("127.0.0.1", servers.port, timeout=20)
    try:
        while not ended.is_set():
            answered.extend(servers.ask("", 1.0, connection))
    except (OSError, http.client.HTTPException) as error:
        failed.append(error)
    finally:
        connection.close()


def test_kill_9_loses_nothing_acknowledged(servers) -> None:
    server = servers.start()
    assert said(server) == "ready"
    acknowledged: list[str] = []

    def client(name: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", servers.port, timeout=20)
        try:
            for number in range(100_000):
                acknowledged.extend(servers.ask(f"{name}{number}", 1.0, connection))
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()

    clients = [Thread(target=client, args=(name,)) for name in "ab"]
    for each in clients:
        each.start()
    while len(acknowledged) < 150:
        assert server.poll() is None
    server.kill()
    for each in clients:
        each.join(20)
    kept = logged(servers.folder)
    assert len(acknowledged) >= 150
    assert set(acknowledged) <= kept
    assert len(kept) <= len(acknowledged) + 2, "at most what was in flight is logged beyond that"
    report = PredictionLog(servers.folder).compact()
    assert (report.journals, report.corrupt) == (1, 0)
    assert logged(servers.folder) == kept


def test_sigterm_answers_what_is_in_flight(servers) -> None:
    server = servers.start()
    assert said(server) == "ready"
    answers: list[list[str]] = []
    slow = Thread(target=lambda: answers.append(servers.ask("slow", 100.6)))
    slow.start()
    while not list((servers.folder / "journal").glob("*")) and server.poll() is None:
        # the connection is accepted before the model sleeps; the journal is written after it
        if _established(servers.port):
            break
    server.send_signal(signal.SIGTERM)
    slow.join(20)
    assert said(server) == "closed"
    assert server.wait(20) == 0
    assert len(answers) == 1
    assert logged(servers.folder) == set(answers[0])
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", servers.port))


def _established(port: int) -> bool:
    """Whether the kernel has a connection to the port (Linux)."""
    local = f"0100007F:{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(line.split()[1] == local and line.split()[3] == "01" for line in lines)


def test_port_of_another_program(servers) -> None:
    with socket.socket() as foreign:
        foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        foreign.bind(("127.0.0.1", servers.port))
        foreign.listen()
        with pytest.raises(PortInUse, match=f"127.0.0.1:{servers.port}") as caught:
            ensure_free("127.0.0.1", servers.port)
        assert caught.value.next_command == f"mlwright up --port {servers.port + 1}"
        server = servers.start()
        assert f"cannot listen on 127.0.0.1:{servers.port}" in said(server)
        assert server.wait(20) == PortInUse.exit_code
    ensure_free("127.0.0.1", servers.port)


def test_siblings_share_the_port(servers) -> None:
    """Two processes, one port, one log folder."""
    first = servers.start()
    assert said(first) == "ready"
    second = servers.start("siblings")
    assert said(second) == "ready"
    ids = {each for number in range(30) for each in servers.ask(f"q{number}", 1.0)}
    first.terminate()
    assert said(first) == "closed"
    ids |= {each for number in range(30) for each in servers.ask(f"r{number}", 1.0)}
    assert len(ids) == 60
    assert logged(servers.folder) == ids
    assert len(list((servers.folder / "journal").glob("*"))) == 2


def test_servers_are_replaced_under_load_and_no_answer_is_lost(servers) -> None:
    """Each client keeps its connection; every question that it asked is answered, by the old server or the new."""
    running = servers.start()
    assert said(running) == "ready"
    ended, answered, failed = Event(), [], []
    clients = [Thread(target=ask_until, args=(ended, servers, answered, failed)) for _ in range(4)]
    for each in clients:
        each.start()
    for _ in range(3):
        before = len(answered)
        following = servers.start("siblings")
        assert said(following) == "ready"
        running.terminate()
        assert said(running) == "closed"
        assert running.wait(20) == 0
        running = following
        while len(answered) < before + 50 and not failed:
            time.sleep(0.01)
    ended.set()
    for each in clients:
        each.join(20)
    running.terminate()
    assert said(running) == "closed"
    assert failed == []
    assert len(answered) > 150
    assert len(set(answered)) == len(answered)
    assert logged(servers.folder) == set(answered)


def test_what_is_asked_while_it_ends_is_answered(servers) -> None:
    """A connection that was used a moment ago may carry one more request; one that is idle is closed."""
    server = servers.start()
    assert said(server) == "ready"
    busy = http.client.HTTPConnection("127.0.0.1", servers.port, timeout=20)
    try:
        servers.ask("", 1.0, busy)
        server.terminate()
        while True:  # until nobody listens any more
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", servers.port)) != 0:
                    break
            time.sleep(0.005)
        assert servers.ask("", 1.0, busy)
        assert busy.sock is None, "the answer said that the connection ends"
    finally:
        busy.close()
    assert said(server) == "closed"


class Slow:
    """A server in this process with short patience."""

    def __init__(self, folder: Path, **limits: float) -> None:
        self.port = free_port()
        self._stop, ready = Event(), Event()
        host = InferenceHost({}, list, Journal(folder, ManualClock()))
        named = {"ready": ready.set, "stop": self._stop, "limits": Limits(**limits)}  # type: ignore[arg-type]
        self._thread = Thread(target=serve, args=(host, "127.0.0.1", self.port), kwargs=named)
        self._thread.start()
        assert ready.wait(20)

    def __enter__(self) -> "Slow":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


def read_all(client: socket.socket) -> bytes:
    """Until the server ends the connection."""
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_slow_clients_are_sent_away_and_others_are_served(tmp_path) -> None:
    with Slow(tmp_path, head_s=0.3, body_s=0.3, idle_s=0.3) as server:
        head, body, idle = server.connect(), server.connect(), server.connect()
        with head, body, idle:
            head.sendall(b"GET /v2 HTTP/1.1\r\nX: ")
            body.sendall(b"POST /v1/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n123")
            with server.connect() as quick:
                quick.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                assert read_all(quick).endswith(b'{"live":true}')
            assert b"408 Request Timeout" in read_all(head)
            assert b"408 Request Timeout" in read_all(body)
            assert read_all(idle) == b""


def test_a_refusal_arrives_while_the_client_still_sends(tmp_path) -> None:
    """Closing at once would destroy the answer on its way."""
    with Slow(tmp_path) as server, server.connect() as client:
        client.sendall(b"POST /v1/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\n")
        client.sendall(bytes(1_000_000))
        assert b"413 Content Too Large" in read_all(client)


def test_connections_are_bounded(tmp_path) -> None:
    with Slow(tmp_path, connections=50) as server, ExitStack() as opened:
        clients = [opened.enter_context(server.connect()) for _ in range(60)]
        assert [b"503" in read_all(each) for each in clients[50:]] == [True] * 10
        for each in clients[50:]:
            each.close()
        asked = b"GET /v2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        with server.connect() as another:
            another.sendall(asked)
            assert read_all(another).startswith(b"HTTP/1.1 503 "), "it is said although it had sent something"
        clients[0].sendall(asked)
        assert read_all(clients[0]).startswith(b"HTTP/1.1 200 OK")
        clients[0].close()
        time.sleep(0.05)
        with server.connect() as another:
            another.sendall(asked)
            assert read_all(another).startswith(b"HTTP/1.1 200 OK")


def test_what_the_kernel_accepted_is_answered(tmp_path) -> None:
    """Connections that wait in the queue of a listener when it closes are not reset."""

    async def go() -> list[bytes]:
        router = Router()
        router.add("GET", "/", Target(lambda request, reply: reply(Response(b"here")), 0))
        connections = Connections(router.find)
        listener = bind("127.0.0.1", 0, shared=True)
        server = await asyncio.get_running_loop().create_server(connections.connect, sock=listener)
        waiting = []
        for _ in range(20):  # the loop does not run meanwhile
            waiting.append(socket.create_connection(listener.getsockname(), timeout=20))
            waiting[-1].sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        await end_listening(server, listener, connections)
        reading = [asyncio.to_thread(read_all, each) for each in waiting]
        answers = await asyncio.gather(*reading)
        for each in waiting:
            each.close()
        await connections.drain(5.0)
        return answers

    assert [each.endswith(b"here") for each in asyncio.run(go())] == [True] * 20
