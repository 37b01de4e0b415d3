"""The text of places in a repository, for whoever has to know a line again after it moved."""

import json
import stat
from pathlib import Path, PurePosixPath
from typing import Final

from mlwright.model.findings import Location

_LIMIT: Final = 16 * 1024 * 1024
# What a finding about the repository as a whole is pinned to where a reader must be given a file.
_FRONT_DOORS: Final = ("README.md", "README.rst", "README.txt", "README", "pyproject.toml", "setup.py")


class Lines:
    """Reads each file once. What is no plain file within the root, or larger than 16 MiB, has no lines."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._read: dict[tuple[str, int | None], tuple[str, ...]] = {}
        self._folders: dict[Path, bool] = {}

    def of(self, path: str, cell: int | None = None) -> tuple[str, ...]:
        """The lines of a file, or those of one cell of a notebook, counted from 1."""
        key = (path, cell)
        if key not in self._read:
            text = self._text(path)
            self._read[key] = _split(text if cell is None else _cell(text, cell)) if text else ()
        return self._read[key]

    def at(self, location: Location) -> str:
        """The text of a place's line, "" where it has none."""
        if location.line is None:
            return ""
        lines = self.of(location.path, location.cell)
        return lines[location.line - 1] if 0 < location.line <= len(lines) else ""

    @property
    def front_door(self) -> str:
        """The file that stands for the whole repository: its README or the like, else ``.``."""
        return next((name for name in _FRONT_DOORS if self._plain(name) is not None), ".")

    def _plain(self, path: str) -> Path | None:
        """The file, if it is one and neither it nor a folder on the way leads out of the root."""
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts:
            return None
        file = self._root.joinpath(*parts)
        try:
            seen = file.lstat()
            inside = self._inside(file.parent)
        except (OSError, ValueError, RuntimeError):  # a name that the system refuses, a loop of links
            return None
        return file if inside and stat.S_ISREG(seen.st_mode) and seen.st_size <= _LIMIT else None

    def _inside(self, folder: Path) -> bool:
        if folder not in self._folders:
            self._folders[folder] = folder.resolve().is_relative_to(self._root)
        return self._folders[folder]

    def _text(self, path: str) -> str:
        file = self._plain(path)
        try:
            return file.read_bytes().decode("utf-8", "replace") if file is not None else ""
        except OSError:
            return ""


def _split(text: str) -> tuple[str, ...]:
    # Each of these takes a tenth of the time of one split by a regular expression.
    return tuple(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))


def _cell(notebook: str, number: int) -> str:
    """The source of a notebook's cell, counted from 1."""
    try:
        source = json.loads(notebook)["cells"][number - 1]["source"]
        return source if isinstance(source, str) else "".join(source)
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return ""
