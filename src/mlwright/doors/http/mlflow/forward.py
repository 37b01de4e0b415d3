"""Passing a request on to the control process, in pieces, over a Unix socket or a loopback port."""

import asyncio
from contextlib import suppress
from typing import Final

import httptools
from starlette.types import Receive, Scope, Send

from mlwright.doors.http.mlflow.errors import Refused

_PIECE: Final = 1 << 16
_OF_ONE_CONNECTION: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade", b"expect"}
)
_ANSWERED_ANEW: Final = _OF_ONE_CONNECTION | {b"transfer-encoding", b"date"}


class Forward:
    """An ASGI application that asks another server.

    Args:
        address: ``unix:/path/of/socket`` or ``host:port``.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on one request and its answer.

        Raises:
            Refused: nobody answers there.
        """
        try:
            reader, writer = await self._connect()
        except OSError as fault:
            text = f"the process that serves {scope['path']} does not answer: {fault.strerror or fault}"
            raise Refused(503, "TEMPORARILY_UNAVAILABLE", text) from fault
        asking = asyncio.ensure_future(_ask(scope, receive, writer))
        try:
            await _relay(scope, reader, send)
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await asking
            writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        path = self._address.removeprefix("unix:")
        if path != self._address:
            return await asyncio.open_unix_connection(path)
        host, _, port = self._address.rpartition(":")
        return await asyncio.open_connection(host, int(port))


async def _ask(scope: Scope, receive: Receive, writer: asyncio.StreamWriter) -> None:
    """Send the request; then wait, and hang up when the client does."""
    target: bytes = scope["raw_path"]
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    headers = [each for each in scope["headers"] if each[0] not in _OF_ONE_CONNECTION]
    chunked = any(name == b"transfer-encoding" for name, _ in headers)
    lines = [scope["method"].encode() + b" " + target + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in headers]
    writer.write(b"\r\n".join((*lines, b"connection: close", b"", b"")))
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            writer.transport.abort()
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if chunked:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"" if more else b"0\r\n\r\n")
        if body:
            writer.write(body)
        await writer.drain()
    while (await receive())["type"] != "http.disconnect":
        pass
    writer.transport.abort()


class _Answer:
    """What the parser found so far."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.has_head = False
        self.is_complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, body: bytes) -> None:
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        self.is_complete = True


async def _relay(scope: Scope, reader: asyncio.StreamReader, send: Send) -> None:
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    begun = False
    while not answer.is_complete:
        data = await reader.read(_PIECE)
        if not data:
            _refuse_cut(scope, answer)
            break
        parser.feed_data(data)
        if answer.has_head and not begun:
            begun = True
            kept = [each for each in answer.headers if each[0] not in _ANSWERED_ANEW]
            await send({"type": "http.response.start", "status": parser.get_status_code(), "headers": kept})
            if scope["method"] == "HEAD":
                break  # the length is that of the body which a GET would have
        if answer.pieces:
            body = b"".join(answer.pieces)
            answer.pieces.clear()
            await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _refuse_cut(scope: Scope, answer: _Answer) -> None:
    """An answer without a length ends with its connection; any other that ends so is cut off."""
    measured = {name for name, _ in answer.headers} & {b"content-length", b"transfer-encoding"}
    if not answer.has_head or measured:
        text = f"the process that serves {scope['path']} ended in the middle of its answer"
        raise Refused(502, "TEMPORARILY_UNAVAILABLE", text)
