"""One ``mlwright up`` a project."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlwright.errors import AlreadyRunning


@contextmanager
def only_one(state: Path, address: str) -> Iterator[None]:
    """Hold the project; the file ``up.lock`` says who does.

    The operating system gives the lock back when its holder ends, however that ends, so a file that was left behind
    holds nothing.

    Args:
        state: the project's state folder; it exists.
        address: where the pages are, told to whoever comes second.

    Raises:
        AlreadyRunning: another process holds it.
    """
    path = state / "up.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise _held(path, os.read(descriptor, 4096)) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps({"pid": os.getpid(), "pages": address}).encode())
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _held(path: Path, said: bytes) -> AlreadyRunning:
    pid, pages = "unknown", None
    with suppress(ValueError, KeyError, TypeError):
        holder = json.loads(said)
        pid, pages = str(holder["pid"]), str(holder["pages"])
    return AlreadyRunning(
        "`mlwright up` serves this project already",
        where=str(path),
        why=f"process {pid} holds it" + (f"; its pages are at {pages}" if pages else ""),
        next_command=f"kill {pid}" if pid != "unknown" else None,
    )
