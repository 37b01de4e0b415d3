"""Where the output of a job goes: parts in a folder, or one file that is put together of them."""

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import polars as pl

from mlwright.errors import AlreadyRunning, UsageError
from mlwright.stages.serving.batch.places import FORMATS, WRITTEN, Place
from mlwright.stages.serving.batch.working import written

_UNNAMED: Final = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{32}")
_JOINING: Final = "mlwright-batch-"
_UNWRITTEN: Final = {*FORMATS, ".json", ".gz", ".zip", ".txt", ".xlsx"} - {*WRITTEN}


@dataclass(frozen=True, slots=True)
class Target:
    """Where the output goes: parts in a folder, or parts that become one file."""

    place: Place
    """Of the parts."""
    home: Place
    """Of the manifest, and of the one file."""
    manifest: str
    kind: str
    one: str | None = None
    """The name of the one file."""
    rejected: str | None = None
    """The name of the one file of rejected rows."""


def target_of(url: str) -> Target:
    """Read an output: a file by its suffix, else a folder.

    Raises:
        UsageError: files of this kind are not written.
    """
    path = PurePosixPath(url)
    suffix = path.suffix.lower()
    if suffix in _UNWRITTEN:
        raise UsageError(
            "files of this kind are not written",
            where=url,
            why=f"an output is a folder, or a file: {', '.join(WRITTEN)}",
            next_command="mlwright predict --help",
        )
    if suffix not in WRITTEN:
        place = Place(url)
        return Target(place, place, "_manifest.json", "parquet")
    folder, _, name = url.rpartition("/")
    folder += "/" if folder.endswith(":/") else ""
    return Target(
        place=Place(f"{url}.parts"),
        home=Place(folder or ("/" if url.startswith("/") else ".")),
        manifest=f"{name}.manifest.json",
        kind=WRITTEN[suffix],
        one=name,
        rejected=f"{path.stem}.rejected.ndjson",
    )


def clear(place: Place, kind: str) -> None:
    """Take the parts of a job away."""
    for name in place.names():
        if is_part(name, kind) or name.startswith("_rejected-"):
            place.remove(name)


def sweep(target: Target) -> None:
    """Take away what a process that was killed had half written. Whoever calls it holds the place."""
    whole = {target.manifest, target.one, target.rejected}
    for place in (target.place, target.home):
        for name in place.names() if place.near else ():
            unnamed = _UNNAMED.fullmatch(name)
            if unnamed and (
                unnamed["name"] in whole
                or is_part(unnamed["name"], target.kind)
                or unnamed["name"].startswith("_rejected-")
            ):
                place.remove(name)
            if place is target.place and target.one is not None and name.startswith(_JOINING):
                place.remove(name)


def is_part(name: str, kind: str) -> bool:
    """Whether a file is a part of a job's output."""
    return name.startswith("part-") and name.endswith(f".{kind}")


def join(target: Target, names: Sequence[str], one: str, kind: str) -> None:
    """Put the parts together as one file."""
    handle, unfinished = tempfile.mkstemp(prefix=_JOINING, dir=_beside(target))
    os.close(handle)
    file = Path(unfinished)
    try:
        if kind == "parquet":
            _join_parquet(target.place, names, file)
        else:
            with file.open("wb") as joined:
                for number, name in enumerate(names):
                    data = target.place.read(name) or b""
                    joined.write(data.partition(b"\n")[2] if kind == "csv" and number else data)
        os.chmod(file, 0o644)
        target.home.put(one, file)
    finally:
        file.unlink(missing_ok=True)


def _join_parquet(place: Place, names: Sequence[str], file: Path) -> None:
    if not names:
        file.write_bytes(written(pl.DataFrame(), "parquet"))
    elif place.near:
        pl.scan_parquet([place.path(name) for name in names], glob=False).sink_parquet(
            file, compression="zstd"
        )
    else:
        with tempfile.TemporaryDirectory(prefix="mlwright-batch-") as folder:
            for name in names:
                Path(folder, name).write_bytes(place.read(name) or b"")
            pl.scan_parquet([Path(folder, name) for name in names], glob=False).sink_parquet(
                file, compression="zstd"
            )


def _beside(target: Target) -> str | None:
    """Where the one file is put together: beside its place, so that moving it there is one step."""
    return target.place.path("").rstrip("/") if target.place.near else None


@contextmanager
def held(place: Place) -> Iterator[None]:
    """Keep other processes of this machine away from a folder; the system lets go when this one dies."""
    if not place.near:
        yield
        return
    folder = Path(place.path("").rstrip("/"))
    with suppress(FileExistsError):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except NotADirectoryError as error:
        raise UsageError("the output is a file without a suffix that is known", where=str(folder)) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(
                "another process is writing there", where=str(folder), next_command="wait for it to end"
            ) from error
        yield
    finally:
        os.close(fd)
