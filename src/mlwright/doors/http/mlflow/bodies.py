"""Reading a request's body without ever holding more than its call allows."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from starlette.types import Receive

from mlwright.doors.http.mlflow.errors import Refused

IDLE_S: Final = 60.0
"""How long a client may pause in the middle of a body."""
_DRAIN_S: Final = 20.0
"""How long the rest of a body that is too large is read and thrown away, so that its sender sees the answer."""


_SMALL: Final = 1 << 20
"""Bytes of a body that are not counted: ordinary requests are never refused for the large ones of others."""


class Room:
    """How many bytes of large bodies the process holds at once, whoever sends them."""

    def __init__(self, size: int = 512 << 20) -> None:
        self._left = size

    @contextmanager
    def share(self) -> Iterator["Share"]:
        """What one request takes; given back at its end."""
        share = Share(self)
        try:
            yield share
        finally:
            share.release()

    def take(self, size: int) -> bool:
        """Take some of it, or give some back; False where there is not as much."""
        if size > self._left:
            return False
        self._left -= size
        return True


class Share:
    """What one request holds of a :class:`Room`."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.taken = 0

    def grow(self, size: int) -> bool:
        """Have room for a body that has so many bytes by now; whether there is."""
        more = size - _SMALL - self.taken
        if more > 0 and not self._room.take(more):
            return False
        self.taken += max(0, more)
        return True

    def release(self) -> None:
        """Give everything back."""
        self._room.take(-self.taken)
        self.taken = 0


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


async def read_body(
    receive: Receive,
    headers: Mapping[str, str],
    limit: int,
    *,
    idle_s: float = IDLE_S,
    share: Share | None = None,
) -> bytes:
    """The whole body.

    Raises:
        Refused: it is larger than ``limit`` bytes, is compressed, pauses for longer than ``idle_s`` seconds, or there
            is no room for it in ``share``.
        ClientGone: the client left; there is nobody to answer.
    """
    announced = headers.get("content-length")
    if announced is None and "transfer-encoding" not in headers:
        return b""
    if announced is not None and announced.isdigit() and int(announced) > limit:
        raise await _too_large(receive, headers, limit)
    if headers.get("content-encoding", "identity") not in ("", "identity"):
        await _drain(receive, headers)
        raise Refused(
            415, "INVALID_PARAMETER_VALUE", "the body of this call cannot be compressed", close=True
        )
    loop = asyncio.get_running_loop()
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(idle_s) as patience:
            while True:
                part, more = await _next(receive)
                size += len(part)
                if size > limit or (share is not None and not share.grow(size)):
                    parts.clear()
                    if share is not None:
                        share.release()  # while the rest is read and forgotten, others have the room
                    break
                if not more:
                    return b"".join((*parts, part)) if parts else part
                parts.append(part)
                patience.reschedule(loop.time() + idle_s)
    except TimeoutError:
        text = f"the rest of the body did not come within {idle_s:.0f} s"
        raise Refused(408, "DEADLINE_EXCEEDED", text, close=True) from None
    if size > limit:
        raise await _too_large(receive, headers, limit, more=more)
    if more:
        await _drain(receive, headers)
    text = "the server holds as many large bodies as it can; try again in a while"
    raise Refused(503, "TEMPORARILY_UNAVAILABLE", text, close=True)


async def _too_large(
    receive: Receive, headers: Mapping[str, str], limit: int, *, more: bool = True
) -> Refused:
    """The refusal, once the rest of the body is out of the way."""
    if more:
        await _drain(receive, headers)
    text = f"the body is larger than {limit} bytes, which is what this call takes"
    # Without the close, what could not be drained would be taken for the next request.
    return Refused(413, "INVALID_PARAMETER_VALUE", text, close=True)


async def _drain(receive: Receive, headers: Mapping[str, str]) -> None:
    """Read and forget what still comes.

    Closing a connection on which unread bytes arrive resets it, and takes the answer along. Whoever waits for leave
    to send (``Expect: 100-continue``) has sent nothing yet, and the first receive would give it.
    """
    if headers.get("expect", "").lower() == "100-continue":
        return
    try:
        async with asyncio.timeout(_DRAIN_S):
            while (await _next(receive))[1]:
                pass
    except TimeoutError:
        return


async def _next(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)
