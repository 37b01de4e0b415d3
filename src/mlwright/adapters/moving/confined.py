"""Files below one folder: links are never followed, special files never opened, listings bounded."""

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, Final

from mlwright.adapters.moving.notes import Notes
from mlwright.errors import DataError

_MOST_FILES: Final = 200_000
_MOST_DEPTH: Final = 24
_FLAGS: Final = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)
_PIECE: Final = 1 << 16


class Confined:
    """One folder of a source. Paths in it are relative, with ``/``.

    Args:
        root: the folder; may itself be reached through links.
        notes: is told of links, special files and names that are no text.
    """

    def __init__(self, root: Path, notes: Notes) -> None:
        self.root, self._notes = root, notes

    def walk(self, below: str = "", *, skip: frozenset[str] = frozenset()) -> Iterator[str]:
        """The regular files below a folder, in the order of their paths; folders named in ``skip`` are left alone."""
        found: list[str] = []
        waiting = [(below, 0)]
        while waiting:
            folder, depth = waiting.pop()
            for name, kind in self._entries(folder):
                path = f"{folder}/{name}" if folder else name
                if kind == "file":
                    found.append(path)
                elif kind == "folder" and name not in skip:
                    if depth >= _MOST_DEPTH:
                        self._notes.add("a folder", path, f"it lies deeper than {_MOST_DEPTH} folders")
                    else:
                        waiting.append((path, depth + 1))
            if len(found) > _MOST_FILES:
                self._notes.add("files", below or ".", f"only the first {_MOST_FILES} are read")
                break
        yield from sorted(found)[:_MOST_FILES]

    def folders(self, below: str = "") -> list[str]:
        """The names of the folders in a folder, sorted; no links."""
        return sorted(name for name, kind in self._entries(below) if kind == "folder")

    def _entries(self, folder: str) -> Iterator[tuple[str, str]]:
        if self._through_link(folder):
            return
        try:
            with os.scandir(self.root / folder) as entries:
                met = sorted(((entry.name, _kind(entry)) for entry in entries), key=lambda each: each[0])
        except OSError as error:
            if folder:
                self._notes.add("a folder", folder, error.strerror or "it cannot be listed")
            return
        for name, kind in met:
            path = f"{folder}/{name}" if folder else name
            if not _is_text(name):
                self._notes.add(
                    "a file", os.fsencode(path).decode("utf-8", "replace"), "its name is not UTF-8"
                )
            elif kind == "link":
                self._notes.add("a link", path, "links are not followed")
            elif kind == "other":
                self._notes.add("a special file", path, "it is neither file nor folder")
            else:
                yield name, kind

    def is_file(self, path: str) -> bool:
        """Whether a regular file is there, and not behind a link."""
        return self.size(path) is not None

    def is_folder(self, path: str) -> bool:
        """Whether a folder is there, and not behind a link."""
        if self._through_link(path):
            return False
        try:
            return stat.S_ISDIR(os.lstat(self.root / path).st_mode)
        except (OSError, ValueError):
            return False

    def size(self, path: str) -> int | None:
        """Bytes of a regular file; None where there is none, or a link."""
        if self._through_link(path):
            return None
        try:
            met = os.lstat(self.root / path)
        except (OSError, ValueError):
            return None
        return met.st_size if stat.S_ISREG(met.st_mode) else None

    def modified_ms(self, path: str) -> int:
        """When a file was written last, in milliseconds since 1970; 0 where there is none."""
        if self.size(path) is None:
            return 0
        return os.lstat(self.root / path).st_mtime_ns // 1_000_000

    def state(self, *paths: str) -> str:
        """Changes when one of some files is written to."""
        sizes = sum(self.size(path) or 0 for path in paths)
        return f"{len(paths)} {sizes} {max(map(self.modified_ms, paths), default=0)}"

    def open(self, path: str) -> BinaryIO:
        """A regular file, to be read.

        Raises:
            DataError: there is none, it is a link or behind one, or it may not be read.
        """
        if self._through_link(path):
            raise gone(path, "it lies behind a link, or outside")
        try:
            handle = os.open(self.root / path, _FLAGS)
        except (OSError, ValueError) as error:
            raise gone(path, getattr(error, "strerror", None) or "it cannot be opened") from error
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise gone(path, "it is no file")
        return os.fdopen(handle, "rb")

    def read(self, path: str, most: int) -> bytes:
        """A whole small file.

        Raises:
            DataError: as :meth:`open`, or it has more than ``most`` bytes.
        """
        with self.open(path) as stream:
            try:
                data = stream.read(most + 1)
            except OSError as error:
                raise gone(path, error.strerror or "it cannot be read") from error
        if len(data) > most:
            raise gone(path, f"it is larger than {most // 1024} KiB")
        return data

    def _through_link(self, path: str) -> bool:
        """Whether a folder on the way is a link, or the way leads outside."""
        at = self.root
        parts = path.split("/") if path else []
        if "\0" in path or path.startswith("/") or ".." in parts:
            return True
        for part in parts[:-1]:
            at = at / part
            if at.is_symlink():
                return True
        return bool(parts) and (at / parts[-1]).is_symlink()


def gone(path: str, why: str) -> DataError:
    """The error for an artifact that cannot be read."""
    return DataError(
        "an artifact cannot be read",
        where=path,
        why=why,
        next_command="look at the source, then import again",
    )


class Guarded(io.RawIOBase):
    """Reads from a packed stream, and says :class:`DataError` where that turns out to be damaged."""

    def __init__(self, source: IO[bytes], where: str, *owned: BinaryIO | zipfile.ZipFile) -> None:
        super().__init__()
        self._source, self._where, self._owned = source, where, owned

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill the buffer.

        Raises:
            DataError: the stream is damaged.
        """
        view = memoryview(buffer)  # type: ignore[arg-type]  # io hands over any writable buffer
        try:
            data = self._source.read(min(len(view), _PIECE))
        except (
            OSError,
            EOFError,
            ValueError,
            RuntimeError,
            NotImplementedError,
            zlib.error,
            zipfile.BadZipFile,
        ) as error:
            raise gone(self._where, f"damaged: {error}") from error
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close it, and everything that it was read from."""
        if not self.closed:
            self._source.close()
            for each in self._owned:
                each.close()
        super().close()


def _kind(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_symlink():
            return "link"
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        return "file" if entry.is_file(follow_symlinks=False) else "other"
    except OSError:
        return "other"


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
