"""The ASGI application of the control process: the JSON interface below ``/api`` and the pages at ``/``."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from mlwright import __version__
from mlwright.doors.http.control.asked import Asked
from mlwright.doors.http.control.calls import CHANGES, READS, Changing, Control, Reading
from mlwright.doors.http.control.engineer import ENGINEER
from mlwright.doors.http.control.guard import LoopbackOnly
from mlwright.doors.web.pages import page_routes, refused_page
from mlwright.doors.web.strip import loop_of
from mlwright.doors.wire import error_to_plain, to_json
from mlwright.errors import (
    BadRequest,
    CheckFailed,
    Conflict,
    MissingExtra,
    MlwrightError,
    NotFound,
    SignatureMismatch,
    StorageError,
    UsageError,
)

MAX_BODY_BYTES: Final = 1 << 20

_log: Final = logging.getLogger("mlwright.control")

_STATUS: Final[tuple[tuple[type[MlwrightError], int], ...]] = (
    (NotFound, 404),
    (UsageError, 400),
    (SignatureMismatch, 400),
    (CheckFailed, 409),
    (Conflict, 409),
    (StorageError, 503),
    (MissingExtra, 501),
)
"""The first class that fits decides; every other error of ours is 500."""

Handler = Callable[[Request], Awaitable[Response]]


def build_control_app(control: Control) -> Starlette:
    """The application over one platform; whoever builds it starts and stops ``control.turns``."""
    api: list[BaseRoute] = [
        Route("/loop", _loop(control), methods=["GET"]),
        Route("/processes", _processes(control), methods=["GET"]),
        *(Route(path, _read(control, call), methods=["GET"]) for path, call in {**READS, **ENGINEER}.items()),
        *(Route(path, _change(control, call), methods=["POST"]) for path, call in CHANGES.items()),
    ]
    return Starlette(
        routes=[
            Route("/health", _health, methods=["GET"]),
            Mount("/api", routes=api),
            *page_routes(control),
        ],
        middleware=[Middleware(LoopbackOnly)],
        exception_handlers={MlwrightError: _refused, HTTPException: _no_such_call, Exception: _broken},
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


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, MlwrightError)
    return _answer(request, error, next((status for kind, status in _STATUS if isinstance(error, kind)), 500))


async def _no_such_call(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    refusal = _Refusal(str(error.detail), where=request.url.path, next_command="mlwright up --help")
    return _answer(request, refusal, error.status_code, dict(error.headers or {}))


async def _broken(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    what, why = "the server failed", "its log, on the terminal of mlwright up, says more"
    return _answer(
        request, _Failure(what, where=request.url.path, why=why, next_command="mlwright doctor"), 500
    )


class _Refusal(MlwrightError):
    """There is no such call."""

    exit_code = 3

    @property
    def code(self) -> str:
        """The stable name of this kind of error."""
        return "NoSuchCall"


class _Failure(MlwrightError):
    """A fault of mlwright itself, or of code that it called; what it was stays in the log."""

    @property
    def code(self) -> str:
        """The stable name of this kind of error."""
        return "Unexpected"


def _answer(
    request: Request, error: MlwrightError, status: int, headers: Mapping[str, str] | None = None
) -> Response:
    """An error as JSON, or as a page where a page was asked for."""
    if not request.url.path.startswith("/api"):
        return refused_page(error, status)
    body = to_json(error_to_plain(error))
    return Response(body, status, headers=headers, media_type="application/json")


def _json(value: object) -> Response:
    return Response(to_json(value), media_type="application/json")
