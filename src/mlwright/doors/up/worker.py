"""One inference process: ``python -m mlwright.doors.up.worker --project DIR --port N``.

The supervisor starts as many as ``serve.workers`` says; they share the port. Standard output carries one line,
``ready <port>``, once every endpoint that can load has loaded.
"""

import argparse
import sys
from pathlib import Path

from mlwright.doors.http.inference.server import serve
from mlwright.doors.up.parent import end_with_parent
from mlwright.errors import MlwrightError
from mlwright.wiring.project import open_inference


def main() -> int:
    """Serve until SIGTERM; returns the exit code."""
    parser = argparse.ArgumentParser(prog="mlwright-worker")
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--siblings", action="store_true", help="others of this project listen on the port")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    asked = parser.parse_args()

    def ready() -> None:
        if asked.with_parent:
            end_with_parent()
        sys.stdout.write(f"ready {asked.port}\n")
        sys.stdout.flush()

    try:
        serve(
            open_inference(asked.project),
            asked.host,
            asked.port,
            ready=ready,
            siblings=asked.siblings,
        )
    except MlwrightError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
