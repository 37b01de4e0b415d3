"""HTTP/1.1 on one connection: requests to handlers, and responses to bytes in the order of the requests.

Standards: RFC 9110 and RFC 9112, parsed by llhttp (``httptools``), which refuses what is ambiguous about where a
message ends. There is no framework between it and the handlers: one request costs a parse, a lookup, and one write.
An upgrade that a client offers (Java's offers HTTP/2) is not taken, and its request is answered as it is.
"""

import asyncio
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Final, cast

from mlwright.doors.http.inference.exchange import Request, Response
from mlwright.doors.http.inference.incoming import BODY, DEAF, HEAD, IDLE, SLICE, Incoming
from mlwright.doors.http.inference.rendering import fault, refused, rendered, status_of
from mlwright.errors import MlwrightError

if TYPE_CHECKING:
    from mlwright.doors.http.inference.connections import Connections
    from mlwright.doors.http.inference.routing import Target

_GONE_S: Final = 2.0
_MOST_REFUSED: Final = 256
"""Connections beyond the bound that are kept for a moment so that their refusal arrives."""
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Turn:
    """One request's place in the order of answers; calling it is its ``Reply``."""

    __slots__ = ("_connection", "answer", "head_only", "keep", "told")

    def __init__(self, connection: "Connection", keep: bool, head_only: bool, told: bool) -> None:
        self._connection: Connection | None = connection
        self.keep = keep
        self.head_only = head_only
        self.told = told
        self.answer: Response | None = None

    def __call__(self, response: Response) -> None:
        """Send the response once those before it were sent; a second one is ignored."""
        connection = self._connection
        if connection is not None:
            self._connection = None
            self.answer = response
            if connection.turns[0] is self:
                connection.send()


