"""The tracking process of ``mlwright up``: ``python -m mlwright.doors.up.tracking --fd N``.

It answers the port of the pages: calls of the MLflow protocol by itself, everything else by asking the control
process, so that a training in there delays nobody who logs. The supervisor keeps the listening socket; who calls while
this process is started again waits instead of being refused.

The first line of standard input says where the state is: a database URL may hold a password, which a command line
would show to everybody on the machine. Standard output carries one line, ``ready``.
"""

import argparse
import json
import logging
import socket
import sys
from pathlib import Path

from mlwright.doors.http.mlflow.forward import Forward
from mlwright.doors.http.mlflow.serving import serve_tracking
from mlwright.doors.up.parent import end_with_parent
from mlwright.errors import MlwrightError
from mlwright.wiring.tracking import open_tracking


def main() -> int:
    """Serve until SIGTERM; returns the exit code."""
    parser = argparse.ArgumentParser(prog="mlwright-tracking")
    parser.add_argument("--fd", type=int, required=True, help="the listening socket")
    listener = socket.socket(fileno=parser.parse_args().fd)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    place = json.loads(sys.stdin.readline())

    def ready() -> None:
        end_with_parent()
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    try:
        tracking = open_tracking(
            database=place["database"], artifacts=place["artifacts"], state=Path(place["state"])
        )
        serve_tracking(tracking, listener, ready=ready, forward=Forward(place["control"]))
    except MlwrightError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
