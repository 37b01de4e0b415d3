"""One inference process: a listening socket, uvicorn, and an end that loses nothing."""

import signal
import socket
from collections.abc import Callable
from threading import current_thread, main_thread
from types import FrameType

import uvicorn

from mlwright.doors.http.inference.app import build_app
from mlwright.errors import PortInUse
from mlwright.stages.serving.host import InferenceHost

_KEEP_ALIVE_S = 75
_GRACE_S = 10


def serve(
    host: InferenceHost,
    address: str,
    port: int,
    *,
    ready: Callable[[], None] | None = None,
    siblings: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are answered first, then the journal is closed.

    Args:
        host: what is served.
        address: a numeric address of this machine.
        port: where to listen.
        ready: called once, when the routes were read and requests are taken.
        siblings: other processes of this project listen on the port already (SO_REUSEPORT shares it), so
        that a
            listener is no reason to refuse; the supervisor has called :func:`ensure_free` before the first.

    Raises:
        PortInUse: another program listens on the port.
    """
    if not siblings:
        ensure_free(address, port)
    listener = _listen(address, port)
    config = uvicorn.Config(
        build_app(host),
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config, ready)
    handlers = _quiet_signals()
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def ensure_free(address: str, port: int) -> None:
    """Make sure that nobody listens on the port.

    Raises:
        PortInUse: somebody does. Binding with SO_REUSEPORT alone would not notice one that set it too.
    """
    with socket.socket(_family(address), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise _in_use(address, port, error) from error


class _Server(uvicorn.Server):
    """Says when it takes requests."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self._ready is not None and self.started:
            self._ready()


def _listen(address: str, port: int) -> socket.socket:
    listener = socket.socket(_family(address), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        raise _in_use(address, port, error) from error
    return listener


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _in_use(address: str, port: int, error: OSError) -> PortInUse:
    return PortInUse(
        f"cannot listen on {address}:{port}",
        why=error.strerror or str(error),
        next_command=f"mlwright up --port {port + 1}",
    )


def _quiet_signals() -> dict[int, Callable[[int, FrameType | None], object] | int | None]:
    """Let uvicorn's signals end the server and not, raised again after it, the process.

    uvicorn raises a captured signal once more when it is done; by then the shutdown is complete, and what the
    caller does next (such as leaving its own context managers) shall still happen.
    """
    if current_thread() is not main_thread():
        return {}
    return {number: signal.signal(number, _ignore) for number in (signal.SIGTERM, signal.SIGINT)}


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing; unlike SIG_IGN it is not inherited by child processes."""
