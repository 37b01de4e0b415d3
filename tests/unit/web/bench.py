"""The control door over a real project, and a browser that asks it in this process."""

import asyncio
import runpy
from pathlib import Path

import httpx

from mlwright.doors.http.control.app import build_control_app
from mlwright.doors.http.control.calls import Control
from mlwright.doors.http.control.looks import Looks
from mlwright.doors.http.control.status import Processes, WorkerState, WorkerStatus
from mlwright.doors.http.control.turns import Turns
from mlwright.ports.clock import Clock
from mlwright.wiring.project import close, open_platform
from mlwright.wiring.tracking import open_project_tracking

SEEDED = runpy.run_path(str(Path(__file__).with_name("seeded_project.py")))
HERE = "http://127.0.0.1:8500"


class Bench:
    """Projects that were opened; all are closed at the end."""

    def __init__(self) -> None:
        self._opened: list[Control] = []

    def open(self, folder: Path, clock: Clock | None = None) -> Control:
        platform = open_platform(folder, clock=clock)
        worker = WorkerStatus(
            number=1, state=WorkerState.SERVING, pid=4711, restarts=2, said="<b>out of memory</b>"
        )
        processes = Processes(pages=HERE, inference="http://127.0.0.1:8501", workers=(worker,))
        turns = Turns(platform, Looks(platform))
        tracking = open_project_tracking(platform.parts.settings, clock=clock)
        control = Control(platform=platform, tracking=tracking, turns=turns, processes=lambda: processes)
        turns.start()
        self._opened.append(control)
        return control

    def close(self) -> None:
        for each in self._opened:
            each.turns.stop()
            each.tracking.close()
            close(each.platform)


class Browser:
    """Asks one application, from this machine."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self._app = build_control_app(control)

    def ask(self, method: str, path: str, **named) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
                return await client.request(method, path, **named)

        return asyncio.run(go())

    def get(self, path: str, **named) -> httpx.Response:
        return self.ask("GET", path, **named)

    def post(self, path: str, **named) -> httpx.Response:
        return self.ask("POST", path, **named)
