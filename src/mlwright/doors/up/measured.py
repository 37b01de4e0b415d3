"""A measured process: ``python -m mlwright.doors.up.measured``. Its job is the first line of standard input.

It writes one line of JSON for a footprint. While it serves it answers each further line with what it used so far, and
it ends when its input does.
"""

import os
import signal
import sys
from pathlib import Path
from threading import Thread

import msgspec

from mlwright.errors import MlwrightError
from mlwright.wiring.footprint import footprint, usage


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What kind of job a line holds, and the folder of a footprint."""

    do: str
    folder: str = ""


def main() -> int:
    """Do the job; returns the exit code."""
    line = sys.stdin.readline()
    asked = msgspec.json.decode(line, type=_Asked)
    try:
        if asked.do == "footprint":
            _say(footprint(Path(asked.folder)))
        else:
            _serve(line)
    except MlwrightError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _serve(line: str) -> None:
    # 0.3 s of databases and servers that a footprint must not have in it
    from mlwright.doors.http.inference.server import serve
    from mlwright.wiring.measuring import decode_job, open_measured

    def listen() -> None:
        for _ in sys.stdin:
            _say(usage())
        os.kill(os.getpid(), signal.SIGTERM)

    job = decode_job(line)
    serve(
        open_measured(job),
        "127.0.0.1",
        job.port,
        ready=Thread(target=listen, name="mlwright-usage", daemon=True).start,
    )


def _say(value: object) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
