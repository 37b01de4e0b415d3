"""Numbers that every process of a project can read: counted by one, in memory that all share.

Each process owns files ``<folder>/<pid>-<started us>[-<n>].mlm`` and maps them; whoever wants to know reads all of
them (``readings.py``). A file is::

    4 bytes   magic "MLM1"
    4 bytes   number of slots, little endian
    4 bytes   where the slots begin
    4 bytes   bytes of the name table in use; written after the names, so that a reader sees whole ones
    ...       name table: a JSON array a line, [first slot, name, kind, labels, bounds]
    ...       slots of 8 bytes, native: int64 for counts, float64 for what is not counted

The owner holds an exclusive ``flock`` on each file as long as it lives: whoever gets that lock knows that the owner is
gone (also after ``kill -9``, also when its pid was given to another process since).

To count is ``view[i] += n`` on a memoryview (0.06 µs; a NumPy array would take 0.22). That is not atomic between
processes, and need not be: each slot has one writing process. Between its threads the interpreter's lock is enough, for
nothing between reading and writing the slot lets go of it.
"""

import contextlib
import fcntl
import json
import logging
import mmap
import os
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, TypeAlias

Labels: TypeAlias = tuple[tuple[str, str], ...]

COUNT: Final = "count"
"""A whole number that only grows."""
AMOUNT: Final = "amount"
"""A float that only grows."""
SUM: Final = "sum"
"""A gauge; over several processes, their sum."""
MOST: Final = "most"
"""A gauge; over several processes, the largest."""
EACH: Final = "each"
"""A gauge that means something for one process only."""
HISTOGRAM: Final = "histogram"
"""Counts by bucket, and the sum of what was seen."""

SUFFIX: Final = ".mlm"
MAGIC: Final = b"MLM1"
HEAD: Final = struct.Struct("<4sIII")
_USED: Final = struct.Struct("<I")
_USED_AT: Final = 12
_SLOT: Final = 8
_NAME_BYTES: Final = 48
"""Room for names, by slot: a histogram takes some 120 bytes for its 13 slots, a counter some 70 for one."""

_log: Final = logging.getLogger("mlwright.serving")


@dataclass(frozen=True, slots=True)
class Series:
    """One number, or one histogram, with its labels. ``bounds`` are upper bounds of buckets; one more is added."""

    name: str
    kind: str = COUNT
    labels: Labels = ()
    bounds: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """How many slots it takes: a histogram one a bucket, and one for the sum (float64, the last)."""
        return len(self.bounds) + 2 if self.kind == HISTOGRAM else 1


@dataclass(frozen=True, slots=True)
class Block:
    """Some series next to each other in one file: ``counts[at[i]]`` or ``amounts[at[i]]`` is the first slot of i."""

    counts: "memoryview[int]"
    """The slots as int64."""
    amounts: "memoryview[float]"
    """The same slots as float64."""
    at: tuple[int, ...]


class Slots:
    """The numbers of this process. Without a folder they live in its own memory only.

    A folder that cannot be written is no reason not to serve: then the log says so, and they live in memory. Not to be
    used in a child that was forked after it was made.
    """

    def __init__(self, folder: Path | None = None, *, size: int = 4096) -> None:
        self.folder = folder
        self._size = size
        self._stem = f"{os.getpid()}-{time.time_ns() // 1000}"
        self._pages: list[_Page] = []
        self._blocks: dict[tuple[Series, ...], Block] = {}
        self._lock = Lock()

    def block(self, *series: Series) -> Block:
        """Slots for these series; asked for again, the same ones."""
        found = self._blocks.get(series)
        if found is not None:
            return found
        with self._lock:
            if series not in self._blocks:
                self._blocks[series] = self._placed(series)
            return self._blocks[series]

    def read(self) -> list[tuple[Series, list[float]]]:
        """What this process counted, by series; a histogram's values are its buckets, then its sum."""
        return [found for page in self._pages for found in parse(memoryview(page.memory))]

    def close(self) -> None:
        """Let go of the files: the next reader adds them to what is known of dead processes."""
        for page in self._pages:
            page.close()

    def _placed(self, series: tuple[Series, ...]) -> Block:
        if self._pages:
            block = self._pages[-1].place(series)
            if block is not None:
                return block
        slots = max(self._size, sum(each.width for each in series))
        names = max(slots * _NAME_BYTES, 2 * sum(len(_line(0, each)) for each in series))
        self._pages.append(self._page(slots, names))
        block = self._pages[-1].place(series)
        assert block is not None  # the page was made large enough
        return block

    def _page(self, slots: int, names: int) -> "_Page":
        if self.folder is not None:
            number = f"-{len(self._pages)}" if self._pages else ""
            try:
                return _Page(slots, names, self.folder / f"{self._stem}{number}{SUFFIX}")
            except OSError as error:
                _log.warning("metrics of this process are not shared with the others: %s", error)
        return _Page(slots, names, None)


