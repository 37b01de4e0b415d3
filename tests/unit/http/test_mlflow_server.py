"""``mlwright tracking`` as a process: how it starts and ends, what it refuses, and what it survives."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

import mlwright

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(mlwright.__file__).parents[1])}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)
API = "/api/2.0/mlflow"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Server:
    process: "subprocess.Popen[str]"
    port: int
    said: str

    def ask(self, method: str, path: str, body: object = None, *, on=None) -> tuple[int, dict]:
        connection = on or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = body if isinstance(body, bytes | None) else json.dumps(body)
        connection.request(method, path, sent)
        answer = connection.getresponse()
        text = answer.read()
        if on is None:
            connection.close()
        return answer.status, json.loads(text) if text[:1] == b"{" else {"text": text.decode()}

    def create(self, name: str, *, on=None) -> int:
        return self.ask("POST", f"{API}/experiments/create", {"name": name}, on=on)[0]

    def has(self, name: str) -> bool:
        return self.ask("GET", f"{API}/experiments/get-by-name?experiment_name={name}")[0] == 200

    def raw(self, data: bytes) -> bytes:
        """Send bytes as they are; what comes back until the server closes, or nothing more comes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as sock:
            sock.sendall(data)
            got = b""
            with suppress(TimeoutError, ConnectionError):
                while piece := sock.recv(1 << 16):
                    got += piece
            return got

    @property
    def megabytes(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def serving(folder: Path, *options: str, port: int | None = None) -> Iterator[Server]:
    port = port or free_port()
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlwright", "tracking", "--port", str(port), "--json", *options],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
    try:
        line = process.stdout.readline()
        assert line, (folder / "said").read_text()
        yield Server(process, port, line)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """A server that every test here may trouble; it must be alive and well after each."""
    with serving(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(autouse=True)
def still_well(request) -> Iterator[None]:
    yield
    if "server" in request.fixturenames:
        running = request.getfixturevalue("server")
        assert running.process.poll() is None
        assert running.ask("GET", "/health") == (200, {"text": "OK"})


def test_it_needs_no_project_and_says_the_one_line(server) -> None:
    said = json.loads(server.said)
    assert said["set"] == f"export MLFLOW_TRACKING_URI=http://127.0.0.1:{server.port}"
    assert Path(said["state"]).name == ".mlwright"
    assert (Path(said["state"]) / "mlwright.db").is_file()
    assert server.has("Default")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_well(tmp_path, number) -> None:
    with serving(tmp_path) as running:
        assert running.create("kept") == 200
        assert running.end(number) == 0
    assert (tmp_path / "said").read_text() == ""
    with serving(tmp_path) as again:
        assert again.has("kept")


def refused(folder: Path, *options: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "mlwright", "tracking", "--json", *options],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return {"exit": done.returncode, **json.loads(done.stdout)["error"]}


def test_a_port_in_use_is_named_with_one_that_is_free(server, tmp_path) -> None:
    error = refused(tmp_path, "--port", str(server.port))
    assert (error["code"], error["exit"]) == ("PortInUse", 4)
    free = int(error["next"].removeprefix("mlwright tracking --port "))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", free))
    assert not (tmp_path / ".mlwright").exists()  # nothing was made


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "::"])
def test_an_address_that_others_reach_is_refused(tmp_path, host) -> None:
    error = refused(tmp_path, "--host", host)
    assert (error["code"], error["exit"]) == ("UsageError", 2)
    assert "tokens" in error["why"]


def test_a_project_says_where_its_state_is(tmp_path) -> None:
    (tmp_path / "mlwright.toml").write_text(
        '[project]\nname = "a"\n[storage]\nstate = "kept"\ndatabase = "sqlite:///other.db"\n'
    )
    (tmp_path / "inner").mkdir()
    with serving(tmp_path / "inner") as running:
        assert json.loads(running.said)["state"] == str(tmp_path / "kept")
    assert (tmp_path / "other.db").is_file()
    (tmp_path / "mlwright.toml").write_text('[storage]\nstat = "kept"\n')
    error = refused(tmp_path)
    assert error["code"] == "SettingsError"
    assert "state" in str(error["faults"])


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_body_of_a_gigabyte_is_refused_and_not_held(server) -> None:
    before = server.megabytes
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as sock:
        size = 1 << 30
        sock.sendall(
            b"POST /api/2.0/mlflow/runs/log-batch HTTP/1.1\r\nhost: localhost\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % size
        )
        piece = b'{"metrics": [' + b" " * ((1 << 20) - 13)
        for _ in range(size >> 20):
            sock.sendall(piece)  # a sender that does not look up before it is done is not cut off
        answer = sock.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"INVALID_PARAMETER_VALUE" in answer
        assert sock.recv(10) == b""  # closed
    assert server.megabytes < before + 30


