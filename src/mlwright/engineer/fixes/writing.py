"""Writing planned changes: all of them or none, inside of one folder, and only over what was planned on.

Every folder on the way is opened by its own name below its parent's handle, never through a symbolic link: nobody can
slip a link in between a look and a write. Each file is written beside its place, then renamed onto it, so that a
reader, or a machine that stops, sees the old file or the new one. If a rename fails, what was renamed before is put
back.
"""

import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlwright.errors import Conflict
from mlwright.model.fixes import Change

Rename = Callable[[str, str, int], None]
"""Rename a temporary name to a final one, both in the folder of this handle."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_GIT: Final = (".git", ".hg", ".svn", ".jj")


def digest(raw: bytes) -> str:
    """The digest by which a plan remembers a file."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def rename(before: str, after: str, folder: int) -> None:
    """Rename, atomically, within a folder."""
    os.replace(before, after, src_dir_fd=folder, dst_dir_fd=folder)


@dataclass(slots=True)
class _Place:
    """A file to be written: the handle of its folder, its name, what stands there, and the new content beside it."""

    change: Change
    folder: int
    name: str
    old: bytes | None
    mode: int
    waiting: str = ""
    done: bool = False


def write_all(root: Path, changes: Sequence[Change], rename: Rename = rename) -> tuple[str, ...]:
    """Write these changes below ``root``, all or none.

    Args:
        root: the repository's folder.
        changes: what to write; nothing is deleted.
        rename: puts a finished file into its place.

    Returns:
        the paths that were written.

    Raises:
        Conflict: a file is not as it was when the plan was made, a symbolic link or git's own folder is in the way, or
            the system refused; nothing is changed then.
    """
    made: list[tuple[int, str]] = []
    with _handles() as keep:
        places: list[_Place] = []
        try:
            top = keep(os.open(root, _FOLDER & ~os.O_NOFOLLOW))
            for change in changes:
                places.append(_place(change, top, keep, made))
            for place in places:
                place.waiting = _written(place.folder, place.change.content, place.mode)
            for place in places:
                _unchanged(place)
                rename(place.waiting, place.name, place.folder)
                place.done = True
        except BaseException as error:
            lost = _put_back(places, made)
            if isinstance(error, OSError):
                raise _refused(error, lost) from error
            raise
        for place in places:
            with suppress(OSError):
                os.fsync(place.folder)
    return tuple(change.path for change in changes)


@contextmanager
def _handles() -> Iterator[Callable[[int], int]]:
    opened: list[int] = []

    def keep(handle: int) -> int:
        opened.append(handle)
        return handle

    try:
        yield keep
    finally:
        for each in opened:
            os.close(each)


def _place(change: Change, top: int, keep: Callable[[int], int], made: list[tuple[int, str]]) -> _Place:
    """Open the folder of a change, making what is missing, and read what stands in its place."""
    *folders, name = change.path.split("/")
    if not all(each not in ("", ".", "..") and "\0" not in each for each in (*folders, name)):
        raise _in_the_way(change.path, "no path inside of the repository")
    if any(each.lower() in _GIT for each in (*folders, name)):
        raise _in_the_way(change.path, "version control's own files are never touched")
    here = top
    for each in folders:
        here = keep(_enter(here, each, change.path, made))
    old, mode = _read(here, name, change.path)
    place = _Place(change, here, name, old, mode)
    _as_planned(place, old)
    return place


def _enter(folder: int, name: str, path: str, made: list[tuple[int, str]]) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        os.mkdir(name, dir_fd=folder)
        made.append((folder, name))
        return os.open(name, _FOLDER, dir_fd=folder)
    except OSError as error:
        kind = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISLNK(kind):
            raise _in_the_way(path, f"{name} is a symbolic link, and links are not followed") from error
        if not stat.S_ISDIR(kind):
            raise _in_the_way(path, f"{name} is no folder") from error
        raise


def _read(folder: int, name: str, path: str) -> tuple[bytes | None, int]:
    """The bytes and the permissions of a file; None where there is none."""
    try:
        kind = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if not stat.S_ISREG(kind):
            raise _in_the_way(path, "a symbolic link or something else that is no regular file stands there")
        with open(os.open(name, _READ, dir_fd=folder), "rb") as stream:
            return stream.read(), stat.S_IMODE(kind)
    except FileNotFoundError:
        return None, 0o644


def _unchanged(place: _Place) -> None:
    _as_planned(place, _read(place.folder, place.name, place.change.path)[0])


def _as_planned(place: _Place, found: bytes | None) -> None:
    if (None if found is None else digest(found)) != place.change.before:
        raise Conflict(
            "the file is not as it was when the plan was made; nothing was changed",
            where=place.change.path,
            next_command="make the plan again: mlwright assess --fix",
        )


def _written(folder: int, content: bytes, mode: int) -> str:
    """Write a file of a new name, and have it on the disk."""
    name = f".mlwright-{secrets.token_hex(8)}.tmp"
    handle = os.open(name, _NEW, 0o600, dir_fd=folder)
    try:
        with open(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
    except BaseException:
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)
        raise
    return name


def _put_back(places: Sequence[_Place], made: Sequence[tuple[int, str]]) -> list[str]:
    """Undo, last first: what stood there, the temporary files, the folders; returns what could not be put back."""
    lost = []
    for place in reversed(places):
        try:
            if place.done and place.old is None:
                os.unlink(place.name, dir_fd=place.folder)
            elif place.done and place.old is not None:
                rename(_written(place.folder, place.old, place.mode), place.name, place.folder)
        except OSError:
            lost.append(place.change.path)
        if place.waiting and not place.done:
            with suppress(OSError):
                os.unlink(place.waiting, dir_fd=place.folder)
    for folder, name in reversed(made):
        with suppress(OSError):
            os.rmdir(name, dir_fd=folder)
    return sorted(lost)


def _refused(error: OSError, lost: Sequence[str]) -> Conflict:
    said = f"changed and not put back: {', '.join(lost)}" if lost else "nothing was changed"
    return Conflict(
        f"the repository cannot be written; {said}",
        where=str(error.filename) if error.filename else None,
        why=error.strerror or type(error).__name__,
        next_command="git status" if lost else "see to it that the folder can be written, then again",
    )


def _in_the_way(path: str, why: str) -> Conflict:
    return Conflict(
        "this place is not written to; nothing was changed",
        where=path,
        why=why,
        next_command="make it a folder or a file of the repository, or choose other fixes",
    )
