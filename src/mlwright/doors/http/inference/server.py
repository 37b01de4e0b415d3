"""One inference process: a listening socket, uvicorn, and an end that loses nothing."""

from collections.abc import Callable

import uvicorn

from mlwright.doors.http.inference.app import build_app
from mlwright.doors.http.listening import ReadyServer, bind, ensure_free, quiet_signals
from mlwright.stages.serving.host import InferenceHost

__all__ = ["ensure_free", "serve"]

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
            that a listener is no reason to refuse; the supervisor has called :func:`ensure_free` before
            the first.

    Raises:
        PortInUse: another program listens on the port.
    """
    if not siblings:
        ensure_free(address, port)
    listener = bind(address, port, shared=True)
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
    with quiet_signals():
        try:
            ReadyServer(config, ready).run(sockets=[listener])
        finally:
            listener.close()
