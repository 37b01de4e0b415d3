"""Bodies that become files: an artifact whole, or one part of it."""

import asyncio
import errno
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread
from typing import BinaryIO, Final, ParamSpec, TypeVar

import msgspec
from starlette.types import Receive, Scope, Send

from mlwright.doors.http.mlflow.bodies import IDLE_S, ClientGone, read_body
from mlwright.doors.http.mlflow.encoding import encode
from mlwright.doors.http.mlflow.errors import Refused
from mlwright.errors import BadRequest, MlwrightError, NotFound, StorageError
from mlwright.platform.tracking.facade import TrackingPlatform

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

_log: Final = logging.getLogger("mlwright.tracking")

_PIECE: Final = 1 << 20
"""Bytes that are collected before they are written."""

_SPARE: Final = 16 << 20
"""Bytes of the disk that an upload leaves free: the database has to go on."""

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READ_ONLY: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})

PART: Final = "/api/2.0/mlflow-artifacts/mpu/part"


def headers_of(scope: Scope) -> dict[str, str]:
    """The request's headers; names in small letters."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def answer(send: Send, value: object, *headers: tuple[bytes, bytes]) -> None:
    """Send a JSON answer."""
    body = encode(value)
    given = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": 200, "headers": given})
    await send({"type": "http.response.body", "body": body})


def clear_uploads(tracking: TrackingPlatform) -> Callable[[], None]:
    """Remove what uploads of a killed server left, in the background; the returned call waits for it."""

    def clear() -> None:
        try:
            tracking.artifacts.uploads.clear()
        except (MlwrightError, OSError):
            _log.exception("leftovers of uploads could not be removed")

    thread = Thread(target=clear, name="clearing", daemon=True)
    thread.start()
    return lambda: thread.join(timeout=5)


async def put_artifact(
    tracking: TrackingPlatform, path: str, scope: Scope, receive: Receive, send: Send
) -> None:
    """Take the body as the file at a path: received whole, stored, and only then put at its path."""
    await asyncio.to_thread(tracking.artifacts.check, path)
    async with received(tracking, scope, receive) as file:
        await _stored(tracking.artifacts.put, path, file, consume=True)
    await answer(send, {})


class _Create(msgspec.Struct):
    path: str
    num_parts: int = 1


class _Part(msgspec.Struct):
    part_number: int
    etag: str = ""


class _Complete(msgspec.Struct):
    path: str
    upload_id: str
    parts: list[_Part]


class _Abort(msgspec.Struct):
    path: str
    upload_id: str


async def serve_parts(
    tracking: TrackingPlatform, rest: str, scope: Scope, receive: Receive, send: Send
) -> None:
    """Uploads in parts: ``create``, ``complete`` and ``abort`` with the folder behind them, and the parts."""
    step, _, folder = rest.partition("/")
    serve = {"create": _create, "complete": _complete, "abort": _abort}.get(step)
    if scope["method"] == "PUT" and step == "part":
        await _put_part(tracking, folder, scope, receive, send)
    elif scope["method"] == "POST" and serve is not None:
        body = await read_body(receive, headers_of(scope), 16 << 20)
        await serve(tracking, folder, scope, body, send)
    else:
        raise Refused(404, "ENDPOINT_NOT_FOUND", f"there is no call {scope['method']} {scope['path']}")


async def _create(tracking: TrackingPlatform, folder: str, scope: Scope, body: bytes, send: Send) -> None:
    asked = _parse(body, _Create)
    begin = tracking.artifacts.uploads.begin
    upload = await asyncio.to_thread(begin, _path(folder, asked.path), asked.num_parts)
    base = f"{_own_address(scope)}{PART}/{upload.id}"
    parts = [
        {"url": f"{base}/{number}", "part_number": number, "headers": {}}
        for number in range(1, upload.parts + 1)
    ]
    await answer(send, {"upload_id": upload.id, "credentials": parts})


async def _complete(tracking: TrackingPlatform, folder: str, scope: Scope, body: bytes, send: Send) -> None:
    asked = _parse(body, _Complete)
    claimed = [(each.part_number, "blake3:" + each.etag.strip('"')) for each in asked.parts]
    path = _path(folder, asked.path)
    await _stored(tracking.artifacts.uploads.complete, asked.upload_id, path, claimed)
    await answer(send, {})


async def _abort(tracking: TrackingPlatform, folder: str, scope: Scope, body: bytes, send: Send) -> None:
    await asyncio.to_thread(tracking.artifacts.uploads.abort, _parse(body, _Abort).upload_id)
    await answer(send, {})


async def _put_part(
    tracking: TrackingPlatform, place: str, scope: Scope, receive: Receive, send: Send
) -> None:
    upload, _, number = place.partition("/")
    if not number.isascii() or not number.isdigit():
        raise NotFound("a part of an upload has a number", where=place)
    async with received(tracking, scope, receive) as file:
        part = await _stored(tracking.artifacts.uploads.put_part, upload, int(number), file)
    tag = f'"{part.digest.removeprefix("blake3:")}"'
    await answer(send, {}, (b"etag", tag.encode()))


@asynccontextmanager
async def received(tracking: TrackingPlatform, scope: Scope, receive: Receive) -> AsyncIterator[Path]:
    """The body as a file, which is gone at the end, whatever happens, unless somebody moved it.

    Raises:
        ClientGone: the client left before the end.
        Refused: there is no room, the folder cannot be written, the body stalls or is not as long as announced.
    """
    headers = headers_of(scope)
    announced = headers.get("content-length")
    if headers.get("content-encoding", "identity") not in ("", "identity"):
        raise Refused(415, "INVALID_PARAMETER_VALUE", "an artifact is sent as it is, not compressed")
    path: Path | None = None
    try:
        try:
            path = tracking.artifacts.uploads.receive()
            free = tracking.artifacts.uploads.free()
            if announced is not None and announced.isdigit() and int(announced) + _SPARE > free:
                raise OSError(errno.ENOSPC, f"{announced} bytes are announced, and {free} are free")
            with path.open("xb") as file:
                size = await _write_body(receive, file)
        except OSError as fault:
            raise no_room(fault) from fault
        if announced is not None and announced != str(size):
            raise BadRequest(f"{size} bytes arrived of the {announced} announced", where="body")
        yield path
    finally:
        if path is not None:
            path.unlink(missing_ok=True)


def no_room(fault: OSError) -> Refused:
    """The answer to whoever sends more than can be kept. Clients do not try 507 again, as they do 503, for minutes."""
    if fault.errno in _NO_ROOM:
        text = "the disk of the server is full; nothing was stored"
    elif fault.errno in _READ_ONLY:
        text = "the server cannot write to its folder; nothing was stored"
    else:
        return Refused(500, "INTERNAL_ERROR", f"the upload could not be kept: {fault.strerror or fault}")
    return Refused(507, "RESOURCE_EXHAUSTED", f"{text} ({fault.strerror})\n  next: mlwright doctor")


async def _write_body(receive: Receive, file: BinaryIO) -> int:
    parts: list[bytes] = []
    waiting = size = 0
    more = True
    while more:
        try:
            async with asyncio.timeout(IDLE_S):
                message = await receive()
        except TimeoutError:
            text = f"the rest of the body did not come within {IDLE_S:.0f} s"
            raise Refused(408, "DEADLINE_EXCEEDED", text, close=True) from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        more = message.get("more_body", False)
        parts.append(part)
        waiting += len(part)
        if waiting >= _PIECE or not more:
            await asyncio.to_thread(file.writelines, parts)
            size += waiting
            parts, waiting = [], 0
    return size


async def _stored(call: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Have something stored on another thread; a full disk becomes its own answer."""
    try:
        return await asyncio.to_thread(call, *given, **named)
    except OSError as fault:
        raise no_room(fault) from fault
    except StorageError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in _NO_ROOM | _READ_ONLY:
            raise no_room(error.__cause__) from error
        raise


def _parse(body: bytes, kind: type[S]) -> S:
    try:
        return msgspec.json.decode(body or b"{}", type=kind, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise BadRequest(str(fault), where="body") from fault


def _path(folder: str, local_file: str) -> str:
    """Where the file goes; the client names it by its path on its own machine, whatever that is."""
    name = re.split(r"[\\/]", local_file.rstrip("/\\"))[-1]
    if not name:
        raise BadRequest("the file has no name", where="path")
    return f"{folder.rstrip('/')}/{name}" if folder else name


def _own_address(scope: Scope) -> str:
    """The address under which the client reached this server."""
    headers = headers_of(scope)
    scheme = headers.get("x-forwarded-proto", str(scope.get("scheme", "http"))).partition(",")[0].strip()
    host = headers.get("x-forwarded-host", headers.get("host", "")).partition(",")[0].strip()
    prefix = headers.get("x-forwarded-prefix", "").rstrip("/")
    return f"{'https' if scheme == 'https' else 'http'}://{host}{prefix}"
