"""Serving in this very process, and whether a process has what it was started for."""

from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from typing import Final

from mlwright.doors.http.inference.server import serve
from mlwright.errors import ModelLoadFailed
from mlwright.model.settings import Settings
from mlwright.stages.serving.host import InferenceHost
from mlwright.wiring.inference import open_following, open_inference

_FOLLOW_S: Final = 0.5


def serve_alone(settings: Settings, address: str, port: int, ready: Callable[[], None]) -> None:
    """Serve the endpoints in this process until SIGTERM or SIGINT, and follow their aliases.

    Raises:
        PortInUse: another program listens on the port.
        ModelLoadFailed: an endpoint cannot be served.
    """
    host = open_inference(settings)
    require_served(host)
    ending = Event()
    following = open_following(settings)

    def follow() -> None:
        while not ending.wait(_FOLLOW_S):
            with suppress(
                Exception
            ):  # whatever it is, the next look may succeed; requests are served meanwhile
                following.follow(settings.endpoints)

    thread = Thread(target=follow, name="aliases", daemon=True)
    thread.start()
    try:
        serve(host, address, port, ready=ready)
    finally:
        ending.set()
        thread.join()


def require_served(host: InferenceHost) -> None:
    """Read the routes, load every model, and refuse to go on where one of them cannot be served.

    Raises:
        ModelLoadFailed: as :meth:`InferenceHost.status` words it.
        MlwrightError: the routes could not be read.
    """
    host.refresh()
    for name in host.cores:
        status = host.status(name)
        if not status.serving:
            host.close()
            raise ModelLoadFailed(
                f"endpoint {name!r} cannot be served", why=status.reason, next_command=status.next_command
            )