class Connection(asyncio.Protocol):
    """What is known of one client's connection. Everything happens on the event loop's thread."""

    __slots__ = (
        "_continue", "_feeding", "_held", "_house", "_paused", "_stalled", "_stuck", "_transport", "client",
        "incoming", "slot", "turns",
    )  # fmt: skip

    _transport: asyncio.Transport

    def __init__(self, house: "Connections") -> None:
        self._house = house
        self.incoming = Incoming(self, house)
        self.turns: deque[Turn] = deque()
        self.slot = 0
        self.client = ""
        self._held: memoryview | None = None  # came, and is not parsed because too much is unanswered
        self._paused = self._stalled = self._feeding = self._continue = False
        self._stuck = 0

    # ------------------------------------------------------------------ what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.client = peer[0] if isinstance(peer, tuple) else ""
        if not self._house.enter(self):
            self._transport.write(
                rendered(
                    refused(503, "too many connections are open", (("retry-after", "1"),)),
                    connection=b"close",
                )
            )
            if len(self._house) <= self._house.limits.connections + _MOST_REFUSED:
                self._close_later()
            else:
                self.incoming.stop()
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``. What is still being computed for it goes nowhere."""
        self.incoming.forget()
        for turn in self.turns:
            turn._connection = None
        self.turns.clear()
        self._held = None
        self._house.leave(self)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        if self.incoming.phase == DEAF:
            return
        if self._held is not None:
            self._held = memoryview(bytes(self._held) + data)
        elif len(data) <= SLICE:
            self._feed(data)
            if len(self.turns) >= self._house.limits.pipelined:
                self._govern()
        else:
            self._held = memoryview(data)
            self._pump()

    def eof_received(self) -> bool:
        """See ``asyncio.Protocol``. A client that only stopped sending still gets its answers."""
        if not self.turns:
            return False
        if self.incoming.phase != DEAF:
            self.incoming.stop()
            self.turns[-1].keep = False
        return True

    def pause_writing(self) -> None:
        """See ``asyncio.Protocol``. A client that does not read its answers may not ask for more."""
        self._stalled = True
        self._stuck = 0
        self._govern()

    def resume_writing(self) -> None:
        """See ``asyncio.Protocol``."""
        self._stalled = False
        self._pump()

    # ------------------------------------------------------------------ what comes in

    def asked(self, request: Request, target: "Target", keep: bool, told: bool) -> None:
        """A request is whole: hand it to its handler."""
        turn = Turn(self, keep, request.method == "HEAD", told)
        self.turns.append(turn)
        try:
            target.handler(request, turn)
        except MlwrightError as error:
            turn(fault(error, status_of(error)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            turn(self._house.complaints.answer(error, f"{request.method} {request.path}"))

    def go_on(self) -> None:
        """Tell a client that waits for it to send its body, once what it asked before is answered."""
        if self.turns:
            self._continue = True
        else:
            self._transport.write(_CONTINUE)

    # ------------------------------------------------------------------ answers

    def send(self) -> None:
        """Write the answers whose turn it is."""
        turns, transport = self.turns, self._transport
        while turns and (answer := turns[0].answer) is not None:
            turn = turns.popleft()
            last = not turns and self._held is None
            keep = turn.keep and not (last and self._house.draining)
            telling = b"close" if not keep else b"keep-alive" if turn.told else b""
            try:
                content = rendered(answer, connection=telling, head_only=turn.head_only)
            except Exception as error:  # noqa: BLE001 - a handler that answers nonsense
                content = rendered(self._house.complaints.answer(error, "an answer"), connection=telling)
            transport.write(content)
            if not keep:
                self._close_later()
                return
        if not turns:
            if self.incoming.phase == IDLE:
                self.incoming.since = monotonic()
            if self._continue:
                self._continue = False
                transport.write(_CONTINUE)
        if self._paused and not self._stalled:
            self._pump()

    def check(self, now: float, idle_s: float) -> None:
        """Close the connection if it has been waited for too long."""
        limits, coming = self._house.limits, self.incoming
        age, phase = now - coming.since, coming.phase
        if self._stalled:
            waiting = self._transport.get_write_buffer_size()
            if waiting != self._stuck:
                self._stuck = waiting
                coming.since = now
            elif age > limits.body_s:
                self._transport.abort()
        elif phase == IDLE:
            if age > idle_s and not self.turns:
                self._transport.close()
        elif self._paused:
            coming.since = now  # it is not the client who is slow
        elif phase == HEAD:
            if age > limits.head_s:
                self._refuse(refused(408, f"the head did not come within {limits.head_s:g} seconds"))
        elif phase == BODY:
            if age > limits.body_s + coming.size / limits.body_rate:
                self._refuse(refused(408, "the body came too slowly"))
        elif not self.turns and age > _GONE_S:
            self._transport.abort()

    def wind_down(self, now: float, quiet_s: float) -> None:
        """Close the connection if nothing is asked on it and nothing was for so long, in seconds."""
        coming = self.incoming
        if coming.phase == IDLE and not self.turns and now - coming.since >= quiet_s:
            self._transport.close()

    def abort(self) -> None:
        """Close it now, whatever is unanswered."""
        self._transport.abort()

    # ------------------------------------------------------------------ inner parts

    def _feed(self, data: bytes | memoryview) -> None:
        no = self.incoming.feed(data)
        if no is not None:
            self._refuse(no)

    def _pump(self) -> None:
        """Parse what came as long as not too much is unanswered, then read on or wait."""
        if self._feeding:
            return
        self._feeding = True
        most = self._house.limits.pipelined
        while (held := self._held) is not None and not self._stalled and len(self.turns) < most:
            if self.incoming.phase == DEAF:
                self._held = None
                break
            step = self.incoming.step()
            self._held = held[step:] if step < len(held) else None
            self._feed(held[:step])
        self._feeding = False
        self._govern()

    def _govern(self) -> None:
        full = self._stalled or self._held is not None or len(self.turns) >= self._house.limits.pipelined
        if full != self._paused and not self._transport.is_closing():
            self._paused = full
            if full:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _refuse(self, response: Response) -> None:
        """Answer after what was asked before, read no more, and close."""
        self.incoming.stop()
        self._held = None
        turn = Turn(self, False, False, False)
        self.turns.append(turn)
        turn(response)

    def _close_later(self) -> None:
        """Close so that the last answer arrives: while the client still sends, closing at once would destroy it."""
        self.incoming.stop()
        for turn in self.turns:
            turn._connection = None
        self.turns.clear()
        self._held = None
        transport = self._transport
        if transport.is_closing():
            return
        if transport.can_write_eof():
            transport.write_eof()
        if self._paused:
            self._paused = False
            transport.resume_reading()
