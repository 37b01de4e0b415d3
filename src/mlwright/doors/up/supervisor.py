"""``mlwright up``: the supervisor, which is the control process as well, and its inference processes."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn

from mlwright.doors.http.control.app import build_control_app
from mlwright.doors.http.control.calls import Control
from mlwright.doors.http.control.looks import Looks
from mlwright.doors.http.control.status import Processes
from mlwright.doors.http.control.turns import Turns
from mlwright.doors.http.inference.server import ensure_free
from mlwright.doors.up.lock import only_one
from mlwright.doors.up.workers import Workers
from mlwright.errors import PortInUse
from mlwright.platform.facade import Platform

TURN_EVERY_S: Final = 60.0
_GRACE_S: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to serve, and where. ``workers`` is at least 1."""

    project: Path
    host: str
    port: int
    inference_port: int
    workers: int
    every_s: float = TURN_EVERY_S

    @property
    def pages(self) -> str:
        """The address of the pages and of the JSON interface."""
        return _address(self.host, self.port)

    @property
    def inference(self) -> str:
        """The address of the endpoints."""
        return _address(self.host, self.inference_port)


def supervise(platform: Platform, plan: Plan, ready: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT; then answer what was begun, end the inference processes, and return.

    Args:
        platform: the project, open.
        plan: what and where.
        ready: called when everything serves, with the number of interrupted runs that were found and marked.

    Raises:
        AlreadyRunning: another process serves this project.
        PortInUse: another program listens on one of the ports.
        Conflict: an inference process did not start.
    """
    state = platform.parts.settings.state
    with only_one(state, plan.pages), closing(_listen(plan)) as listener, _deaf() as heard:
        killed = platform.training.recover()
        workers = Workers(
            plan.project, state / "logs", host=plan.host, port=plan.inference_port, count=plan.workers
        )
        turns = Turns(platform, Looks(platform), every_s=plan.every_s)
        server = _Server(_config(platform, plan, turns, workers), lambda: ready(killed))
        workers.start()
        try:
            if not heard:
                turns.start()
                server.run(sockets=[listener])
        finally:
            turns.stop(wait_s=_GRACE_S)
            workers.stop()


def _config(platform: Platform, plan: Plan, turns: Turns, workers: Workers) -> uvicorn.Config:
    def processes() -> Processes:
        return Processes(pages=plan.pages, inference=plan.inference, workers=workers.status())

    return uvicorn.Config(
        build_control_app(Control(platform=platform, turns=turns, processes=processes)),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )


class _Server(uvicorn.Server):
    """Says when it takes requests."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()


def _listen(plan: Plan) -> socket.socket:
    """The socket of the pages; the port of the endpoints is tried as well, before anything is started."""
    try:
        ensure_free(plan.host, plan.inference_port)
    except PortInUse as error:
        raise _in_use(plan.host, plan.inference_port, "--inference-port") from error
    family = socket.AF_INET6 if ":" in plan.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((plan.host, plan.port))
    except OSError as error:
        listener.close()
        raise _in_use(plan.host, plan.port, "--port") from error
    return listener


def _in_use(host: str, port: int, option: str) -> PortInUse:
    return PortInUse(
        f"another program listens on port {port}",
        where=f"{host}:{port}",
        next_command=f"mlwright up {option} {_next_free(host, port)}",
    )


def _next_free(host: str, port: int) -> int:
    """A port nearby that is free now, and the one above it, where the endpoints would stand."""
    for candidate in range(port + 2, min(port + 50, 65_535)):
        with suppress(PortInUse):
            ensure_free(host, candidate)
            ensure_free(host, candidate + 1)
            return candidate
    return port + 2 if port < 65_000 else 8500


@contextmanager
def _deaf() -> Iterator[list[int]]:
    """Signals are heard by the server while it runs; before and after it they only mark that the end has come.

    uvicorn raises what it caught once more when it is done; what has to be tidied up shall still be.
    """
    heard: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
