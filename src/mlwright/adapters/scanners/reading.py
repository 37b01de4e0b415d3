"""Reading files of a repository that may be hostile, and quoting them."""

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from mlwright.model.contracts import Severity
from mlwright.model.findings import Location
from mlwright.model.scans import Hit

INSTALL = "pip install 'mlwright[scan]'"
NOT_READ = "not-looked-at"
"""The rule of a hit that says that a scanner passed over a file, or over a part of it."""

_ODD = re.compile(r"[^\x20-\x7e]")


def inside(path: str) -> bool:
    """Whether a POSIX path is relative and stays below its root, and can be a file's name at all."""
    return (
        bool(path)
        and "\0" not in path
        and "\\" not in path
        and not path.startswith("/")
        and ".." not in PurePosixPath(path).parts
    )


class Folder:
    """The files below a root, hostile ones too. A folder's place is looked up once."""

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)
        self._parents: dict[str, str | None] = {}

    def read(self, path: str, limit: int) -> bytes | None:
        """Return a regular file's bytes, at most ``limit`` + 1 of them, or None where there is none below the root.

        A link, a pipe, a device and a file that has vanished are None. Links further up are followed only when they
        stay below the root.
        """
        if not inside(path):
            return None
        above, _, name = path.rpartition("/")
        if above not in self._parents:
            self._parents[above] = self._real(above)
        parent = self._parents[above]
        if parent is None:
            return None
        # O_NONBLOCK: opening a pipe must not wait for a writer.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            handle = os.open(os.path.join(parent, name), flags | getattr(os, "O_BINARY", 0))
            with open(handle, "rb") as file:
                return file.read(limit + 1) if stat.S_ISREG(os.fstat(handle).st_mode) else None
        except (OSError, ValueError):
            return None

    def _real(self, above: str) -> str | None:
        try:
            real = os.path.realpath(os.path.join(self._root, above))
        except (OSError, ValueError):
            return None
        return real if os.path.join(real, "").startswith(os.path.join(self._root, "")) else None


def quoted(text: str, limit: int = 100) -> str:
    """Return a hostile text as printable ASCII of bounded length, fit for a terminal and a report."""
    text = _ODD.sub("?", text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 3] + "..."


def not_read(path: str, why: str) -> Hit:
    """The hit that says that a file was passed over."""
    return Hit(
        rule=NOT_READ, message=f"not looked at: {why}", severity=Severity.INFO, location=Location(path=path)
    )


def in_order(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    """Sort hits by place, then rule and message; those that say the same of the same place become one."""
    return tuple(sorted(set(hits), key=_place))


def _place(hit: Hit) -> tuple[str, int, int, str, str]:
    where = hit.location
    return (where.path, where.cell or 0, where.line or 0, hit.rule, hit.message)
