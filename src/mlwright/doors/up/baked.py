"""What an image serves: in this process, or in several that it watches; and what process 1 owes to its container."""

import argparse
import gc
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import Event, Thread
from types import FrameType
from typing import Final

from mlwright.doors.up.container_check import PLACE, PORT
from mlwright.errors import MlwrightError

_STATE: Final = "/var/lib/mlwright"
_EVERY_ADDRESS: Final = "0.0.0.0"
_REAP_S: Final = 0.25
_MODULE: Final = "mlwright.doors.up.container"


def run(words: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM; returns the exit code."""
    asked = _arguments(words)
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # see doors.cli.main
    # What is loaded now stays until the end: looking for garbage in it would be a tenth of the start.
    gc.disable()
    try:
        if asked.worker or asked.workers == 1:
            _serve(asked)
        else:
            _supervise(asked)
    except MlwrightError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    told = os.environ.get
    parser = argparse.ArgumentParser(
        prog="mlwright-container",
        description="Serve the endpoint of this image. It asks nobody who they are: publish the port to 127.0.0.1, "
        "or put a proxy that does in front of it.",
    )
    parser.add_argument("--host", default=told("MLWRIGHT_HOST", _EVERY_ADDRESS), help="MLWRIGHT_HOST")
    parser.add_argument("--port", type=int, default=told("MLWRIGHT_PORT", str(PORT)), help="MLWRIGHT_PORT")
    parser.add_argument("--workers", type=int, default=told("MLWRIGHT_WORKERS", "1"), help="MLWRIGHT_WORKERS")
    parser.add_argument("--state", default=told("MLWRIGHT_STATE", _STATE), help="MLWRIGHT_STATE")
    parser.add_argument("--place", default=told("MLWRIGHT_PLACE", PLACE), help=argparse.SUPPRESS)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--siblings", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(words)
    if not 1 <= asked.workers <= 64:
        parser.error(f"MLWRIGHT_WORKERS is {asked.workers}; it may be 1 to 64")
    if not 1 <= asked.port <= 65_535:
        parser.error(f"MLWRIGHT_PORT is {asked.port}; it may be 1 to 65535")
    return asked


def _serve(asked: argparse.Namespace) -> None:
    """Serve in this process: the only one, or one of several that another watches."""
    from mlwright.doors.http.inference.server import serve
    from mlwright.doors.up.parent import end_with_parent
    from mlwright.doors.up.served import require_served
    from mlwright.wiring.baked import open_baked

    host = open_baked(Path(asked.place), Path(asked.state))
    require_served(host)

    def ready() -> None:
        gc.collect()
        gc.freeze()
        gc.enable()
        if asked.worker:
            end_with_parent()
        _say(asked)

    with _Reaping():
        serve(host, asked.host, asked.port, ready=ready, siblings=asked.siblings)


def _supervise(asked: argparse.Namespace) -> None:
    """Keep several processes that share the port; one that ends is started again."""
    from mlwright.doors.http.listening import ensure_free
    from mlwright.doors.up.processes import start_worker
    from mlwright.doors.up.workers import Workers

    ending = Event()

    def end(number: int, frame: FrameType | None) -> None:
        ending.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    ensure_free(asked.host, asked.port)
    options = ("--worker", "--place", asked.place, "--state", asked.state)
    start = partial(start_worker, b"", asked.port, asked.host, options=options, module=_MODULE)
    workers = Workers(Path(asked.state) / "logs", start, number=asked.workers)
    with _Reaping():
        workers.start()
        try:
            if not ending.is_set():
                _say(asked)
            ending.wait()
        finally:
            workers.stop()


def _say(asked: argparse.Namespace) -> None:
    sys.stdout.write(f"ready {asked.port}\n")
    sys.stdout.flush()


class _Reaping:
    """As process 1: take the exit codes of processes that others left behind (``docker exec``), at the second look.

    Those of our own children stay for whoever started them: it asks more often.
    """

    def __init__(self) -> None:
        self._ending = Event()
        self._thread: Thread | None = None

    def __enter__(self) -> None:
        if os.getpid() == 1:
            self._thread = Thread(target=self._reap, name="orphans", daemon=True)
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def _reap(self) -> None:
        before: int | None = None
        while not self._ending.wait(_REAP_S):
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                continue
            dead = None if found is None else found.si_pid
            if dead is not None and dead == before:  # nobody of ours asked for it meanwhile
                os.waitpid(dead, os.WNOHANG)
                dead = None
            before = dead
