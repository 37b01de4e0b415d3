"""Starting and stopping the processes beside the control process."""

import json
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from mlwright.errors import Conflict


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_worker(
    settings: bytes,
    port: int,
    host: str = "127.0.0.1",
    *,
    siblings: bool = False,
    log: Path | None = None,
    options: Sequence[str] = (),
    descriptors: tuple[int, ...] = (),
    module: str = "mlwright.doors.up.worker",
) -> "subprocess.Popen[str]":
    """Start one inference process and wait until it serves. It ends with this process, however that ends.

    Args:
        settings: what it serves, as ``wiring.inference.encode_settings`` writes it; they go by a pipe, because
            addresses of databases hold passwords.
        port: where it listens.
        host: a numeric address of this machine.
        siblings: others of this project listen on the port already.
        log: where its standard error is kept; without it only for this call.
        options: more of its options, see ``doors.up.worker``.
        descriptors: open files that it inherits.
        module: the program.

    Raises:
        Conflict: it ended instead; the message is what it said.
    """
    more = ["--siblings"] if siblings else []
    command = [module, "--host", host, "--port", str(port), *more, *options]
    return _start(
        command,
        log,
        what="inference process",
        where=f"port {port}",
        first_line=settings.decode(),
        descriptors=descriptors,
    )


def start_tracking(
    place: Mapping[str, str], listener: int, log: Path | None = None
) -> "subprocess.Popen[str]":
    """Start the tracking process and wait until it serves. It ends with this process, however that ends.

    Args:
        place: ``database``, ``artifacts``, ``state`` and ``control``, the address to forward to.
        listener: the file descriptor of the listening socket.
        log: where its standard error is kept; without it only for this call.

    Raises:
        Conflict: it ended instead; the message is what it said.
    """
    return _start(
        ["mlwright.doors.up.tracking", "--fd", str(listener)],
        log,
        what="tracking process",
        where=place["state"],
        first_line=json.dumps(dict(place)),
        descriptors=(listener,),
    )


def _start(
    command: Sequence[str],
    log: Path | None,
    *,
    what: str,
    where: str,
    first_line: str | None = None,
    descriptors: tuple[int, ...] = (),
) -> "subprocess.Popen[str]":
    # A file and not a pipe: nobody reads while it serves, and a full pipe would stop it.
    with log.open("w+") if log else TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            pass_fds=descriptors,
            # Ctrl-C reaches the whole group of a terminal; only the supervisor shall hear it, and drain in order.
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        if first_line is not None:
            with suppress(BrokenPipeError):  # it ended already; what it said is told below
                process.stdin.write(f"{first_line}\n")
                process.stdin.flush()
        if process.stdout.readline().startswith("ready"):
            return process
        code = process.wait(timeout=30)
        _close(process)
        said.seek(0)
        why = said.read().strip()[-2000:] or f"it said nothing and ended with {code}"
    raise Conflict(f"the {what} did not start", where=where, why=why)


def stop(process: "subprocess.Popen[str]", grace_s: float = 20.0) -> None:
    """Ask a process to finish what it answers and end; kill it where it does not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _close(process)


def _close(process: "subprocess.Popen[str]") -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(BrokenPipeError):
                stream.close()
