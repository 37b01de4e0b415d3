"""The inference server as a process: sharing a port, ending well, and ending badly without losing anything."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from mlwright.doors.http.inference.server import ensure_free
from mlwright.errors import PortInUse
from mlwright.stages.serving.log import PredictionLog

SERVER = '''
import sys
import time
from datetime import timedelta
from pathlib import Path

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

    def predict(self, columns):
        time.sleep(max(0.0, max(columns["x"]) - 100))
        return list(columns["x"])


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
    assert answers == [["slow.0"]]
    assert said(server) == "closed"
    assert server.wait(20) == 0
    assert logged(servers.folder) == {"slow.0"}
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
