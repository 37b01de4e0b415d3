"""The ASGI application of the control process: the JSON interface below ``/api`` and the pages at ``/``."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from mlwright import __version__
from mlwright.doors.http.control.asked import Asked
from mlwright.doors.http.control.calls import CHANGES, READS, Changing, Control, Reading
from mlwright.doors.http.control.engineer import ENGINEER
from mlwright.doors.http.control.guard import LoopbackOnly
from mlwright.doors.http.control.metrics import render
from mlwright.doors.web.pages import page_routes
from mlwright.doors.web.refusals import HANDLERS
from mlwright.doors.web.shelf import Desk
from mlwright.doors.web.strip import loop_of
from mlwright.doors.web.tracked import chart_routes
from mlwright.doors.wire import to_json
from mlwright.errors import BadRequest

MAX_BODY_BYTES: Final = 1 << 20

Handler = Callable[[Request], Awaitable[Response]]


def build_control_app(control: Control) -> Starlette:
    """The application over one platform; whoever builds it starts and stops ``control.turns``."""
    desk = Desk(control.tracking, control.platform.dossiers.card)
    api: list[BaseRoute] = [
        Route("/loop", _loop(control), methods=["GET"]),
        Route("/processes", _processes(control), methods=["GET"]),
        *(Route(path, _read(control, call), methods=["GET"]) for path, call in {**READS, **ENGINEER}.items()),
        *(Route(path, _change(control, call), methods=["POST"]) for path, call in CHANGES.items()),
        *chart_routes(desk),
    ]
    return Starlette(
        routes=[
            Route("/health", _health, methods=["GET"]),
            Route("/metrics", _metrics(control), methods=["GET"]),
            Mount("/api", routes=api),
            *page_routes(control, desk),
        ],
        middleware=[Middleware(LoopbackOnly)],
        exception_handlers=HANDLERS,
    )


def _read(control: Control, call: Reading) -> Handler:
    async def handle(request: Request) -> Response:
        asked = Asked(path=_path(request), query=request.query_params)
        return _json(await run_in_threadpool(call, control.platform, asked))

    return handle


def _change(control: Control, call: Changing) -> Handler:
    async def handle(request: Request) -> Response:
        asked = Asked(path=_path(request), query=request.query_params, body=await _body(request))
        answer = await run_in_threadpool(call, control, asked)
        if isinstance(answer, Future):
            answer = await asyncio.wrap_future(answer)
        return _json(answer)

    return handle


def _loop(control: Control) -> Handler:
    async def handle(request: Request) -> Response:
        return _json(await run_in_threadpool(loop_of, control))

    return handle


def _processes(control: Control) -> Handler:
    async def handle(request: Request) -> Response:
        return _json({"processes": control.processes(), "turns": control.turns.status})

    return handle


def _metrics(control: Control) -> Handler:
    async def handle(request: Request) -> Response:
        accept = request.headers.get("accept", "")
        text, kind = await run_in_threadpool(render, control.platform, control.turns.status, accept)
        return Response(text, headers={"content-type": kind})

    return handle


async def _health(request: Request) -> Response:
    return _json({"status": "ok", "version": __version__})


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise BadRequest(f"the body is larger than {MAX_BODY_BYTES >> 10} KiB", where="body")
    return bytes(body)


def _path(request: Request) -> dict[str, str]:
    return {name: str(value) for name, value in request.path_params.items()}


def _json(value: object) -> Response:
    return Response(to_json(value), media_type="application/json")
