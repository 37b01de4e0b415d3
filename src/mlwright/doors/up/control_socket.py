"""Where the control process listens for the tracking process: a Unix socket in the state folder."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_LONGEST: Final = 100
"""Bytes of a socket's path; Linux takes 107, other systems 103."""


@contextmanager
def control_socket(state: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket that is listening, and its address for :class:`~mlwright.doors.http.mlflow.forward.Forward`.

    Only the account of this process can connect to it. Where the path of the state folder is too long for a socket,
    it is a port of the loopback interface, which the guard of the control process watches.

    Args:
        state: the state folder; whoever calls holds its lock, so a socket that is there is left over.
    """
    path = state.resolve() / "control.sock"
    if len(os.fsencode(path)) > _LONGEST:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(128)
            yield listener, f"127.0.0.1:{listener.getsockname()[1]}"
        return
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        try:
            path.chmod(0o600)
            listener.listen(128)
            yield listener, f"unix:{path}"
        finally:
            path.unlink(missing_ok=True)