def test_a_chunked_body_without_end_is_refused_and_not_held(server) -> None:
    before = server.megabytes
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock:
        sock.sendall(
            b"POST /api/2.0/mlflow/runs/log-batch HTTP/1.1\r\nhost: localhost\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        for _ in range(200):
            sock.sendall(b"100000\r\n" + b" " * (1 << 20) + b"\r\n")
        sock.sendall(b"0\r\n\r\n")
        assert sock.recv(1 << 16).startswith(b"HTTP/1.1 413 ")
    assert server.megabytes < before + 150  # up to the call's limit it is kept


def test_an_upload_that_breaks_off_leaves_nothing(server) -> None:
    for path in (
        "/api/2.0/mlflow/experiments/create",
        "/api/2.0/mlflow-artifacts/artifacts/0/x/artifacts/cut",
    ):
        method = "PUT" if "artifacts" in path else "POST"
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 50\r\n\r\n"
            sock.sendall(head.encode() + b'{"name": "cut"')
    assert not server.has("cut")
    assert server.ask("GET", "/api/2.0/mlflow-artifacts/artifacts/0/x/artifacts/cut")[0] == 404


def test_a_slow_client_delays_nobody(server) -> None:
    text = json.dumps({"name": "slow"}).encode()
    head = f"POST {API}/experiments/create HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(text)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        for byte in head.encode() + text[:-1]:
            sock.sendall(bytes([byte]))
        begun = time.monotonic()
        assert server.has("Default")
        assert time.monotonic() - begun < 2
        assert not server.has("slow")
        sock.sendall(text[-1:])
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert server.has("slow")


@pytest.mark.parametrize(
    "request_",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/9.9\r\nhost: localhost\r\n\r\n",
        b"GET /api/2.0/mlflow-artifacts/artifacts/../../etc/passwd HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /api/2.0/mlflow-artifacts/artifacts/%2e%2e%2f%2e%2e%2fetc HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /api/2.0/mlflow/runs/get?run_id=%ff HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /api/2.0/mlflow/runs/get?" + b"a=1&" * 20_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: evil.example\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"POST /api/2.0/mlflow/runs/create HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n",
        (
            b"POST /api/2.0/mlflow/runs/create HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n"
            b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        b"POST /api/2.0/mlflow/runs/create HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\n{]}",
    ],
)
def test_hostile_requests_get_a_refusal(server, request_) -> None:
    if b"connection:" not in request_:
        request_ = request_.replace(b"\r\nhost:", b"\r\nconnection: close\r\nhost:", 1)
    answer = server.raw(request_)
    assert answer[:10] == b"HTTP/1.1 4", answer[:200]


def test_a_head_without_end_is_cut(server) -> None:
    answer = server.raw(b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * (3 << 20))
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")


def test_many_clients_write_at_once(server) -> None:
    codes: list[int] = []

    def write(client: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for number in range(20):
            codes.append(server.create(f"many-{client}-{number}", on=connection))
        connection.close()

    clients = [threading.Thread(target=write, args=(client,)) for client in range(8)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    assert codes == [200] * 160
    assert server.has("many-7-19")


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_acknowledged_is_there_after_the_end(tmp_path, number) -> None:
    acknowledged: list[str] = []
    broken: list[str] = []

    def write(running: Server, client: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
        with closing(connection), suppress(OSError, http.client.HTTPException):
            for at in range(100_000):
                code = running.create(f"{client}-{at}", on=connection)
                (acknowledged if code == 200 else broken).append(f"{client}-{at}")

    with serving(tmp_path) as running:
        clients = [threading.Thread(target=write, args=(running, client)) for client in range(6)]
        for each in clients:
            each.start()
        while len(acknowledged) < 200:
            time.sleep(0.01)
        code = running.end(number)
        for each in clients:
            each.join()
    assert code == (0 if number == signal.SIGTERM else -number)
    assert not broken
    with serving(tmp_path) as again:
        connection = http.client.HTTPConnection("127.0.0.1", again.port, timeout=30)
        path = f"{API}/experiments/get-by-name?experiment_name="
        missing = [name for name in acknowledged if again.ask("GET", path + name, on=connection)[0] != 200]
        connection.close()
    assert missing == []


def test_two_servers_may_share_a_database(tmp_path) -> None:
    with serving(tmp_path) as one, serving(tmp_path) as other:
        codes: list[int] = []

        def write(running: Server) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
            for number in range(60):
                codes.append(running.create(f"{running.port}-{number}", on=connection))
            connection.close()

        writers = [threading.Thread(target=write, args=(each,)) for each in (one, other, one, other)]
        for each in writers:
            each.start()
        for each in writers:
            each.join()
        assert sorted(codes) == [200] * 120 + [400] * 120  # each name once
        assert one.has(f"{other.port}-59")
        assert other.has(f"{one.port}-59")
        assert (one.end(), other.end()) == (0, 0)


def test_it_stays_light(tmp_path) -> None:
    with serving(tmp_path) as running:
        assert running.has("Default")
        assert running.megabytes < 150


HEAVY = "polars scipy sklearn pydantic httpx jinja2 rich jsonschema pandas alembic"


def test_nothing_heavy_is_loaded_when_the_database_is_up_to_date(tmp_path) -> None:
    script = f"""
import sys
from pathlib import Path
from mlwright.wiring.tracking import find_storage, open_tracking
import mlwright.doors.cli.commands.tracking, mlwright.doors.http.mlflow.serving, mlwright.doors.up.tracking
place = find_storage(Path.cwd())
open_tracking(database=place.database, artifacts=place.artifacts, state=place.state).close()
print(*(name for name in {HEAVY!r}.split() if name in sys.modules))
"""
    run = [sys.executable, "-c", script]
    first, second = (
        subprocess.run(run, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=True)
        for _ in range(2)
    )
    assert first.stdout.split() == ["alembic"]
    assert second.stdout.split() == []
