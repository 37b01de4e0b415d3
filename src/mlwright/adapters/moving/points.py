"""Points of many metrics, met in any order, made into one history a metric in bounded memory."""

import math
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np

from mlwright.adapters.moving.notes import Notes
from mlwright.model.tracking import History

Point: TypeAlias = tuple[str, int, int, float]
"""Key, step, instant in milliseconds since 1970, value."""

MOST_AT_ONCE: Final = 4_000_000
"""Points kept in memory at once, 24 bytes each; a source with more is read several times."""

_MOST_KEYS: Final = 50_000
_MOST_STEP: Final = 2**63 - 1


def ms_of(seconds: float) -> int:
    """Seconds since 1970 as whole milliseconds; 0 where they are none that a clock could show."""
    return int(seconds * 1000) if math.isfinite(seconds) and abs(seconds) < 1e14 else 0


def step_of(value: float) -> int | None:
    """A step as a whole number, rounded down; None where it is none that can be kept."""
    if not math.isfinite(value) or abs(value) >= _MOST_STEP:
        return None
    return math.floor(value)


@dataclass(slots=True)
class _Track:
    steps: "array[int]" = field(default_factory=lambda: array("q"))
    at_ms: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def history(self, key: str) -> History:
        steps = np.frombuffer(self.steps, dtype=np.int64)
        at_ms = np.frombuffer(self.at_ms, dtype=np.int64)
        order = np.lexsort((at_ms, steps))  # stable: the order of logging decides between equals
        values = np.frombuffer(self.values, dtype=np.float64)
        return History(key=key, steps=steps[order], at_ms=at_ms[order], values=values[order])


def gathered(
    scan: Callable[[], Iterator[Point]], notes: Notes, where: str, *, most: int = MOST_AT_ONCE
) -> Iterator[History]:
    """One history a key, in the order of the keys.

    Args:
        scan: reads all points from the beginning, the same each time.
        notes: is told when there are too many keys.
        where: what is scanned, for the notes.
        most: points kept at once. With more in the source, it is scanned again for each group of keys.
    """
    counts: dict[str, int] = {}
    tracks: dict[str, _Track] = {}
    total = 0
    for key, step, at_ms, value in scan():
        count = counts.get(key)
        if count is None:
            if len(counts) >= _MOST_KEYS:
                notes.add("metrics", where, f"there are more than {_MOST_KEYS} keys")
                continue
            count = counts[key] = 0
        counts[key] = count + 1
        total += 1
        if total <= most:
            _add(tracks, key, step, at_ms, value)
        elif tracks:
            tracks.clear()
    if total <= most:
        for key in sorted(tracks):
            yield tracks.pop(key).history(key)
        return
    for group in _groups(counts, most):
        tracks = {}
        for key, step, at_ms, value in scan():
            if key in group:
                _add(tracks, key, step, at_ms, value)
        for key in sorted(tracks):
            yield tracks.pop(key).history(key)


def _add(tracks: dict[str, _Track], key: str, step: int, at_ms: int, value: float) -> None:
    track = tracks.get(key)
    if track is None:
        track = tracks[key] = _Track()
    track.steps.append(step)
    track.at_ms.append(at_ms)
    track.values.append(value)


def _groups(counts: dict[str, int], most: int) -> Iterator[frozenset[str]]:
    """Neighbours by name, together at most so many points; a single key may have more."""
    group: list[str] = []
    size = 0
    for key in sorted(counts):
        if group and size + counts[key] > most:
            yield frozenset(group)
            group, size = [], 0
        group.append(key)
        size += counts[key]
    if group:
        yield frozenset(group)
