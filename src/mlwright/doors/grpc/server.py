"""One gRPC process: a listening socket, the calls, and an end that loses nothing."""

import asyncio
from collections.abc import Callable

from mlwright.doors.http.listening import ensure_free, loop_factory
from mlwright.errors import MissingExtra
from mlwright.stages.serving.host import InferenceHost


def serve_grpc(
    host: InferenceHost,
    address: str,
    port: int,
    *,
    ready: Callable[[], None] | None = None,
    siblings: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are answered first, then the host is closed.

    Args:
        host: what is served.
        address: a numeric address of this machine.
        port: where to listen.
        ready: called once, when the routes were read and requests are taken.
        siblings: other processes of this project listen on the port already (SO_REUSEPORT shares it), so that a
            listener is no reason to refuse; the supervisor has made sure before the first.

    Raises:
        MissingExtra: grpcio is not installed.
        PortInUse: another program listens on the port.
    """
    try:
        import grpc  # noqa: F401 - 60 ms, and an extra that most projects do without
    except ImportError as error:
        raise MissingExtra.needed("gRPC", "grpc") from error
    from mlwright.doors.grpc.running import run

    if not siblings:
        ensure_free(address, port)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(run(host, address, port, ready))
