"""Serving the protocol on a socket until a signal ends it; what was acknowledged is committed by then."""

import gc
import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from mlwright.doors.http.listening import quiet_signals
from mlwright.doors.http.mlflow.app import build_app
from mlwright.doors.http.mlflow.background import BACKGROUND
from mlwright.doors.http.mlflow.protocol import OneWriteProtocol
from mlwright.doors.http.ready import ReadyServer
from mlwright.platform.tracking.facade import TrackingPlatform

_KEEP_ALIVE_S: Final = 75
_GRACE_S: Final = 10


def serve_tracking(
    tracking: TrackingPlatform,
    listener: socket.socket,
    *,
    ready: Callable[[], None] | None = None,
    forward: ASGIApp | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; calls in flight are answered first, then everything is closed.

    Args:
        tracking: what is asked; closed at the end.
        listener: a bound socket; closed at the end.
        ready: called once, when requests are taken.
        forward: answers what is not of the protocol.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    with ExitStack() as ends, quiet_signals():
        ends.callback(listener.close)
        ends.callback(tracking.close)
        for start in BACKGROUND:
            ends.callback(start(tracking))
        app = build_app(tracking, forward=forward)
        ends.callback(app.close)
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http=OneWriteProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_GRACE_S,
        )
        server = ReadyServer(config, ready)
        # What is loaded by now stays; the collector need not look at it again and again.
        gc.freeze()
        gc.enable()
        server.run(sockets=[listener])
