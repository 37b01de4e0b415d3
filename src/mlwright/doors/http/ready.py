"""A server that says when it is ready. It imports uvicorn (60 ms), which the inference process does without."""

import socket
from collections.abc import Callable

import uvicorn


class ReadyServer(uvicorn.Server):
    """Says when it takes requests."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take requests; see ``uvicorn.Server.startup``."""
        await super().startup(sockets=sockets)
        if self._ready is not None and self.started:
            self._ready()
