"""``mlwright up``: the supervisor, which is the control process as well, and the processes beside it.

The tracking process answers the port of the pages and asks the control process for what is not of its protocol; the
inference processes have a port of their own.
"""

import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn

from mlwright.doors.http.control.app import build_control_app
from mlwright.doors.http.control.calls import Control
from mlwright.doors.http.control.looks import Looks
from mlwright.doors.http.control.metrics import measure
from mlwright.doors.http.control.status import Processes
from mlwright.doors.http.control.telling import Telling
from mlwright.doors.http.control.turns import Turns
from mlwright.doors.http.listening import address_of, bind, ensure_free
from mlwright.doors.http.ready import ReadyServer
from mlwright.doors.up.control_socket import control_socket
from mlwright.doors.up.inference import Inference
from mlwright.doors.up.lock import only_one
from mlwright.doors.up.processes import start_tracking
from mlwright.doors.up.workers import Workers
from mlwright.errors import PortInUse
from mlwright.model.settings import Settings
from mlwright.platform.facade import Platform
from mlwright.wiring.inference import open_following, open_metering
from mlwright.wiring.tracking import open_project_tracking

TURN_EVERY_S: Final = 60.0
_GRACE_S: Final = 5
_LAST_WORDS_S: Final = 3.0


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
        return address_of(self.host, self.port)

    @property
    def inference(self) -> str:
        """The address of the endpoints."""
        return address_of(self.host, self.inference_port)


def supervise(platform: Platform, plan: Plan, ready: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT; then answer what was begun, end the other processes, and return.

    Args:
        platform: the project, open.
        plan: what and where.
        ready: called when everything serves, with the number of interrupted runs that were found and marked.

    Raises:
        AlreadyRunning: another process serves this project.
        PortInUse: another program listens on one of the ports.
        Conflict: one of the other processes did not start.
    """
    settings = platform.parts.settings
    with (
        only_one(settings.state, plan.pages),
        closing(_listen(plan)) as pages,
        control_socket(settings.state) as (listener, address),
        closing(open_project_tracking(settings, clock=platform.parts.clock)) as book,
        _deaf() as heard,
    ):
        killed = platform.training.recover()
        tracking = _tracking(settings, plan, pages, address)
        workers = Inference(
            _planned(settings, plan), open_following(settings), host=plan.host, port=plan.inference_port
        )
        turns = Turns(platform, Looks(platform), every_s=plan.every_s)
        telling = Telling(platform.alerting)
        metering = open_metering()

        def processes() -> Processes:
            return Processes(
                pages=plan.pages,
                inference=plan.inference,
                workers=workers.status(),
                tracking=tracking.status()[0],
            )

        control = Control(platform=platform, tracking=book, turns=turns, processes=processes)
        server = ReadyServer(_config(control), lambda: ready(killed))
        try:
            tracking.start()
            workers.start()
            if not heard:
                turns.start()
                telling.start()
                if metering is not None:
                    metering.start(lambda: measure(platform, turns.status))
                server.run(sockets=[listener])
        finally:
            turns.stop(wait_s=_GRACE_S)
            telling.stop()
            tracking.stop()
            workers.stop()
            if metering is not None:
                metering.close(_LAST_WORDS_S)  # with what the processes counted to their end


def _tracking(settings: Settings, plan: Plan, pages: socket.socket, control: str) -> Workers:
    """The tracking process, which inherits the listening socket of the pages."""
    place = {
        "database": settings.database,
        "artifacts": settings.artifacts,
        "state": str(settings.state),
        "control": control,
    }

    def start(*, siblings: bool, log: Path) -> "subprocess.Popen[str]":
        return start_tracking(place, pages.fileno(), log)

    return Workers(settings.state / "logs", start, number=1, kind="tracking")


def _planned(settings: Settings, plan: Plan) -> Settings:
    """The settings with what the command line says instead."""
    most = max(settings.serve.max_workers, plan.workers)
    return replace(settings, serve=replace(settings.serve, workers=plan.workers, max_workers=most))


def _config(control: Control) -> uvicorn.Config:
    return uvicorn.Config(
        build_control_app(control),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S,
    )


def _listen(plan: Plan) -> socket.socket:
    """The socket of the pages; the port of the endpoints is tried as well, before anything is started."""
    try:
        ensure_free(plan.host, plan.inference_port)
    except PortInUse as error:
        raise _in_use(plan.host, plan.inference_port, "--inference-port") from error
    try:
        listener = bind(plan.host, plan.port)
    except PortInUse as error:
        raise _in_use(plan.host, plan.port, "--port") from error
    listener.listen(1024)
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
