"""One Parquet file a view: written whole or not at all, by one process at a time."""

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from mlwright.errors import StorageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What tells one version of a file from another without reading it."""

    modified_ns: int
    size: int
    inode: int


def stamp_of(path: Path) -> Stamp | None:
    """The file's stamp, or None where there is no file."""
    try:
        return _stamp(path.stat())
    except FileNotFoundError:
        return None


def read(path: Path) -> tuple[pl.DataFrame, Stamp] | None:
    """The file's rows with the stamp of exactly these rows, or None where there is no file.

    Raises:
        StorageError: the file is not a readable Parquet file.
    """
    try:
        with path.open("rb") as file:
            # of the open file, not of the path: a writer may replace that meanwhile
            stamp = _stamp(os.fstat(file.fileno()))
            return pl.read_parquet(file), stamp
    except FileNotFoundError:
        return None
    except (OSError, pl.exceptions.PolarsError) as fault:
        raise StorageError(
            f"{path.name} is not a readable Parquet file",
            where=str(path),
            why=str(fault),
            next_command=f"rm {path}  # and materialize the view again",
        ) from fault


def replace(path: Path, frame: pl.DataFrame) -> None:
    """Put a new version in the file's place; after a crash the old or the new one is there."""
    unnamed = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with unnamed.open("xb") as file:
            frame.write_parquet(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unnamed, path)
    finally:
        unnamed.unlink(missing_ok=True)
    if os.name == "posix":  # only there can a folder be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the right to write; other threads and processes wait. The system frees it when a process dies."""
    with path.open("ab") as file:
        if sys.platform == "win32":
            import msvcrt  # exists on Windows only

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            yield  # closing the file frees the lock
        else:
            import fcntl  # exists on POSIX only

            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _stamp(found: os.stat_result) -> Stamp:
    return Stamp(modified_ns=found.st_mtime_ns, size=found.st_size, inode=found.st_ino)
