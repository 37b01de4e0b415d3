"""The machine: the interpreter, the disk, the ports."""

import platform as machine
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from typing import Final

from mlwright.engineer.findings import fails, holds
from mlwright.model.contracts import Severity
from mlwright.model.findings import Finding
from mlwright.platform.facade import Platform

OLDEST_PYTHON: Final = (3, 11)
LEAST_FREE_BYTES: Final = 1 << 30
_PATIENCE_S: Final = 2.0


def python() -> Finding:
    """The interpreter is new enough."""
    title = f"Python is {'.'.join(map(str, OLDEST_PYTHON))} or newer"
    found = f"{machine.python_implementation()} {machine.python_version()} at {sys.executable}"
    if sys.version_info >= OLDEST_PYTHON:
        return holds("python", title, found)
    return fails("python", title, found, "make an environment with a newer Python")


def state_folder(platform: Platform) -> Iterator[Finding]:
    """The state folder can be written, and its disk has room."""
    folder = platform.parts.settings.state
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix="doctor-") as file:
            file.write(b"x" * 4096)
            file.flush()
    except OSError as error:
        yield fails(
            "state.writable", "the state folder can be written", f"{folder}: {error}", f"ls -ld {folder}"
        )
    else:
        yield holds("state.writable", "the state folder can be written", str(folder))
    free = shutil.disk_usage(folder).free
    title = f"the disk has {LEAST_FREE_BYTES >> 30} GiB free"
    evidence = f"{free / (1 << 30):.1f} GiB free at {folder}"
    if free >= LEAST_FREE_BYTES:
        yield holds("state.room", title, evidence)
    else:
        yield fails("state.room", title, evidence, "make room, or move [storage] state", Severity.WARNING)


def ports(platform: Platform) -> Iterator[Finding]:
    """Nobody else holds the ports of the page and of the endpoints."""
    serve = platform.parts.settings.serve
    for name, port in {"port": serve.port, "inference_port": serve.inference_port}.items():
        id, title = f"serve.{name}", f"port {port} is free or ours"
        if _free(serve.host, port):
            yield holds(id, title, f"nobody listens on {serve.host}:{port}")
        elif _ours(serve.host, port):
            yield holds(id, title, f"mlwright answers on {serve.host}:{port}")
        else:
            yield fails(
                id,
                title,
                f"another program listens on {serve.host}:{port}",
                f"set another {name} under [serve] in mlwright.toml",
            )


def _free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are still winding down is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _ours(host: str, port: int) -> bool:
    """Whether the server calls itself mlwright, on its page or as Open Inference Protocol metadata."""
    for path in ("/v2", "/"):
        with closing(HTTPConnection(host, port, timeout=_PATIENCE_S)) as connection:
            try:
                connection.request("GET", path)
                if b"mlwright" in connection.getresponse().read(65536):
                    return True
            except (OSError, HTTPException):
                return False
    return False
