"""The tracking server as a process, for tests that break it on purpose, and clients that keep a ledger."""

import hashlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import mlwright

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(mlwright.__file__).parents[1])}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)
API = "/api/2.0/mlflow/"
FILES = "/api/2.0/mlflow-artifacts/artifacts/"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The protocol's name of the error."""
        return str(self.json["error_code"])


class Client:
    """One connection that is kept open; a new one after each failure."""

    def __init__(self, port: int, timeout: float = 40) -> None:
        self.port, self.timeout = port, timeout
        self._connection: http.client.HTTPConnection | None = None

    def raw(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Ask once.

        Raises:
            OSError, http.client.HTTPException: nobody answered to the end.
        """
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            self._connection.request(method, path, body)
            answer = self._connection.getresponse()
            return Answer(answer.status, answer.read())
        except BaseException:
            self.close()
            raise

    def ask(self, method: str, path: str, asked: object = None, **query: object) -> Answer:
        """One call of the protocol."""
        rest = f"?{urlencode(query, doseq=True)}" if query else ""
        return self.raw(method, f"{API}{path}{rest}", None if asked is None else json.dumps(asked).encode())

    def good(self, method: str, path: str, asked: object = None, **query: object) -> Any:
        """One call that has to succeed."""
        answer = self.ask(method, path, asked, **query)
        assert answer.status == 200, (method, path, answer)
        return answer.json

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass
class Server:
    """A running server."""

    process: "subprocess.Popen[str]"
    port: int
    folder: Path
    clients: list[Client] = field(default_factory=list)

    def client(self, timeout: float = 40) -> Client:
        """Somebody who asks it, and leaves when it ends."""
        self.clients.append(Client(self.port, timeout))
        return self.clients[-1]

    def memory(self, what: str = "VmRSS") -> float:
        """Megabytes that it holds; ``VmHWM`` is the most it ever held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition(f"{what}:")[2].split()[0]) / 1024

    @property
    def said(self) -> str:
        """Everything that it wrote to stderr."""
        return (self.folder / "said").read_text()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end."""
        self.process.send_signal(number)
        return self.process.wait(40)


def start(folder: Path, *options: str, port: int | None = None, **how: Any) -> Server:
    """Start a server and wait until it is ready."""
    port = port or free_port()
    with (folder / "said").open("a") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlwright", "tracking", "--port", str(port), "--json", *options],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            **how,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait(20)
        process.stdout.close()
        raise AssertionError((folder / "said").read_text())
    return Server(process, port, folder)


@contextmanager
def serving(folder: Path, *options: str, port: int | None = None, **how: Any) -> Iterator[Server]:
    """A server that is gone at the end."""
    server = start(folder, *options, port=port, **how)
    try:
        yield server
    finally:
        stop(server)


def stop(server: Server) -> None:
    """End a server, whatever state it is in."""
    for each in server.clients:
        each.close()
    server.process.kill()
    server.process.wait()
    assert server.process.stdout is not None
    server.process.stdout.close()


def until(found: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Ask again and again until the answer is a yes."""
    end = time.monotonic() + seconds
    while True:
        with suppress(OSError, http.client.HTTPException, AssertionError):
            answer = found()
            if answer:
                return answer
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


BATCH = 15
"""Metrics of a batch."""


