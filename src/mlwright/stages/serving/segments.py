"""Segments: Parquet files of log rows that never change, named so that a reader can skip them unopened.

``<lowest time>-<highest time>-<rows>-<name>.parquet``, times in microseconds since 1970. A segment made
from a journal carries the journal's name. Merging is safe against a death at any point: the list of what a
merged segment replaces is on disk (``<merged>.replaces``) before the merged segment appears by one rename,
and from then on readers do not see the replaced ones, whether or not they are deleted yet.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

import polars as pl

from mlwright.stages.serving.filing import commit, locked
from mlwright.stages.serving.frames import stacked

_NAME: Final = re.compile(r"(-?\d+)-(-?\d+)-(\d+)-(.+)\.parquet")
SMALL_ROWS: Final = 20_000
"""A segment below this many rows is merged with its neighbours."""
_GROUP_ROWS: Final = 16_384
"""Rows that are skipped or decoded together: a reader of one day does not decode what a segment has of all others."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One file: the times it spans (both ends included), its rows, and the name of what it was made from."""

    path: Path
    first: int
    last: int
    rows: int
    name: str

    def overlaps(self, start: int, end: int) -> bool:
        """Whether it may hold a time in ``[start, end)``."""
        return self.first < end and self.last >= start


def read_segments(folder: Path) -> list[Segment]:
    """The segments in force, by first time."""
    names = _names(folder)
    replaced = _replaced(folder, names)
    found = []
    for name in names:
        match = _NAME.fullmatch(name)
        if match and name not in replaced:
            first, last, rows = int(match[1]), int(match[2]), int(match[3])
            found.append(Segment(path=folder / name, first=first, last=last, rows=rows, name=match[4]))
    return sorted(found, key=lambda each: (each.first, each.name))


def stage_segment(folder: Path, frame: pl.DataFrame, name: str, time: str) -> tuple[Path, Path]:
    """Write a frame to a temporary file, forced to disk.

    Returns:
        The temporary file and the name under which :func:`commit` shall publish it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    times = frame[time].to_physical().to_numpy()
    target = folder / f"{times.min()}-{times.max()}-{frame.height}-{name}.parquet"
    temporary = folder / f".{target.name}.tmp"
    frame.write_parquet(temporary, compression="zstd", statistics=True, row_group_size=_GROUP_ROWS)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    return temporary, target


def merge_small(
    folder: Path, time: str, lock: Path, newest: Callable[[pl.DataFrame], pl.DataFrame]
) -> tuple[int, int]:
    """Merge runs of small segments until each has at least :data:`SMALL_ROWS` rows or none is left to add.

    Args:
        folder: the segments of one kind.
        time: the column that names them.
        lock: the log's lock file; held exclusively only while files appear and disappear.
        newest: keeps the last of several rows with one key.

    Returns:
        How many segments were merged, and into how many.
    """
    merged = made = 0
    for group in _groups([each for each in read_segments(folder) if each.rows < SMALL_ROWS]):
        frame = newest(stacked([pl.read_parquet(each.path) for each in group])).sort(
            time, maintain_order=True
        )
        inputs = [each.path.name for each in group]
        name = "m" + blake2b("\n".join(inputs).encode(), digest_size=8).hexdigest()
        temporary, target = stage_segment(folder, frame, name, time)
        note = target.with_suffix(".replaces")
        draft = note.with_suffix(".replaces.tmp")
        with draft.open("w") as file:
            file.write(json.dumps(inputs))
            file.flush()
            os.fsync(file.fileno())
        with locked(lock, exclusive=True):
            commit(draft, note)
            commit(temporary, target)
            _delete_replaced(folder)
        merged += len(group)
        made += 1
    return merged, made


def recover(folder: Path, lock: Path) -> None:
    """Finish or undo what a compaction that died left behind."""
    if folder.is_dir():
        with locked(lock, exclusive=True):
            for leftover in folder.glob("*.tmp"):
                leftover.unlink(missing_ok=True)
            _delete_replaced(folder)


def _names(folder: Path) -> set[str]:
    return set(os.listdir(folder)) if folder.is_dir() else set()


def _replaced(folder: Path, names: set[str]) -> set[str]:
    gone: set[str] = set()
    for note in names:
        if note.endswith(".replaces") and note.removesuffix(".replaces") + ".parquet" in names:
            gone.update(json.loads((folder / note).read_text()))
    return gone


def _delete_replaced(folder: Path) -> None:
    names = _names(folder)
    for replaced in _replaced(folder, names):
        (folder / replaced).unlink(missing_ok=True)
    for note in names:
        if note.endswith(".replaces"):
            (folder / note).unlink(missing_ok=True)


def _groups(small: Sequence[Segment]) -> Iterator[list[Segment]]:
    group: list[Segment] = []
    for each in small:
        group.append(each)
        if sum(member.rows for member in group) >= SMALL_ROWS:
            yield group
            group = []
    if len(group) > 1:
        yield group
