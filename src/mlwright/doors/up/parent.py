"""A child process that ends when whoever started it does."""

import os
import signal
import sys
from threading import Thread


def end_with_parent() -> None:
    """From now on: when standard input closes, end as by SIGTERM."""
    Thread(target=_watch, name="parent", daemon=True).start()


def _watch() -> None:
    """Wait until the other end closes: whoever started this process is gone, also by kill -9."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