@dataclass
class Writer:
    """A client that writes everything there is to write, and notes what was acknowledged, in a file."""

    port: int
    name: str
    ledger: Path
    timeout: float = 40
    stop: threading.Event = field(default_factory=threading.Event)
    refused: list[object] = field(default_factory=list)
    lost: int = 0

    def begin(self) -> None:
        """Make the run, and the model, that the rest is written to."""
        client = Client(self.port, self.timeout)
        experiment = client.good("POST", "experiments/create", {"name": self.name})["experiment_id"]
        run = client.good("POST", "runs/create", {"experiment_id": experiment, "start_time": 1})
        client.good("POST", "registered-models/create", {"name": self.name})
        client.close()
        self.experiment, self.run = experiment, run["run"]["info"]["run_id"]

    def write(self) -> None:
        """Write until told to stop, through as many deaths of the server as there are."""
        client = Client(self.port, self.timeout)
        random_ = random.Random(self.name)
        kinds = ["metric", "param", "tag", "batch", "artifact", "version", "alias", "run"]
        number, version = 0, 0
        with self.ledger.open("a", buffering=1) as ledger:
            while not self.stop.is_set():
                number += 1
                kind = random_.choice(kinds)
                if kind == "alias" and not version:
                    continue
                try:
                    answer = self._one(client, kind, number, version)
                except (OSError, http.client.HTTPException):
                    self.lost += 1
                    time.sleep(0.05)
                    continue
                if answer.status != 200:
                    self.refused.append((kind, number, answer))
                    continue
                noted: dict[str, object] = {"kind": kind, "number": number}
                if kind == "version":
                    version = int(answer.json["model_version"]["version"])
                    noted["version"] = version
                elif kind == "alias":
                    noted["version"] = version
                elif kind == "run":
                    noted["run"] = answer.json["run"]["info"]["run_id"]
                ledger.write(json.dumps(noted) + "\n")
        client.close()

    def _one(self, client: Client, kind: str, number: int, version: int) -> Answer:  # noqa: PLR0911 - one a kind
        match kind:
            case "metric":
                point = {"key": "m", "value": number, "timestamp": number, "step": number}
                return client.ask("POST", "runs/log-metric", {"run_id": self.run, **point})
            case "param":
                return client.ask(
                    "POST", "runs/log-parameter", {"run_id": self.run, "key": f"p{number}", "value": "v"}
                )
            case "tag":
                return client.ask(
                    "POST", "runs/set-tag", {"run_id": self.run, "key": f"t{number}", "value": "v"}
                )
            case "batch":
                points = [
                    {"key": f"b{at}", "value": at, "timestamp": number, "step": number} for at in range(BATCH)
                ]
                pair = [{"key": f"b{number}", "value": "v"}]
                batch = {"run_id": self.run, "metrics": points, "params": pair, "tags": pair}
                return client.ask("POST", "runs/log-batch", batch)
            case "artifact":
                return client.raw("PUT", self.path(number), content(self.name, number))
            case "version":
                source = f"mlflow-artifacts:/{self.experiment}/{self.run}/artifacts/v{number}"
                new = {"name": self.name, "source": source, "run_id": self.run, "description": f"v{number}"}
                return client.ask("POST", "model-versions/create", new)
            case "alias":
                given = {"name": self.name, "alias": f"a{number}", "version": str(version)}
                return client.ask("POST", "registered-models/alias", given)
        return client.ask("POST", "runs/create", {"experiment_id": self.experiment, "run_name": f"r{number}"})

    def path(self, number: int) -> str:
        """The address of an artifact."""
        return f"{FILES}{self.experiment}/{self.run}/artifacts/f{number}"

    def acknowledged(self) -> list[dict[str, Any]]:
        """What was noted."""
        return [json.loads(line) for line in self.ledger.read_text().splitlines()]

    def check(self) -> int:
        """See that everything acknowledged is there, and each batch whole or absent; how much it was."""
        client = Client(self.port)
        noted = self.acknowledged()
        numbers = {kind: [each["number"] for each in noted if each["kind"] == kind] for kind in KINDS}
        data = client.good("GET", "runs/get", run_id=self.run)["run"]["data"]
        params = {each["key"] for each in data.get("params", [])}
        tags = {each["key"] for each in data.get("tags", [])}
        assert {f"p{each}" for each in numbers["param"]} <= params
        assert {f"t{each}" for each in numbers["tag"]} <= tags
        self._check_points(client, numbers, params, tags)
        for each in numbers["artifact"]:
            assert client.raw("GET", self.path(each)).body == content(self.name, each)
        model = client.good("GET", "registered-models/get", name=self.name)["registered_model"]
        aliases = {each["alias"]: int(each["version"]) for each in model.get("aliases", [])}
        for each in noted:
            if each["kind"] == "alias":
                assert aliases[f"a{each['number']}"] == each["version"]
            elif each["kind"] == "version":
                asked = {"name": self.name, "version": each["version"]}
                found = client.good("GET", "model-versions/get", **asked)["model_version"]
                assert found["description"] == f"v{each['number']}"
            elif each["kind"] == "run":
                found = client.good("GET", "runs/get", run_id=each["run"])["run"]["info"]
                assert found["run_name"] == f"r{each['number']}"
        client.close()
        return len(noted)

    def _check_points(
        self, client: Client, numbers: dict[str, list[int]], params: set[str], tags: set[str]
    ) -> None:
        points = self.steps(client, "m")
        assert set(numbers["metric"]) <= set(points)
        assert len(points) == len(set(points))
        histories = [self.steps(client, f"b{at}") for at in range(BATCH)]
        assert all(each == histories[0] for each in histories)
        assert set(numbers["batch"]) <= set(histories[0])
        whole = {f"b{each}" for each in histories[0]}
        assert {each for each in params if each.startswith("b")} == whole
        assert {each for each in tags if each.startswith("b")} == whole

    def steps(self, client: Client, key: str) -> list[int]:
        """The steps of one metric's history, in order."""
        found = client.good("GET", "metrics/get-history", run_id=self.run, metric_key=key).get("metrics", [])
        return [int(each["step"]) for each in found]


KINDS = ("metric", "param", "tag", "batch", "artifact", "version", "alias", "run")


def content(name: str, number: int) -> bytes:
    """The bytes of an artifact: some large, all different."""
    size = 1_500_000 if number % 17 == 0 else 20_000
    return hashlib.shake_128(f"{name}/{number}".encode()).digest(size)
