"""A load generator for one process on this machine: each connection sends its next request when it has its answer.

It takes some 20 µs of its own a request, on another core than the server where there is one. So a server that needs
less than that is measured too slow.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, cast

from mlwright.model.profiles import quantile

_PATIENCE_S: Final = 5.0
_WARM: Final = 0.15
"""This share of the time does not count: the batcher still learns how long the model takes."""


@dataclass(slots=True)
class Fired:
    """What came back. ``seconds`` is 0 where nothing did."""

    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    seconds: float = 0.0

    def quantile(self, q: float) -> float:
        """A quantile of the latencies, in seconds."""
        return quantile(sorted(self.latencies), q)


def fire(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Fired:
    """Ask over so many connections for so long."""
    fired = Fired()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_firing(port, requests, connections, seconds, fired))
    return fired


def first_answer(port: int, request: bytes) -> bytes | None:
    """One whole answer; None where nobody listens yet."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S) as connection:
            connection.sendall(request)
            held = b""
            while (missing := _missing(held)) != 0:
                part = connection.recv(max(65536, missing))
                if not part:
                    return held or None
                held += part
            return held
    except OSError:
        return None


class _Client(asyncio.Protocol):
    """One connection. It counts from ``counted`` on, and stops at ``end``."""

    def __init__(
        self, requests: Sequence[bytes], first: int, counted: float, end: float, fired: Fired
    ) -> None:
        self._requests, self._next = requests, first
        self._counted, self._end, self._fired = counted, end, fired
        self._held = b""
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._send()

    def data_received(self, data: bytes) -> None:
        self._held += data
        if _missing(self._held) != 0:
            return
        now = perf_counter()
        if now >= self._counted:
            if self._held.startswith(b"HTTP/1.1 200"):
                self._fired.latencies.append(now - self._sent)
                self._fired.seconds = now - self._counted
            else:
                self._fired.errors += 1
        self._held = b""
        if now >= self._end:
            assert self._transport is not None
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> None:
        assert self._transport is not None
        self._sent = perf_counter()
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += 1


async def _firing(
    port: int, requests: Sequence[bytes], connections: int, seconds: float, fired: Fired
) -> None:
    loop = asyncio.get_running_loop()
    counted = perf_counter() + _WARM * seconds
    end = perf_counter() + seconds
    clients = []
    for first in range(connections):
        _, client = await loop.create_connection(
            lambda first=first: _Client(requests, first, counted, end, fired),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        clients.append(client.done)
    await asyncio.wait(clients, timeout=seconds + _PATIENCE_S)


def _missing(held: bytes) -> int:
    """Bytes that a whole answer still lacks; -1 where that is not known yet."""
    head = held.find(b"\r\n\r\n")
    if head < 0:
        return -1
    at = held[:head].lower().find(b"content-length:")
    if at < 0:
        return 0
    end = held.find(b"\r\n", at)
    return max(0, head + 4 + int(held[at + 15 : end]) - len(held))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # 20 ms, and there is none for every platform
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
