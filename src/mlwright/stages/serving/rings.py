"""The rings of a log folder as others see them: what is in them, and what becomes of those that the dead left."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlwright.stages.serving.filing import commit, locked
from mlwright.stages.serving.journal import PREDICTIONS
from mlwright.stages.serving.ringfile import RingFile, orphaned, remove, ring_pid

_DROPPED: Final = "dropped.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RingState:
    """One ring: bytes that it holds at most and that wait in it, rows lost by endpoint, and why it is not emptied."""

    name: str
    pid: int
    capacity: int
    waiting: int
    dropped: dict[str, int]
    trouble: str | None


def ring_states(folder: Path) -> tuple[RingState, ...]:
    """The rings of a log, oldest first: those of serving processes, and those that the dead left."""
    found = []
    for path in sorted((folder / "ring").glob("*.ring")):
        ring = RingFile.open(path)
        if ring is not None:
            state = RingState(
                name=path.stem,
                pid=ring_pid(path),
                capacity=ring.capacity,
                waiting=max(0, ring.head - ring.tail),
                dropped=ring.notes.dropped,
                trouble=ring.notes.trouble,
            )
            ring.close()
            found.append(state)
    return tuple(found)


def pending(path: Path) -> bytes:
    """The frames that are in a ring and not in a journal yet."""
    ring = RingFile.open(path)
    if ring is None:
        return b""
    data = ring.pending()
    ring.close()
    return data


def take_over_rings(folder: Path, lock: Path, keep_open: Callable[[int], bool] | None = None) -> int:
    """Write what the dead left in their rings to journals, keep their counts of losses, and remove the rings.

    A death on the way does no harm: the journal has the ring's name, so that doing it again writes the same bytes to
    the same place, or to a second segment of which readers keep one record a prediction.

    Args:
        folder: the log.
        lock: the log's lock file; held exclusively only while files appear and disappear.
        keep_open: told the pid of a ring's owner; True leaves it alone.

    Returns:
        How many rings were taken over.
    """
    done = 0
    for path in sorted((folder / "ring").glob("*.ring")):
        if keep_open is not None and keep_open(ring_pid(path)):
            continue
        descriptor = orphaned(path)
        if descriptor is not None:
            try:
                _take_over(path, folder, lock)
            finally:
                os.close(descriptor)
            done += 1
    return done


def dropped_rows(folder: Path, rings: Sequence[RingState]) -> dict[str, int]:
    """Rows that were lost because a ring was full, ever, by endpoint. No lock is needed.

    Args:
        folder: the log.
        rings: as they were just now: a ring that is taken over meanwhile then stands in the file as well, and counts
            once; had the file been read first, it might stand in neither.
    """
    counts = {each.name: each.dropped for each in rings} | _read_drops(folder)
    total: dict[str, int] = {}
    for of_ring in counts.values():
        for endpoint, rows in of_ring.items():
            total[endpoint] = total.get(endpoint, 0) + rows
    return total


def _take_over(path: Path, folder: Path, lock: Path) -> None:
    ring = RingFile.open(path)
    data, drops = (ring.pending(), ring.notes.dropped) if ring is not None else (b"", {})
    if ring is not None:
        ring.close()
    staged = []
    if data:
        started, pid, number = path.stem.rsplit("-", 2)
        target = folder / "journal" / f"{PREDICTIONS}-{started}-{pid}-r{number}.mlj"
        staged.append((_draft(target, data), target))
    with locked(lock, exclusive=True):
        if drops:
            counts = {**_read_drops(folder), path.stem: drops}
            target = folder / _DROPPED
            staged.append((_draft(target, json.dumps(counts).encode()), target))
        for draft, target in staged:
            commit(draft, target)
        remove(path)


def _draft(target: Path, data: bytes) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.tmp")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _read_drops(folder: Path) -> dict[str, dict[str, int]]:
    try:
        counts: dict[str, dict[str, int]] = json.loads((folder / _DROPPED).read_bytes())
    except FileNotFoundError:
        return {}
    return counts
