"""``mlwright serve`` as its users start it, for the tests of clients and of hostile input."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np

IRIS_ROWS = [[0.5, -1.0, 2.0, 0.25], [1.5, 0.0, -0.5, 3.0], [-2.0, 1.0, 0.0, 0.125]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """``mlwright serve`` in a folder of its own."""

    port: int
    grpc_port: int
    folder: Path
    process: "subprocess.Popen[str]"

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[int]:
        """The ids of the processes that serve HTTP: its own, where that is the only one."""
        return self._below(grpc=False) or [self.process.pid]

    def grpc_worker(self) -> int:
        """The id of the process that serves gRPC."""
        [pid] = self._below(grpc=True)
        return pid

    def _below(self, *, grpc: bool) -> list[int]:
        said = subprocess.run(["ps", "-eww", "-o", "pid=,ppid=,args="], capture_output=True, text=True).stdout
        rows = [line.split(None, 2) for line in said.splitlines()]
        mine = [row for row in rows if row[1] == str(self.process.pid) and "doors.up.worker" in row[2]]
        return [int(row[0]) for row in mine if ("--grpc" in row[2]) is grpc]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(folder: Path, *arguments: str, grpc: bool = False) -> Serving:
    """Start ``mlwright serve`` without waiting for it; it prints a line when it is ready."""
    port, grpc_port = free_port(), free_port() if grpc else 0
    more = ["--grpc-port", str(grpc_port)] if grpc else []
    command = [sys.executable, "-m", "mlwright", "serve", *arguments, "--port", str(port), "--json", *more]
    with (folder / "stderr").open("w", encoding="utf-8") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=said, text=True)
    return Serving(port=port, grpc_port=grpc_port, folder=folder, process=process)


def fetched(url: str, body: object = None, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers. A body that is not bytes goes as JSON; ``_`` in the name of a header is ``-``."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    asked = urllib.request.Request(
        url, data, {each.replace("_", "-"): value for each, value in headers.items()}
    )
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, answer.read(), dict(answer.headers.items())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), dict(error.headers.items())


def labels(probabilities: np.ndarray) -> list[str]:
    """What ``iris`` says of rows with these probabilities."""
    return [("setosa", "versicolor", "virginica")[at] for at in probabilities.argmax(axis=1)]
