"""Our own tracking server in this process, for engines that speak to a server over HTTP."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest


class Wire(httpx.BaseTransport):
    """Speaks to our own server in this process."""

    def __init__(self, app: object) -> None:
        self.app, self.runner = app, asyncio.Runner()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self.runner.run(self._handle(request, request.read()))

    async def _handle(self, request: httpx.Request, body: bytes) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        headers = {**request.headers, "host": "127.0.0.1:8500", "content-length": str(len(body))}
        asked = httpx.Request(request.method, request.url, headers=headers, content=body)
        answer = await transport.handle_async_request(asked)
        content = await answer.aread()
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    from mlwright.doors.http.mlflow.app import build_app
    from mlwright.wiring.tracking import open_tracking

    with open_tracking(
        database=f"sqlite:///{tmp_path / 'db'}", artifacts=str(tmp_path / "a"), state=tmp_path / "s"
    ) as tracking:
        made = Wire(build_app(tracking))
        yield made
        made.app.close()
        made.runner.close()
