"""Serving in this very process."""

from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from typing import Final

from mlwright.doors.http.inference.server import serve
from mlwright.doors.http.metering import measured_by_inference
from mlwright.doors.up.served import require_served
from mlwright.model.settings import Settings
from mlwright.wiring.inference import open_following, open_inference, open_metering

_FOLLOW_S: Final = 0.5
_LAST_WORDS_S: Final = 3.0


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
    metering = open_metering()
    if metering is not None:
        metering.start(lambda: measured_by_inference(settings.state))
    try:
        serve(host, address, port, ready=ready)
    finally:
        ending.set()
        thread.join()
        if metering is not None:
            metering.close(_LAST_WORDS_S)
