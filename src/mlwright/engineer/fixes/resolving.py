"""Asking uv for exact versions, in a folder that holds nothing but lists of dependencies.

uv is told never to build anything: building a source distribution, or the project itself, would run code of strangers.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_SECONDS: Final = 180
_SAFE: Final = ("--no-build", "--no-progress", "--no-python-downloads", "--color", "never")
_TOLD: Final = 300


class Unresolved(Exception):
    """There are no versions; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """A uv that was found: the words that start it."""

    command: tuple[str, ...]

    def run(self, arguments: Sequence[str], files: Mapping[str, bytes], wanted: str) -> bytes:
        """Run uv on copies of these files, and return the file that it wrote.

        Args:
            arguments: its command and options, with paths as in ``files``.
            files: by path from the root.
            wanted: the path of the file to return.

        Raises:
            Unresolved: it failed, took too long, or wrote nothing.
        """
        with TemporaryDirectory(prefix="mlwright-lock-") as folder:
            for path, content in files.items():
                place = Path(folder) / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
            said = self._run([*self.command, *arguments, *_SAFE], folder)
            try:
                return (Path(folder) / wanted).read_bytes()
            except OSError:
                raise Unresolved(f"uv wrote no {wanted}: {said}") from None

    def _run(self, command: Sequence[str], folder: str) -> str:
        # uv's own settings and proxies are the user's; the environment that mlwright runs in is another matter.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("VIRTUAL_ENV", "PYTHON", "CONDA_"))
        }
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=environment | {"UV_PYTHON_DOWNLOADS": "never"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unresolved(f"uv took longer than {_SECONDS} s") from None
        except OSError as error:
            raise Unresolved(f"uv cannot be started: {error.strerror}") from None
        said = " ".join(done.stderr.decode("utf-8", "replace").replace(folder, ".").split())
        if done.returncode:
            raise Unresolved(f"uv says: {said[:_TOLD]}")
        return said[:_TOLD]


def find_uv() -> Resolver | None:
    """The uv that the environment variable UV names, the one on PATH, or the one that is installed with this Python.

    One that is found by a relative path is not taken: it could stand in the repository.
    """
    for name in (os.environ.get("UV"), "uv"):
        found = shutil.which(name) if name else None
        if found is not None and os.path.isabs(found):
            return Resolver(command=(found,))
    if importlib.util.find_spec("uv") is not None:
        # -P: the folder that it runs in holds files of the repository.
        return Resolver(command=(sys.executable, "-P", "-m", "uv"))
    return None
