"""The gRPC server of one process, from its first route to its last answer."""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import grpc

from mlwright.doors.grpc.health import health_handler
from mlwright.doors.grpc.servicer import Calls
from mlwright.doors.grpc.tracing import TracedCalls
from mlwright.errors import MlwrightError, PortInUse
from mlwright.stages.serving.batching import Batcher
from mlwright.stages.serving.host import POLL_S, InferenceHost, follow
from mlwright.stages.serving.spans import told

GRACE_S: Final = 10.0
"""How long requests in flight may take once the server is told to end."""

_ENVELOPE: Final = 64 << 10
"""What a message may have beside the bytes of a body: the names of tensors and outputs."""


async def run(host: InferenceHost, address: str, port: int, ready: Callable[[], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; see :func:`mlwright.doors.grpc.server.serve_grpc`."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    try:
        await serve_until(ended, host, address, port, ready)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def serve_until(
    ended: asyncio.Event,
    host: InferenceHost,
    address: str,
    port: int,
    ready: Callable[[], None] | None = None,
    *,
    poll_s: float = POLL_S,
) -> None:
    """Serve until ``ended`` is set. The models are loaded and warm before the first connection is taken."""
    with suppress(MlwrightError):  # the poll tries again; ServerReady says so until then
        await asyncio.to_thread(host.refresh)
    batchers = {name: Batcher(told(core, host.spans)) for name, core in host.cores.items()}
    calls = Calls(host, batchers) if host.spans is None else TracedCalls(host, batchers, host.spans)
    polling: asyncio.Task[None] | None = None
    try:
        server = build_server(calls, address, port, most_bytes=_most_bytes(host))
        await server.start()
        polling = asyncio.create_task(follow(host, poll_s))
        if ready is not None:
            ready()
        await ended.wait()
        calls.draining = True
        await server.stop(GRACE_S)
    finally:
        if polling is not None:
            polling.cancel()
            with suppress(asyncio.CancelledError):
                await polling
        await _drain(batchers)
        host.close()


def build_server(calls: Calls, address: str, port: int, *, most_bytes: int) -> grpc.aio.Server:
    """A server of these calls, bound to the port but not started.

    Raises:
        PortInUse: another program listens there.
    """
    server = grpc.aio.server(options=_options(most_bytes))
    server.add_generic_rpc_handlers((calls.handler(), health_handler(calls.health)))
    named = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    try:
        bound = server.add_insecure_port(named)
    except RuntimeError as error:
        raise _in_use(address, port) from error
    if not bound:
        raise _in_use(address, port)
    return server


def _options(most_bytes: int) -> Sequence[tuple[str, int]]:
    return (
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", most_bytes + _ENVELOPE),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_concurrent_streams", 1024),
        ("grpc.max_metadata_size", 16 << 10),
        # A connection whose other end is gone is closed; one that only pings is told to leave.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 2),
        ("grpc.server_handshake_timeout_ms", 10_000),
    )


def _most_bytes(host: InferenceHost) -> int:
    return max((core.spec.serving.limits.body_bytes for core in host.cores.values()), default=8 << 20)


async def _drain(batchers: Mapping[str, Batcher]) -> None:
    await asyncio.gather(*(batcher.drain() for batcher in batchers.values()), return_exceptions=True)


def _in_use(address: str, port: int) -> PortInUse:
    return PortInUse(
        f"cannot listen on {address}:{port}",
        why="another program listens there",
        next_command="set another port as grpc_port of [serve] in mlwright.toml",
    )
