"""The MLflow protocol as an ASGI application over one façade.

Each request passes the guard, finds its call in a table and runs it beside the event loop: what writes on the one
thread that commits, what reads on one of a few others. What is not of the protocol goes to whoever serves the pages.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlwright.doors.http.guarding import HEADERS, refusal
from mlwright.doors.http.mlflow.about import PROTOCOL_VERSION, SERVER_INFO, front_page, server_info
from mlwright.doors.http.mlflow.bodies import IDLE_S, ClientGone, Room, read_body
from mlwright.doors.http.mlflow.call import Asked, Call, StreamCall
from mlwright.doors.http.mlflow.catalogue import CALLS, STREAMS
from mlwright.doors.http.mlflow.encoding import encode
from mlwright.doors.http.mlflow.errors import Refused, error_body, refused_by
from mlwright.doors.http.mlflow.table import MIRRORS, CallTable, Found, FoundStream
from mlwright.errors import MlwrightError
from mlwright.platform.tracking.facade import TrackingPlatform

READERS: Final = 4
"""Threads that read: with the writing one as many as the database's pool keeps connections."""
_FIELDS: Final = 10_000
"""Values in one query, at most."""

_log: Final = logging.getLogger("mlwright.tracking")

_JSON: Final = (b"content-type", b"application/json")
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
_HTML: Final = (b"content-type", b"text/html; charset=utf-8")
_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
_PAGE_HEADERS: Final = tuple((name.encode(), value.encode()) for name, value in HEADERS.items())

_Header = tuple[bytes, bytes]


def build_app(
    tracking: TrackingPlatform,
    *,
    calls: Sequence[Call] = CALLS,
    streams: Sequence[StreamCall] = STREAMS,
    forward: ASGIApp | None = None,
    idle_s: float = IDLE_S,
) -> "TrackingApp":
    """The application; whoever builds it closes it.

    Args:
        tracking: what is asked.
        calls: the calls that are answered whole.
        streams: the calls that answer in pieces.
        forward: answers what is not of the protocol. Without it, ``/`` is a short page, and nothing else is there.
        idle_s: seconds that a client may pause in the middle of a body.
    """
    return TrackingApp(tracking, CallTable(calls, streams), forward, idle_s)


class TrackingApp:
    """An ASGI application; see :func:`build_app`."""

    def __init__(
        self, tracking: TrackingPlatform, table: CallTable, forward: ASGIApp | None, idle_s: float
    ) -> None:
        self._tracking = tracking
        self._table = table
        self._forward = forward
        self._idle_s = idle_s
        self._room = Room()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reading")
        info = server_info(table)
        self._known: dict[str, tuple[_Header, bytes]] = {
            **{mirror + SERVER_INFO: (_JSON, info) for mirror in MIRRORS},
            **dict.fromkeys(("/health", "/mlflow/health"), (_TEXT, b"OK")),
            **{path: (_TEXT, PROTOCOL_VERSION.encode()) for path in ("/version", "/mlflow/version")},
        }

    def close(self) -> None:
        """Wait for what is being read; what was submitted for writing is the façade's."""
        self._readers.shutdown(wait=True, cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        answer = _Answer(send)
        try:
            await self._serve(scope, receive, answer)
        except ClientGone:
            return
        except Exception as error:
            if answer.begun:
                raise  # the rest cannot be sent: the server cuts the connection, so that nobody takes it for whole
            await answer.refuse(_as_refusal(scope, error))

    async def _serve(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        method, path = scope["method"], scope["path"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refused = refusal(method, headers.get("host", ""), headers.get("origin"))
        if refused is not None:
            raise Refused(403, "PERMISSION_DENIED", f"{refused.what}: {refused.why}")
        known = self._known.get(path)
        if known is not None and method in ("GET", "HEAD"):
            await answer.send(200, known[0], known[1])
            return
        found = self._table.find(method, path, scope.get("raw_path") or path.encode())
        if isinstance(found, Found):
            await answer.send(200, _JSON, await self._call(found, scope, headers, receive))
        elif isinstance(found, FoundStream):
            await found.stream.serve(self._tracking, found.rest, scope, receive, answer.marked)
        elif self._forward is not None:
            await self._forward(scope, receive, answer.marked)
        elif path == "/" and method in ("GET", "HEAD"):
            await answer.send(200, _HTML, front_page(headers.get("host", "")), *_PAGE_HEADERS)
        else:
            raise Refused(404, "ENDPOINT_NOT_FOUND", f"there is nothing at {path}")

    async def _call(self, found: Found, scope: Scope, headers: dict[str, str], receive: Receive) -> bytes:
        call = found.call
        query = scope["query_string"]
        with self._room.share() as share:
            body = await read_body(receive, headers, call.limit, idle_s=self._idle_s, share=share)
            asked = Asked(path=found.names, query=_query(query) if query else {}, body=body, headers=headers)
            work = partial(_answered, call, self._tracking, asked)
            if call.writes:
                return await asyncio.wrap_future(self._tracking.book.submit(work))
            return await asyncio.get_running_loop().run_in_executor(self._readers, work)


class _Answer:
    """Sends one answer, and knows whether any of it left."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def send(self, status: int, kind: _Header, body: bytes, *headers: _Header) -> None:
        self.begun = True
        length = (b"content-length", str(len(body)).encode())
        start = {
            "type": "http.response.start",
            "status": status,
            "headers": [kind, length, *(headers or (_NOSNIFF,))],
        }
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})

    async def refuse(self, refused: Refused) -> None:
        headers = [_NOSNIFF]
        if refused.allow:
            headers.append((b"allow", ", ".join(refused.allow).encode()))
        if refused.close:
            headers.append((b"connection", b"close"))
        await self.send(refused.status, _JSON, error_body(refused.code, refused.message), *headers)

    async def marked(self, message: Message) -> None:
        """Pass on what another application sends; headers of ours are added where it set none."""
        self.begun = True
        if message["type"] == "http.response.start":
            given = list(message.get("headers", ()))
            names = {name.lower() for name, _ in given}
            given += [each for each in _PAGE_HEADERS if each[0] not in names]
            message = {**message, "headers": given}
        await self._send(message)


def _answered(call: Call, tracking: TrackingPlatform, asked: Asked) -> bytes:
    return encode(call.handler(tracking, asked))


def _query(text: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(
            text.decode("latin-1"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS
        )
    except ValueError as fault:
        raise Refused(400, "INVALID_PARAMETER_VALUE", f"the query cannot be read: {fault}") from fault


def _as_refusal(scope: Scope, error: Exception) -> Refused:
    if isinstance(error, Refused):
        if error.status == 405 and scope["method"] == "OPTIONS":
            return Refused(200, "OK", "the methods are in the header Allow", allow=error.allow)
        return error
    if isinstance(error, MlwrightError):
        return refused_by(error)
    _log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
    return Refused(
        500,
        "INTERNAL_ERROR",
        f"the server failed ({type(error).__name__}); its log says more: {scope['path']}",
    )
