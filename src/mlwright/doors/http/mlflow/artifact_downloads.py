"""Files as answers: whole or in ranges, and never as something that a browser would run.

What a client put is another's text on our address. So every file is an attachment, its type is not guessed at, and it
stands in a sandbox without origin.
"""

import asyncio
import mimetypes
import re
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import format_datetime
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO, Final
from urllib.parse import quote

from starlette.types import Receive, Scope, Send

from mlwright.doors.http.mlflow.artifact_uploads import headers_of
from mlwright.errors import ArtifactCorrupt
from mlwright.model.artifacts import ArtifactFile
from mlwright.platform.tracking.facade import TrackingPlatform

_PIECE: Final = 1 << 20

_TEXTS: Final = frozenset(
    "txt log err cfg conf cnf cf ini properties prop hocon toml yaml yml xml json js py py3 csv tsv md rst ipynb "
    "MLmodel MLproject".split()
)
"""Endings, and names without one, that MLflow's server sends as plain text."""

_RANGE: Final = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")

_SAFE: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox; default-src 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class _Part:
    status: int
    start: int
    length: int


async def send_artifact(
    tracking: TrackingPlatform, path: str, scope: Scope, receive: Receive, send: Send
) -> None:
    """Send the file at a path, or the part of it that is asked for."""
    file = await asyncio.to_thread(tracking.artifacts.find, path)
    asked = headers_of(scope)
    tag = f'"{file.digest.removeprefix("blake3:")}"'
    if _names(asked.get("if-none-match", ""), tag):
        await _send_head(send, 304, [(b"etag", tag.encode()), (b"cache-control", b"no-cache")])
        return
    part = _part(asked, file, tag)
    headers = [*_headers(file, tag), (b"content-length", str(part.length).encode())]
    if part.status != 200:
        last = f"{part.start}-{part.start + part.length - 1}" if part.length else "*"
        headers.append((b"content-range", f"bytes {last}/{file.size}".encode()))
    if scope["method"] == "HEAD" or part.length == 0:
        await _send_head(send, part.status, headers)
        return
    async with _opened(tracking, path) as source:
        await _send_part(source, part, headers, receive, send)


async def _send_part(
    source: BinaryIO, part: _Part, headers: list[Header], receive: Receive, send: Send
) -> None:
    if part.start:
        await asyncio.to_thread(source.seek, part.start)
    left = part.length
    # Read before anything is sent: a small file that is damaged is still an error that can be said.
    piece = await asyncio.to_thread(source.read, min(_PIECE, left))
    await send({"type": "http.response.start", "status": part.status, "headers": headers})
    gone = asyncio.ensure_future(_gone(receive))
    try:
        while piece and not gone.done():
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
            piece = await asyncio.to_thread(source.read, min(_PIECE, left)) if left else b""
    finally:
        gone.cancel()
    if left and not gone.done():
        raise ArtifactCorrupt("the file ended too early")


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@asynccontextmanager
async def _opened(tracking: TrackingPlatform, path: str) -> AsyncIterator[BinaryIO]:
    source = await asyncio.to_thread(partial(tracking.artifacts.open, path))
    try:
        yield source
    finally:
        source.close()


async def _send_head(send: Send, status: int, headers: list[Header]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _headers(file: ArtifactFile, tag: str) -> list[Header]:
    name = PurePosixPath(file.path).name
    return [
        (b"content-type", media_type(name).encode()),
        (b"content-disposition", disposition(name).encode()),
        (b"etag", tag.encode()),
        (b"last-modified", format_datetime(file.modified, usegmt=True).encode()),
        (b"accept-ranges", b"bytes"),
        (b"cache-control", b"no-cache"),
        *_SAFE,
    ]


def media_type(name: str) -> str:
    """The type that MLflow's server gives a file of this name."""
    ending = PurePosixPath(name).suffix.removeprefix(".") or name
    if ending in _TEXTS:
        return "text/plain"
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def disposition(name: str) -> str:
    """An attachment of this name (RFC 6266), in ASCII whatever the name holds."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii") or "download"
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", plain):
        plain = '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if name.isascii():
        return f"attachment; filename={plain}"
    return f"attachment; filename={plain}; filename*=UTF-8''{quote(name, safe='!#$&+-.^_`|~')}"


def _part(asked: dict[str, str], file: ArtifactFile, tag: str) -> _Part:
    """One range of bytes is served; of several, or of a file that changed since, the whole."""
    whole = _Part(200, 0, file.size)
    found = _RANGE.fullmatch(asked.get("range", "").replace(" ", ""))
    condition = asked.get("if-range")
    if found is None or (condition is not None and condition != tag) or not any(found.groups()):
        return whole
    first, last = found.groups()
    start = int(first) if first else max(0, file.size - int(last))
    end = min(int(last), file.size - 1) if first and last else file.size - 1
    if first and last and int(last) < int(first):
        return whole
    if start > end:
        return _Part(416, 0, 0)
    return _Part(206, start, end - start + 1)


def _names(given: str, tag: str) -> bool:
    tags = {each.strip().removeprefix("W/") for each in given.split(",")}
    return tag in tags or tags == {"*"}
