"""Putting blobs and folders into their places in a directory: whole or not at all."""

import errno
import os
import shutil
import stat
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mlwright.adapters.fs.reading import digest_of
from mlwright.errors import Conflict, DataError, StorageError
from mlwright.model.ids import Digest


@contextmanager
def unnamed(partial: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file to write; at the end it is on the disk, and gone unless it was moved to its place."""
    partial.mkdir(parents=True, exist_ok=True)
    path = partial / uuid.uuid4().hex
    try:
        with path.open("xb") as file:
            yield file, path
    finally:
        path.unlink(missing_ok=True)


def put_in_place(file: BinaryIO, path: Path, target: Path) -> None:
    """Give a written file its name: after a crash the whole blob is there, or none of it."""
    file.flush()
    os.fsync(file.fileno())
    known = target.parent.exists()
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.name != "posix":
        file.close()  # an open file cannot be moved there
    os.replace(path, target)
    sync(target.parent)
    if not known:
        sync(target.parent.parent)


def move_into_place(file: Path, target: Path) -> bool:
    """Make somebody's file the blob itself; False where it has to be copied: a link, or on another disk."""
    found = file.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        return False
    try:
        with file.open("r+b") as opened:
            put_in_place(opened, file, target)
    except PermissionError:
        return False
    except OSError as fault:
        if fault.errno != errno.EXDEV:
            raise
        return False
    return True


def sync(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    if os.name != "posix":  # only there can a folder be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_complete(target: Path, files: Mapping[str, Digest]) -> bool:
    """Whether a folder holds all these files, verified."""
    try:
        return target.is_dir() and all(digest_of(target / name)[0] == each for name, each in files.items())
    except (OSError, DataError):
        return False


def refuse_foreign(target: Path, files: Mapping[str, Digest]) -> None:
    """See that nothing but these files is in the way.

    Raises:
        Conflict: there are others, or the place is no folder.
    """
    try:
        mode = target.lstat().st_mode  # asked once: another process may be replacing the folder
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        # os.walk passes over what vanishes meanwhile
        there = {
            Path(place, name).relative_to(target).as_posix()
            for place, folders, names in os.walk(target)
            for name in [*names, *(each for each in folders if Path(place, each).is_symlink())]
        }
        foreign = sorted(there - files.keys())
    else:
        foreign = [target.name]
    if foreign:
        raise Conflict(
            f"{foreign[0]!r} is in the way, and not part of the folder that shall be restored",
            where=str(target),
            next_command=f"mv {target} {target}.aside",
        )


def swap(fresh: Path, target: Path, files: Mapping[str, Digest]) -> None:
    """Put a filled folder in its place; a damaged copy goes, and another process's complete copy stays."""
    for attempt in range(50):  # another process may do the same between two lines
        try:
            os.rename(fresh, target)
        except OSError:
            if is_complete(target, files):
                return
        else:
            return
        aside = fresh.with_name(f"{fresh.name}.{attempt}")
        try:
            os.rename(target, aside)
        except FileNotFoundError:
            continue
        shutil.rmtree(aside, ignore_errors=True)
    raise StorageError("the folder could not be put in its place", where=str(target))
