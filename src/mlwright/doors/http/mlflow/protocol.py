"""HTTP/1.1 for small answers: head and body leave in one write.

Two small writes on a connection that is kept open can wait for each other: the second for the acknowledgement of the
first, and the acknowledgement, on the other side, for something to travel with (40 ms). So what one step of the event
loop writes is handed over together, and TCP_NODELAY is set, whatever event loop runs.
"""

import asyncio
import logging
import socket
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

MAX_HEAD: Final = 1 << 20
"""Bytes of a request's head, at most: a query may name many runs."""
HEAD_S: Final = 60.0
"""Seconds from its first byte that a request's head may take, and a new connection to begin with one."""
_JOINED: Final = 1 << 16
"""Longer texts leave at once, and uncopied."""

_log: Final = logging.getLogger("mlwright.tracking")

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)
_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class OneWrite(asyncio.Transport):
    """A transport that joins what is written to it within one step of the event loop."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hold the data until the step ends; long data leaves now, after what is held."""
        if not data:
            return
        if len(data) > _JOINED:
            self._transport.writelines([*self._take(), data])
            return
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(bytes(data))

    def flush(self) -> None:
        """Hand over what is held."""
        held = self._take()
        if held:
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))

    def close(self) -> None:
        """Hand over what is held, and close when it has left."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """See ``asyncio.BaseTransport.is_closing``."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """See ``asyncio.BaseTransport.get_extra_info``."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """See ``asyncio.ReadTransport.pause_reading``."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """See ``asyncio.ReadTransport.resume_reading``."""
        self._transport.resume_reading()

    def _take(self) -> list[bytes]:
        held, self._held = self._held, []
        return held


class OneWriteProtocol(HttpToolsProtocol):
    """uvicorn's protocol over :class:`OneWrite`, with limits for the head of a request: its length and its time.

    uvicorn waits for ever for the rest of a head; whoever sends halves of heads would take all connections.
    """

    head_s = HEAD_S

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._head = 0
        """Bytes since the end of the last request; -1 within a body."""
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; see ``asyncio.Protocol.connection_made``."""
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(OneWrite(transport, self.loop))
        self._be_patient()

    def connection_lost(self, exc: Exception | None) -> None:
        """End; see ``asyncio.Protocol.connection_lost``."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; the parser below would collect a head of any length."""
        if self._head >= 0:
            self._head += len(data)
        super().data_received(data)
        if self._head > MAX_HEAD and not self.transport.is_closing():
            _log.warning("a request's head is larger than %d bytes", MAX_HEAD)
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif self._head > 0 and self._patience is None:
            self._be_patient()

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._head = -1
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expect the next request."""
        self._head = 0
        super().on_message_complete()

    def _be_patient(self) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(self.head_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if not self.transport.is_closing():
            if self._head > 0:
                self.transport.write(_TOO_SLOW)
            self.transport.close()
