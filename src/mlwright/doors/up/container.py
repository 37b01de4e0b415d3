"""The one program of an image: ``python -m mlwright.doors.up.container``, as process 1 of its container.

It serves what ``/opt/endpoint`` holds until SIGTERM, and then answers what was begun. Inside a container, whose network
is its own, it listens on every address; that is the only place where mlwright does. There are no tokens yet: publish
the port to 127.0.0.1, or put a proxy that knows who asks in front of it.
"""

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn


def main(words: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM; returns the exit code."""
    # The kernel drops what process 1 has no handler for: a container that is stopped while it starts shall end, too.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    from mlwright.doors.up.baked import run  # 0.3 s, in which a signal may come

    return run(words)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
