"""Listening sockets, the event loop, and a server's end that leaves what comes after it to its caller."""

import signal
import socket
from asyncio import AbstractEventLoop, new_event_loop
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, current_thread, main_thread
from types import FrameType

from mlwright.errors import PortInUse


def bind(address: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket of that port; what is written to it leaves without waiting for more (TCP_NODELAY).

    Nobody can connect before ``listen`` is called, which the server does when it is ready.

    Args:
        address: a numeric address of this machine.
        port: 0 for any that is free.
        shared: other processes listen on the port as well (SO_REUSEPORT).

    Raises:
        PortInUse: another program listens there.
    """
    listener = socket.socket(_family(address), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        raise _in_use(address, port, error) from error
    return listener


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


def next_free(address: str, port: int) -> int:
    """A port near by that is free now."""
    for candidate in range(port + 1, min(port + 50, 65_536)):
        with suppress(PortInUse):
            ensure_free(address, candidate)
            return candidate
    return 8500


def address_of(host: str, port: int) -> str:
    """The URL of a server."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def quiet_signals() -> Iterator[Event]:
    """Let a signal end the server and not, raised again or come again after it, the process.

    uvicorn raises a captured signal once more when it is done, and an event loop that closes gives signals back their
    defaults; by then the shutdown is complete, and what the caller does next (such as leaving its own context
    managers) shall still happen.

    Yields:
        What is set when a signal comes before the server listens to them itself: it shall end then.
    """
    heard = Event()
    if current_thread() is not main_thread():
        yield heard
        return

    def note(number: int, frame: FrameType | None) -> None:
        heard.set()  # unlike SIG_IGN, a handler is not inherited by child processes

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def loop_factory() -> Callable[[], AbstractEventLoop]:
    """uvloop's where there is one: an empty gRPC call takes a sixth less of the processor on it."""
    try:
        import uvloop  # 20 ms, and there is none for every platform
    except ImportError:
        return new_event_loop
    return uvloop.new_event_loop


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _in_use(address: str, port: int, error: OSError) -> PortInUse:
    return PortInUse(
        f"cannot listen on {address}:{port}",
        why=error.strerror or str(error),
        next_command=f"mlwright up --port {port + 1}",
    )
