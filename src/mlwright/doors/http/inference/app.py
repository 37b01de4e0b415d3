"""The ASGI application of an inference process: a door over :class:`InferenceHost`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route as Path

from mlwright import __version__
from mlwright.doors.http.inference import metrics, wire
from mlwright.errors import (
    BadRequest,
    Conflict,
    MlwrightError,
    ModelLoadFailed,
    NotFound,
    SignatureMismatch,
    StorageError,
)
from mlwright.model.instants import to_micros
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.host import InferenceHost

MAX_BODY_BYTES: Final = 8 << 20
POLL_S: Final = 0.25

_STATUS: Final[tuple[tuple[type[MlwrightError], int], ...]] = (
    (BadRequest, 400),
    (SignatureMismatch, 400),
    (NotFound, 404),
    (Conflict, 409),
    (StorageError, 503),
    (ModelLoadFailed, 503),
)

Handler = Callable[[Request], Awaitable[Response]]


def build_app(host: InferenceHost, *, poll_s: float = POLL_S) -> Starlette:
    """The application.

    Its lifespan reads the routes before the first request, follows them every ``poll_s`` seconds and
    closes the host's journal at the end. Predictions run on the event loop: they take a few milliseconds
    of one core, and that core has nothing else to do.
    """
    door = _Door(host)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with suppress(MlwrightError):  # the poll tries again; /v2/health/ready says so until then
            await asyncio.to_thread(host.refresh)
        polling = asyncio.create_task(_follow(host, poll_s))
        try:
            yield
        finally:
            polling.cancel()
            with suppress(asyncio.CancelledError):
                await polling
            host.close()

    gets: dict[str, Handler] = {
        "/v2": door.server_metadata,
        "/v2/health/live": door.live,
        "/v2/health/ready": door.ready,
        "/v2/models/{model}": door.model_metadata,
        "/v2/models/{model}/ready": door.model_ready,
        "/v2/models/{model}/versions/{version}": door.model_metadata,
        "/v2/models/{model}/versions/{version}/ready": door.model_ready,
        "/metrics": door.metrics,
    }
    posts: dict[str, Handler] = {
        "/v2/models/{model}/infer": door.infer,
        "/v2/models/{model}/versions/{version}/infer": door.infer,
        "/v1/feedback": door.feedback,
        "/v1/refresh": door.refresh,
    }
    return Starlette(
        routes=[
            *(Path(path, handler, methods=["GET"]) for path, handler in gets.items()),
            *(Path(path, handler, methods=["POST"]) for path, handler in posts.items()),
        ],
        exception_handlers={MlwrightError: _refused, HTTPException: _no_such_call, Exception: _broken},
        lifespan=lifespan,
    )


class _Door:
    """One method a call of the protocol."""

    def __init__(self, host: InferenceHost) -> None:
        self._host = host

    async def server_metadata(self, _: Request) -> Response:
        return _json({"name": "mlwright", "version": __version__, "extensions": []})

    async def live(self, _: Request) -> Response:
        return _json({"live": True})

    async def ready(self, _: Request) -> Response:
        return _json({"ready": self._host.ready}, 200 if self._host.ready else 503)

    async def model_metadata(self, request: Request) -> Response:
        core = self._core(request)
        route = core.route
        versions = [variant.version for variant in route.variants] if route else []
        return _json(wire.model_metadata(core.spec.name, versions, core.inputs()))

    async def model_ready(self, request: Request) -> Response:
        status = self._host.status(self._core(request).spec.name)
        answer: dict[str, object] = {"name": status.endpoint, "ready": status.ready}
        if not status.ready:
            answer.update(error=status.reason, serving=status.serving, next_command=status.next_command)
        return _json(answer, 200 if status.ready else 503)

    async def infer(self, request: Request) -> Response:
        core = self._core(request, alone=True)
        asked = wire.decode_infer(await _body(request))
        outputs = wire.wanted_outputs(asked)
        columns = wire.predict_request(asked, core.spec.entity, core.spec.timestamp)
        route = core.route
        answer = core.predict(columns)
        version = route.variants[0].version if route else 0
        return _raw(wire.infer_response(core.spec.name, version, columns.id, answer, outputs))

    async def feedback(self, request: Request) -> Response:
        asked = wire.decode_feedback(await _body(request))
        core = self._host.core(asked.endpoint)
        receipt = core.feedback(wire.label_block(asked, to_micros(core.clock.now())))
        return _json({"accepted": receipt.accepted})

    async def refresh(self, _: Request) -> Response:
        return _json({"generations": await asyncio.to_thread(self._host.refresh)})

    async def metrics(self, request: Request) -> Response:
        text, content_type = metrics.render(self._host.cores, request.headers.get("accept", ""))
        return Response(text, headers={"content-type": content_type})

    def _core(self, request: Request, *, alone: bool = False) -> EndpointCore:
        """The endpoint that the path names; a version in the path must be one that stands behind it.

        With ``alone`` it must be the only one: during a rollout the route decides who answers, not the
        client.
        """
        core = self._host.core(request.path_params["model"])
        version = request.path_params.get("version")
        if version is not None:
            live = [str(variant.version) for variant in core.route.variants] if core.route else []
            if version not in live:
                raise NotFound.named(f"version behind {core.spec.name!r}", version, live)
            if alone and len(set(live)) > 1:
                raise BadRequest(
                    f"endpoint {core.spec.name!r} is in a rollout, which decides what version answers",
                    why=f"versions {', '.join(live)} stand behind it",
                    next_command=f"POST /v2/models/{core.spec.name}/infer",
                )
        return core


async def _follow(host: InferenceHost, poll_s: float) -> None:
    """Keep the host at the newest routes until cancelled."""
    while True:
        await asyncio.sleep(poll_s)
        with suppress(Exception):  # whatever it is, the next look may succeed; requests are served meanwhile
            await asyncio.to_thread(host.poll)


async def _body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        parts.append(part)
    return b"".join(parts)


def _too_large() -> HTTPException:
    return HTTPException(
        413, f"the body is larger than {MAX_BODY_BYTES >> 20} MiB; send fewer rows a request"
    )


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, MlwrightError)
    return _error(error, next((status for kind, status in _STATUS if isinstance(error, kind)), 500))


async def _no_such_call(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"error": str(error.detail)}, error.status_code, error.headers)


async def _broken(_: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        return Response(status_code=400)
    return _json({"error": f"the server failed: {type(error).__name__}"}, 500)


def _error(error: MlwrightError, status: int) -> Response:
    return _json(
        {
            "error": str(error),
            "code": error.code,
            "faults": [
                {"where": fault.where, "what": fault.what, "near": fault.near} for fault in error.faults
            ],
            "next_command": error.next_command,
        },
        status,
    )


def _json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return _raw(msgspec.json.encode(value), status, headers)


def _raw(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status, {**(headers or {}), "content-type": "application/json"})
