"""Finding uv, and asking it something."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from mlwright.errors import EnvironmentUndecided, MissingExtra

BUILD_SECONDS: Final = 1_800.0
"""The packages of a large model are gigabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What uv answered."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Uv:
    """A uv that runs: the words that start it."""

    command: tuple[str, ...]

    def run(self, *arguments: str, seconds: float = BUILD_SECONDS) -> Said:
        """Ask uv; its own settings (index, proxy, cache) are the user's.

        Raises:
            EnvironmentUndecided: it took longer than ``seconds`` or cannot be started.
        """
        try:
            done = subprocess.run(
                [*self.command, *arguments, "--no-progress", "--color", "never"],
                env=environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise EnvironmentUndecided(f"uv took longer than {seconds:,.0f} s") from None
        except OSError as error:
            raise EnvironmentUndecided(f"uv cannot be started: {error.strerror}") from error
        return Said(
            code=done.returncode,
            out=done.stdout.decode("utf-8", "replace"),
            err=done.stderr.decode("utf-8", "replace"),
        )


def environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables for uv: without the environment that this process runs in, and without a Python of its choice."""
    kept = {
        name: value
        for name, value in (os.environ if given is None else given).items()
        if not name.startswith(("VIRTUAL_ENV", "PYTHON", "CONDA_")) and name not in ("UV", "UV_PYTHON")
    }
    # No interpreter is downloaded unless the user's own settings allow it.
    kept.setdefault("UV_PYTHON_DOWNLOADS", "never")
    return kept


def find_uv() -> Uv:
    """The first uv that runs: named by the variable UV, on PATH, or installed with this Python.

    Raises:
        MissingExtra: none does.
    """
    found = _find(os.environ.get("UV", ""), os.environ.get("PATH", ""))
    if found is None:
        raise MissingExtra.needed("proving that a model loads in an environment of its own", "prove")
    return found


@cache
def _find(named: str, path: str) -> Uv | None:
    # A shim of a version switcher may stand on PATH and still fail: each one is run before it is believed.
    candidates = [(found,) for name in (named, "uv") if name and (found := shutil.which(name, path=path))]
    if importlib.util.find_spec("uv") is not None:
        candidates.append((sys.executable, "-P", "-m", "uv"))  # type: ignore[arg-type]
    for command in candidates:
        if os.path.isabs(command[0]) and _runs(command):
            return Uv(command=command)
    return None


def _runs(command: Sequence[str]) -> bool:
    try:
        done = subprocess.run(
            [*command, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
            cwd=Path(sys.prefix),
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0 and done.stdout.startswith(b"uv ")
