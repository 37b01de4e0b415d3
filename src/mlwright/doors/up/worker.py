"""One inference process: ``python -m mlwright.doors.up.worker --port N``, its settings as a line on standard input.

The supervisor starts as many as are wanted; they share the port. With ``--grpc`` it speaks gRPC instead of HTTP, so
that neither starves the other. Standard output carries one line, ``ready <port>``, once every endpoint that can load
has loaded. It ends when standard input does.
"""

import argparse
import gc
import os
import socket
import sys

from mlwright.doors.up.parent import end_with_parent
from mlwright.errors import MlwrightError


def main() -> int:
    """Serve until SIGTERM; returns the exit code."""
    parser = argparse.ArgumentParser(prog="mlwright-worker")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--grpc", action="store_true", help="speak gRPC on the port, not HTTP")
    parser.add_argument("--siblings", action="store_true", help="others of this project listen on the port")
    parser.add_argument("--strict", action="store_true", help="end where an endpoint cannot be served")
    parser.add_argument(
        "--fd", type=int, help="a listening socket that is inherited, instead of one of its own"
    )
    asked = parser.parse_args()
    line = sys.stdin.readline()
    # What is loaded now stays until the end: looking for garbage in it would be a tenth of the start.
    gc.disable()
    try:
        _serve(asked, line)
    except MlwrightError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _serve(asked: argparse.Namespace, line: str) -> None:
    from mlwright.wiring.inference import decode_settings, open_inference

    host = open_inference(decode_settings(line))
    if asked.strict:
        from mlwright.doors.up.served import require_served

        require_served(host)

    def ready() -> None:
        gc.collect()
        gc.freeze()
        gc.enable()
        end_with_parent()
        sys.stdout.write(f"ready {asked.port}\n")
        sys.stdout.flush()

    if asked.grpc:
        from mlwright.doors.grpc.server import serve_grpc

        serve_grpc(host, asked.host, asked.port, ready=ready, siblings=asked.siblings)
        return
    from mlwright.doors.http.inference.server import serve

    listener = None if asked.fd is None else socket.socket(fileno=os.dup(asked.fd))
    serve(host, asked.host, asked.port, ready=ready, siblings=asked.siblings, listener=listener)


if __name__ == "__main__":
    sys.exit(main())