class _Page:
    """One mapped file, or as much plain memory."""

    def __init__(self, slots: int, names: int, path: Path | None) -> None:
        begin = -(-(HEAD.size + names) // _SLOT) * _SLOT
        size = begin + slots * _SLOT
        self._descriptor = None if path is None else _created(path, size)
        self.memory = mmap.mmap(-1 if self._descriptor is None else self._descriptor, size)
        HEAD.pack_into(self.memory, 0, MAGIC, slots, begin, 0)
        whole = memoryview(self.memory)[begin:]
        self._counts, self._amounts = whole.cast("q"), whole.cast("d")
        self._begin, self._slots = begin, slots
        self._used = 0
        self._next = 0

    def place(self, series: Sequence[Series]) -> Block | None:
        """Slots for the series, or None where they do not fit."""
        at: list[int] = []
        lines = b""
        free = self._next
        for each in series:
            at.append(free)
            lines += _line(free, each)
            free += each.width
        start = HEAD.size + self._used
        if free > self._slots or start + len(lines) > self._begin:
            return None
        self.memory[start : start + len(lines)] = lines
        self._used += len(lines)
        _USED.pack_into(self.memory, _USED_AT, self._used)
        self._next = free
        return Block(self._counts, self._amounts, tuple(at))

    def close(self) -> None:
        """Give the lock back. The memory stays as long as somebody counts in it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            fcntl.flock(
                descriptor, fcntl.LOCK_UN
            )  # closing is not enough: the mapping has the file open as well
            os.close(descriptor)


def parse(data: "memoryview[int]") -> Iterator[tuple[Series, list[float]]]:
    """The series of one file and their values.

    Raises:
        ValueError: it is no such file.
    """
    if len(data) < HEAD.size:
        raise ValueError("no file of counters: too short")
    magic, slots, begin, used = HEAD.unpack_from(data)
    if magic != MAGIC or begin + slots * _SLOT > len(data) or HEAD.size + used > begin:
        raise ValueError("no file of counters, or a damaged one")
    whole = data[begin : begin + slots * _SLOT]
    counts, amounts = whole.cast("q"), whole.cast("d")
    for line in bytes(data[HEAD.size : HEAD.size + used]).splitlines():
        at, name, kind, labels, bounds = json.loads(line)
        series = Series(name, kind, tuple((key, value) for key, value in labels), tuple(bounds))
        last = at + series.width - 1
        if kind == HISTOGRAM:
            yield series, [*counts[at:last].tolist(), amounts[last]]
        else:
            yield series, [counts[at] if kind == COUNT else amounts[at]]


def _line(at: int, series: Series) -> bytes:
    row = [at, series.name, series.kind, series.labels, series.bounds]
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def _created(path: Path, size: int) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # a reader may hold it for a moment
        if hasattr(os, "posix_fallocate"):  # on a full disk an error now, and not a SIGBUS at the first count
            os.posix_fallocate(descriptor, 0, size)
        else:
            os.ftruncate(descriptor, size)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)
        raise
    return descriptor
