"""Scoring files as they appear in a folder: each once, whatever happens in between."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Final

import msgspec

from mlwright.errors import (
    BadRequest,
    Conflict,
    DataError,
    MlwrightError,
    NotFound,
    SignatureMismatch,
    UsageError,
)
from mlwright.stages.serving.batch.job import Manifest
from mlwright.stages.serving.batch.places import FORMATS, WRITTEN
from mlwright.stages.serving.batch.running import BatchReport, manifest_of

FAILED: Final = "failed"
"""Where files go that cannot be scored, below the folder that is watched."""
_UNFINISHED: Final = (".tmp", ".part", ".partial", ".crdownload", ".filepart", ".swp")


def never(seconds: float) -> bool:
    """Waits, and nobody says to stop."""
    sleep(seconds)
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """When a file is complete, and when to stop. Spans are in seconds.

    A file is complete once size and time have stayed for ``settle_s``. With ``idle_s`` the watch ends when nothing has
    come for so long. ``stopped`` waits for that many seconds and says whether to stop. ``suffix`` is the kind of the
    output files.
    """

    settle_s: float = 1.0
    poll_s: float = 0.25
    idle_s: float | None = None
    stopped: Callable[[float], bool] = never
    suffix: str = ".parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """One file, and what came of it: a report, or the error for which it was put aside."""

    path: str
    report: BatchReport | None = None
    error: MlwrightError | None = None
    put: str | None = None
    """Where it is now, where it was put aside."""


Score = Callable[[str, str, bool], BatchReport]
"""Scores a file to a file; the third says whether to begin anew."""


def watch(folder: str, output: str, score: Score, options: WatchOptions, came: Callable[[Came], None]) -> int:
    """Score each file of a folder, and each that appears; returns how many were scored or put aside.

    What is done is known by the manifest beside each output, so a process that was killed is followed by one that goes
    on in the middle of a file. A file that is replaced by another of its name is scored again.

    Args:
        folder: of this machine; files in folders below it, and those whose names begin with ``.`` or ``_``, are left.
        output: the folder of the answers, ``NAME.parquet`` for each file.
        score: scores one file.
        options: when a file is complete, and when to stop.
        came: is told of each file.

    Raises:
        NotFound: there is no such folder.
        UsageError: the output is the folder that is watched.
        MlwrightError: trouble that is not the file's: the model, the output, the database.
    """
    home = Path(folder)
    if not home.is_dir():
        raise NotFound("there is no such folder to watch", where=folder, next_command=f"mkdir {folder}")
    if "://" not in output and Path(output).resolve() == home.resolve():
        raise UsageError("the output is the folder that is watched", where=output)
    if options.suffix not in WRITTEN:
        raise UsageError(f"{options.suffix} is not written", why=f"one of {', '.join(WRITTEN)}")
    seen: dict[str, tuple[tuple[int, int], float]] = {}
    finished: dict[str, tuple[int, int]] = {}
    count, quiet_since = 0, monotonic()
    while True:
        ready, waiting = _ready(home, seen, finished, options.settle_s)
        for path, stamp in ready:
            if options.stopped(0):
                return count
            outcome = _one(path, f"{output.rstrip('/')}/{path.name}{options.suffix}", score)
            finished[path.name] = stamp
            if outcome is not None:
                count += 1
                came(outcome)
            quiet_since = monotonic()
        if waiting:
            quiet_since = monotonic()
        if options.idle_s is not None and monotonic() - quiet_since >= options.idle_s:
            return count
        if options.stopped(options.poll_s):
            return count


def _ready(
    home: Path,
    seen: dict[str, tuple[tuple[int, int], float]],
    finished: dict[str, tuple[int, int]],
    settle_s: float,
) -> tuple[list[tuple[Path, tuple[int, int]]], bool]:
    """The files that are complete and not done, oldest first, and whether others are on their way."""
    now = monotonic()
    ready, waiting = [], False
    present = set()
    for entry in os.scandir(home):
        name = entry.name
        if name.startswith((".", "_")) or name.endswith(_UNFINISHED) or not _is_file(entry):
            continue
        try:
            status = entry.stat()
        except FileNotFoundError:
            continue
        present.add(name)
        stamp = (status.st_size, status.st_mtime_ns)
        if finished.get(name) == stamp:
            continue
        before = seen.get(name)
        if before is None or before[0] != stamp:
            seen[name] = (stamp, now)
            before = seen[name]
        if now - before[1] >= settle_s:
            ready.append((Path(entry.path), stamp))
        else:
            waiting = True
    for gone in seen.keys() - present:
        del seen[gone]
        finished.pop(gone, None)
    return sorted(ready, key=lambda each: (each[1][1], each[0].name)), waiting


def _is_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _one(path: Path, output: str, score: Score) -> Came | None:
    """Score one file; None where that was done before."""
    if path.suffix.lower() not in FORMATS:
        error = DataError(
            "files of this kind cannot be read", where=str(path), why=f"known are {', '.join(FORMATS)}"
        )
        return _put_aside(path, error)
    begun = manifest_of(output)
    if begun is not None and begun.complete and _same(begun, path):
        return None
    restart = begun is not None and (begun.complete or not _same(begun, path))
    try:
        try:
            report = score(str(path), output, restart)
        except Conflict as error:
            if restart or begun is None or not error.faults:
                raise
            report = score(str(path), output, True)  # what answers has changed since the file was begun
    except (DataError, BadRequest, SignatureMismatch) as error:
        if not path.exists():
            return None
        return _put_aside(path, error)
    return Came(path=str(path), report=report)


def _same(begun: Manifest, path: Path) -> bool:
    """Whether a job is about the file as it is now."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    return [(each.size, each.stamp) for each in begun.inputs] == [(status.st_size, str(status.st_mtime_ns))]


def _put_aside(path: Path, error: MlwrightError) -> Came:
    """Move a file to ``failed/``, with the reason beside it; the reason comes first, so that none lacks it."""
    place = path.parent / FAILED
    place.mkdir(exist_ok=True)
    to, number = place / path.name, 1
    while to.exists():
        to, number = place / f"{path.stem}.{number}{path.suffix}", number + 1
    reason = {
        "code": error.code,
        "what": error.what,
        "why": error.why,
        "where": error.where,
        "faults": [{"where": each.where, "what": each.what, "near": each.near} for each in error.faults],
    }
    (place / f"{to.name}.reason.json").write_bytes(msgspec.json.format(msgspec.json.encode(reason), indent=1))
    os.replace(path, to)
    return Came(path=str(path), error=error, put=str(to))
