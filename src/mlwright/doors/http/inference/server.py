"""One inference process: a listening socket, an event loop, and an end that loses nothing."""

import asyncio
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, current_thread, main_thread
from typing import Final

from mlwright.doors.http.inference.app import InferenceApp
from mlwright.doors.http.inference.connections import Connections, Limits
from mlwright.doors.http.listening import bind, ensure_free, loop_factory, quiet_signals
from mlwright.errors import MlwrightError
from mlwright.stages.serving.host import POLL_S, InferenceHost, follow

__all__ = ["ensure_free", "serve"]

GRACE_S: Final = 10.0
_BACKLOG: Final = 2048
_OTHER_FILES: Final = 512
_LOOPBACK: Final = ("127.", "::1")


def serve(
    host: InferenceHost,
    address: str,
    port: int,
    *,
    ready: Callable[[], None] | None = None,
    siblings: bool = False,
    stop: Event | None = None,
    limits: Limits | None = None,
    poll_s: float = POLL_S,
    listener: socket.socket | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are answered first, then the journal is closed.

    Nobody can connect before the routes were read and their models are loaded and warm.

    Args:
        host: what is served.
        address: a numeric address of this machine.
        port: where to listen.
        ready: called once, when the routes were read and requests are taken.
        siblings: other processes of this project listen on the port already (SO_REUSEPORT shares it), so
            that a listener is no reason to refuse; the supervisor has called :func:`ensure_free` before
            the first.
        stop: ends the server as SIGTERM does, where it does not run on the main thread.
        limits: what clients may send and how slowly.
        poll_s: how often to look for new routes, in seconds.
        listener: a socket that listens already, which others may share; it is closed here. Without one, one is made.

    Raises:
        PortInUse: another program listens on the port.
    """
    if listener is None:
        if not siblings:
            ensure_free(address, port)
        listener = bind(address, port, shared=True)
    with quiet_signals() as heard:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(
                    _serving(host, listener, address, ready, (stop, heard), limits or Limits(), poll_s)
                )
        finally:
            listener.close()


async def _serving(
    host: InferenceHost,
    listener: socket.socket,
    address: str,
    ready: Callable[[], None] | None,
    told: tuple[Event | None, Event],
    limits: Limits,
    poll_s: float,
) -> None:
    loop = asyncio.get_running_loop()
    try:
        with _told_to_end(loop, *told) as ending:
            with suppress(MlwrightError):  # the poll tries again; /v2/health/ready says so until then
                await asyncio.to_thread(host.refresh)
            app = InferenceApp(host)
            names = () if address.startswith(_LOOPBACK) else None
            connections = Connections(app.find, names=names, limits=limits, complaints=app.complaints)
            _allow_files(limits.connections)
            server = await loop.create_server(connections.connect, sock=listener, backlog=_BACKLOG)
            background = [loop.create_task(follow(host, poll_s)), loop.create_task(connections.sweep())]
            try:
                if ready is not None and not ending.is_set():
                    ready()
                await ending.wait()
            finally:
                await end_listening(server, listener, connections)
                await connections.drain(GRACE_S)
                await app.drain()
                for task in background:
                    task.cancel()
                await asyncio.gather(*background, return_exceptions=True)
    finally:
        host.close()


async def end_listening(server: asyncio.Server, listener: socket.socket, connections: Connections) -> None:
    """Take what the kernel accepted for us already, which closing would reset, and leave the rest to siblings."""
    waiting: list[socket.socket] = []
    listener.setblocking(False)
    with suppress(OSError):
        while True:
            waiting.append(listener.accept()[0])
    server.close()
    listener.close()
    loop = asyncio.get_running_loop()
    for each in waiting:
        try:
            await loop.connect_accepted_socket(connections.connect, each)
        except OSError:
            each.close()


@contextmanager
def _told_to_end(
    loop: asyncio.AbstractEventLoop, stop: Event | None, heard: Event
) -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set, or ``stop`` where this is not the main thread.

    ``heard`` says whether a signal came before there was a loop to take it.
    """
    ending = asyncio.Event()
    if current_thread() is main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ending.set)
    if heard.is_set():
        ending.set()
    watching = None if stop is None else loop.create_task(_until(stop, ending))
    try:
        yield ending
    finally:
        if watching is not None:
            watching.cancel()


async def _until(stop: Event, ending: asyncio.Event) -> None:
    while not stop.is_set():
        await asyncio.sleep(0.01)
    ending.set()


def _allow_files(connections: int) -> None:
    """As many open files as connections are allowed, where the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
