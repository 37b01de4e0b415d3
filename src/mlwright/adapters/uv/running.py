"""Running a program within limits: of time, and of memory where the system says how much is used."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

from mlwright.ports.environments import Ran

_SAID: Final = 8_000
_LOOK_S: Final = 0.1


def run_limited(command: Sequence[str], *, folder: Path, seconds: float, memory: int) -> Ran:
    """Run a program with ``folder`` as its home; see ``Environments.run``."""
    began = time.monotonic()
    with TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                list(command),
                cwd=folder,
                env=_environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return Ran(code=127, said=f"{command[0]}: {error.strerror}")
        try:
            limit, peak = _watch(process, began + seconds, memory)
        finally:
            _end(process)
        return Ran(
            code=process.returncode,
            said=_tail(said),
            limit=limit,
            seconds=time.monotonic() - began,
            peak=peak,
        )


def _watch(process: "subprocess.Popen[bytes]", deadline: float, memory: int) -> tuple[str, int]:
    peak = 0
    while True:
        used = _used(process.pid)
        peak = max(peak, used)
        if used > memory:
            return "memory", peak
        left = deadline - time.monotonic()
        if left <= 0:
            return "time", peak
        try:
            process.wait(timeout=min(_LOOK_S, left))
        except subprocess.TimeoutExpired:
            continue
        return "", peak


def _used(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where the system does not say."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return 0


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End it and everything that it started and that is still in its session."""
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(said: IO[bytes]) -> str:
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - _SAID))
    return said.read().decode("utf-8", "replace")


def _environment(folder: Path) -> dict[str, str]:
    """What a script needs and no more: no token, no proxy, no address of a tracking server, no home of ours."""
    home = str(folder)
    given = {
        "HOME": home,
        "TMPDIR": home,
        "XDG_CACHE_HOME": home,
        "XDG_CONFIG_HOME": home,
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        # Libraries that a model brings would report that they were used.
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MPLBACKEND": "Agg",
    }
    if sys.platform == "win32":
        given |= {"USERPROFILE": home, "TEMP": home, "SYSTEMROOT": os.environ.get("SYSTEMROOT", "")}
    return given
