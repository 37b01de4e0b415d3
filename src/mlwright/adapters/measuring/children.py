"""Measured processes, as children of this one. They end with it: their standard input is a pipe from here.

A child reads one line, its job as JSON, and writes lines of JSON. What a serving child uses is asked over that pipe:
only the process itself can tell on every system.
"""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from time import perf_counter, sleep
from typing import IO, Any, Final

import msgspec

from mlwright.adapters.measuring.load import Fired, fire, first_answer
from mlwright.adapters.measuring.requests import answers_right, requests_of
from mlwright.errors import ModelLoadFailed
from mlwright.model.conversions import Footprint
from mlwright.model.endpoints import Route
from mlwright.model.profiles import LoadPoint, Served
from mlwright.model.settings import EndpointSettings, Settings
from mlwright.ports.measuring import Load

_CHILD: Final = "mlwright.doors.up.measured"
_START_S: Final = 60.0
_STEP_S: Final = 0.005


class ChildProcesses:
    """Fills ``Measuring``."""

    def footprint(self, folder: Path) -> Footprint:
        """Load one folder in a new process; see ``Measuring.footprint``."""
        with _child({"do": "footprint", "folder": str(folder)}) as (process, said):
            line = _line(process)
            if line is None:
                raise _failed("the model does not load in a process of its own", process, said)
            return msgspec.convert(line, Footprint)

    def serve(
        self,
        settings: Settings,
        endpoint: EndpointSettings,
        route: Route,
        load: Load,
        say: Callable[[str], None],
    ) -> Served:
        """Serve a route in a new process and ask it; see ``Measuring.serve``."""
        port = _free_port()
        bodies = requests_of(load, endpoint.name, port)
        with TemporaryDirectory(prefix="mlwright-measured-") as state:
            job = {
                "do": "serve",
                "settings": settings,
                "endpoint": endpoint,
                "route": route,
                "state": state,
                "port": port,
            }
            say("starting a serving process")
            started = perf_counter()
            with _child(job) as (process, said):
                answer = _first(process, said, port, bodies[0], load.answer)
                cold_s = perf_counter() - started
                idle = _usage(process, said)
                points = [
                    _point(process, said, port, bodies, count, load.seconds, say)
                    for count in load.connections
                ]
                last = _usage(process, said)
        return Served(
            cold_start_s=cold_s,
            idle=idle["rss"],
            peak=last["peak"],
            request_bytes=sum(map(_body_bytes, bodies)) / len(bodies),
            answer_bytes=float(_body_bytes(answer)),
            points=tuple(points),
        )


def _point(
    process: "subprocess.Popen[str]",
    said: IO[str],
    port: int,
    bodies: list[bytes],
    connections: int,
    seconds: float,
    say: Callable[[str], None],
) -> LoadPoint:
    say(f"asking over {connections} connection{'s' * (connections != 1)}")
    before = _usage(process, said)
    fired: Fired = fire(port, bodies, connections, seconds)
    after = _usage(process, said)
    if not fired.seconds:
        raise ModelLoadFailed("the serving process answered nothing", where=f"{connections} connections")
    return LoadPoint(
        connections=connections,
        requests=len(fired.latencies),
        seconds=fired.seconds,
        cpu_s=after["cpu_s"] - before["cpu_s"],
        p50_s=fired.quantile(0.5),
        p99_s=fired.quantile(0.99),
        errors=fired.errors,
        rss=after["rss"],
    )


def _first(
    process: "subprocess.Popen[str]", said: IO[str], port: int, request: bytes, right: float | None
) -> bytes:
    """The first right answer, waited for."""
    end = perf_counter() + _START_S
    while perf_counter() < end and process.poll() is None:
        answer = first_answer(port, request)
        if answer is None:
            sleep(_STEP_S)
            continue
        if not answer.startswith(b"HTTP/1.1 200"):
            why = answer.partition(b"\r\n\r\n")[2][:500].decode(errors="replace")
            if b"503" in answer[:16]:  # it listens, and does not serve yet
                sleep(_STEP_S)
                continue
            raise ModelLoadFailed("the endpoint refuses what it is measured with", why=why)
        if not answers_right(answer, right):
            raise ModelLoadFailed(
                "the serving process gives another answer than this one", why=str(answer[-300:])
            )
        return answer
    raise _failed("the serving process does not answer", process, said)


@contextmanager
def _child(job: Mapping[str, object]) -> "Iterator[tuple[subprocess.Popen[str], IO[str]]]":
    with TemporaryFile("w+") as said:  # a file and not a pipe: nobody reads while it runs
        process = subprocess.Popen(
            [sys.executable, "-m", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(msgspec.json.encode(job, enc_hook=str).decode() + "\n")
                process.stdin.flush()
            yield process, said
        finally:
            with suppress(BrokenPipeError):
                process.stdin.close()  # it ends when its input does
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def _usage(process: "subprocess.Popen[str]", said: IO[str]) -> dict[str, Any]:
    """``cpu_s``, ``rss`` and ``peak`` of a serving child; the bytes are None where it cannot tell."""
    assert process.stdin is not None
    try:
        process.stdin.write("usage\n")
        process.stdin.flush()
    except BrokenPipeError:
        raise _failed("the serving process ended", process, said) from None
    found = _line(process)
    if found is None:
        raise _failed("the serving process ended", process, said)
    return found


def _line(process: "subprocess.Popen[str]") -> dict[str, Any] | None:
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _failed(what: str, process: "subprocess.Popen[str]", said: IO[str]) -> ModelLoadFailed:
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=2)
    said.seek(0)
    why = said.read().strip()[-1500:]
    return ModelLoadFailed(
        what, why=why or f"it ended with {process.returncode}", next_command="mlwright doctor"
    )


def _body_bytes(message: bytes) -> int:
    return len(message.partition(b"\r\n\r\n")[2])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
