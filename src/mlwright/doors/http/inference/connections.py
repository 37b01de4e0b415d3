"""All connections of one process: how many there may be, how long each is waited for, and how they end."""

import asyncio
from collections.abc import Callable, Container
from dataclasses import dataclass
from time import monotonic
from typing import Final

from mlwright.doors.http.guarding import refusal
from mlwright.doors.http.inference.exchange import Response
from mlwright.doors.http.inference.protocol import Connection
from mlwright.doors.http.inference.rendering import Complaints, refused
from mlwright.doors.http.inference.routing import Target

_SLOTS: Final = 4
_SWEEP_S: Final = 0.25
_CROWDED: Final = 0.9
_CROWDED_IDLE_S: Final = 5.0
_QUIET_S: Final = 1.0
_MOST_HOSTS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a client may send, and how long it may take. Bodies are bounded by who answers: ``Target.body_bytes``.

    ``pipelined`` is how many requests of a connection may be unanswered before it is not read from; ``body_rate`` the
    bytes a second that a body has to bring after ``body_s``. When nine tenths of ``connections`` are open, those that
    ask nothing are kept for 5 seconds and no longer. ``unfinished_bytes`` bounds what all connections together hold of
    bodies that are not whole.
    """

    head_bytes: int = 16 << 10
    headers: int = 100
    url_bytes: int = 8 << 10
    head_s: float = 10.0
    body_s: float = 30.0
    body_rate: float = 16384.0
    idle_s: float = 75.0
    pipelined: int = 32
    connections: int = 10_000
    unfinished_bytes: int = 512 << 20


class Connections:
    """What the connections of a process share. One sweep looks after all of them, a quarter at a time.

    Args:
        find: who answers a method and a path.
        names: what else than a loopback name may stand in a Host header, in lower case; None: anything may.
        limits: of each connection.
        complaints: where unexpected errors are said.
    """

    def __init__(
        self,
        find: Callable[[str, str], Target],
        *,
        names: Container[str] | None = (),
        limits: Limits | None = None,
        complaints: Complaints | None = None,
    ) -> None:
        self.find = find
        self.limits = limits or Limits()
        self.draining = False
        self.unfinished = 0
        """Bytes of bodies that are not whole."""
        self.complaints = complaints or Complaints()
        self._names = names
        self._slots: tuple[set[Connection], ...] = tuple(set() for _ in range(_SLOTS))
        self._turn = 0
        self._count = 0
        self._hosts: set[str] = set()

    def __len__(self) -> int:
        return self._count

    def connect(self) -> Connection:
        """A protocol for a connection that was accepted."""
        return Connection(self)

    def enter(self, connection: Connection) -> bool:
        """Keep a new connection; False where there are too many, and it is closed after that was said."""
        self._turn = (self._turn + 1) % _SLOTS
        connection.slot = self._turn
        self._slots[self._turn].add(connection)
        self._count += 1
        return self._count <= self.limits.connections

    def leave(self, connection: Connection) -> None:
        """Forget a connection that was closed."""
        slot = self._slots[connection.slot]
        if connection in slot:
            slot.remove(connection)
            self._count -= 1

    def judge(self, method: str, host: str, origin: str | None) -> Response | None:
        """Refuse pages of other sites, which reach this server through their reader's browser."""
        if self._names is None or (origin is None and host in self._hosts):
            return None
        no = refusal(method, host, origin, self._names)
        if no is not None:
            return refused(403, f"{no.what}; {no.why}")
        if origin is None and len(self._hosts) < _MOST_HOSTS:
            self._hosts.add(host)
        return None

    async def sweep(self) -> None:
        """Look at a quarter of the connections every quarter of a second, until cancelled."""
        expected = monotonic() + _SWEEP_S
        slot = 0
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = monotonic()
            # After the loop was busy itself, what clients sent meanwhile is still unread: they were not slow.
            if now - expected < 2 * _SWEEP_S:
                slot = (slot + 1) % _SLOTS
                self.check(now, slot)
            expected = now + _SWEEP_S

    def check(self, now: float, slot: int) -> None:
        """Close what has been waited for too long in one quarter of the connections."""
        crowded = self._count > self.limits.connections * _CROWDED
        idle_s = min(self.limits.idle_s, _CROWDED_IDLE_S) if crowded else self.limits.idle_s
        for connection in list(self._slots[slot]):
            connection.check(now, idle_s)

    async def drain(self, grace_s: float) -> None:
        """Let every client get its answer and be told that the connection ends; close what is left in the end.

        A connection on which nothing was asked for a second is closed at once, others when a second has passed
        without a question.
        """
        self.draining = True
        began = monotonic()
        self._wind_down(_QUIET_S)
        while self._count and (now := monotonic()) - began < grace_s:
            await asyncio.sleep(0.01)
            if now - began > _QUIET_S:
                self._wind_down(0.0)
        for slot in self._slots:
            for connection in list(slot):
                connection.abort()
        await asyncio.sleep(0)

    def _wind_down(self, quiet_s: float) -> None:
        now = monotonic()
        for slot in self._slots:
            for connection in list(slot):
                connection.wind_down(now, quiet_s)
