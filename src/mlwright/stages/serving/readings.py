"""What all processes of a project counted, and how busy they are: read from the files that ``slots.py`` describes.

What a dead process counted is kept in ``dead.json``, so that totals never go back and files do not pile up: whoever
reads and finds a file whose lock is free adds it there and removes it, one reader at a time. Readers need no lock:
``dead.json`` names the files that were added to it last, is read after the files, and a file that was read and is named
there does not count twice.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final, TypeAlias

from mlwright.stages.serving.counters import IN_FLIGHT, PULSE, WAITING
from mlwright.stages.serving.filing import locked
from mlwright.stages.serving.slots import (
    AMOUNT,
    COUNT,
    EACH,
    HISTOGRAM,
    MOST,
    SUFFIX,
    SUM,
    Labels,
    Series,
    Slots,
    parse,
)

DEAD: Final = "dead.json"
_LOCK: Final = "dead.lock"
_NAMED: Final = 1024

Values: TypeAlias = list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One living process and its gauges."""

    pid: int
    gauges: Mapping[Series, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All processes together.

    ``totals`` has counts, amounts and histograms (buckets, then the sum) of the living and the dead, and gauges over
    the living, summed or the largest as their kind says. Gauges that mean something for one process only are in
    ``processes``.
    """

    totals: Mapping[Series, Values] = field(default_factory=dict)
    processes: tuple[Process, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLoad:
    """How busy a process was over the last second."""

    pid: int
    busy: float
    """The part of the second in which batches were scored; above 1 with several endpoints in threads, or after a batch
    of more than a second: a batch counts when it ends."""
    cpu: float
    """Processor seconds a second, of all its threads, in its last second with requests before this one; 0 if that was
    long ago."""
    concurrency: float
    """How many requests were here on average, waiting or being scored."""
    requests_s: float
    """Requests scored a second."""
    in_flight_rows: int
    """Now, waiting or being scored."""
    waiting_rows: int
    """Now."""
    last_request: float | None
    """When it last answered one, in seconds of ``time.monotonic``; None: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How busy the processes of a project were over the last second; means are over the processes."""

    processes: tuple[ProcessLoad, ...] = ()

    @property
    def busy(self) -> float:
        """The mean part of the second in which batches were scored."""
        return sum(each.busy for each in self.processes) / max(1, len(self.processes))

    @property
    def concurrency(self) -> float:
        """The mean number of requests in a process."""
        return sum(each.concurrency for each in self.processes) / max(1, len(self.processes))

    @property
    def requests_s(self) -> float:
        """Requests scored a second, by all."""
        return sum(each.requests_s for each in self.processes)

    @property
    def waiting_rows(self) -> int:
        """Rows that wait now, in all."""
        return sum(each.waiting_rows for each in self.processes)

    @property
    def last_request(self) -> float | None:
        """When any last answered a request, in seconds of ``time.monotonic``; None: none of the living ever did."""
        return max(
            (each.last_request for each in self.processes if each.last_request is not None), default=None
        )


def metrics_folder(state: Path) -> Path:
    """Where the processes of a project count, below its state folder."""
    return state / "run" / "metrics"


def read_all(folder: Path) -> Reading:
    """What the processes of this folder counted, those that are dead included. An empty or missing folder: nothing."""
    living: dict[str, _File] = {}
    dead: dict[str, _File] = {}
    for name, file in _files(folder):
        (living if file.alive else dead)[name] = file
    if dead:
        _fold(folder)
    known = _read_dead(folder)
    totals = dict(known.series)
    for name, file in (living | dead).items():
        if name not in known.names:
            _add(totals, file.series, gauges=file.alive)
    return Reading(totals=totals, processes=_processes(living))


def read_own(slots: Iterable[Slots]) -> Reading:
    """What this process counted, where that is not in a folder."""
    totals: dict[Series, Values] = {}
    files = {str(number): _File(os.getpid(), True, each.read()) for number, each in enumerate(slots)}
    for file in files.values():
        _add(totals, file.series, gauges=True)
    return Reading(totals=totals, processes=_processes(files))


def read_load(folder: Path, now: float | None = None) -> Load:
    """How busy each living process was over the last second.

    Args:
        folder: where their counters are.
        now: seconds of ``time.monotonic``, which is one clock for all processes of a machine.
    """
    at = monotonic() if now is None else now
    living = {name: file for name, file in _files(folder) if file.alive}
    return Load(processes=tuple(_load(process, living, at) for process in _processes(living)))


@dataclass(frozen=True, slots=True)
class _File:
    pid: int
    alive: bool
    series: list[tuple[Series, Values]]


@dataclass(frozen=True, slots=True)
class _Dead:
    names: list[str] = field(default_factory=list)
    series: dict[Series, Values] = field(default_factory=dict)


def _files(folder: Path) -> Iterator[tuple[str, _File]]:
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with suppress(OSError, ValueError):  # removed meanwhile, or not written whole yet
            pid = int(path.name.split("-", 1)[0])
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                alive = not _free(descriptor)
                data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
            finally:
                os.close(descriptor)
            yield path.name, _File(pid, alive, list(parse(memoryview(data))))


def _free(descriptor: int) -> bool:
    """Whether the owner of the file is gone. A shared lock, so that readers do not take each other for owners."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _processes(living: Mapping[str, _File]) -> tuple[Process, ...]:
    gauges: dict[int, dict[Series, float]] = {}
    for file in living.values():
        mine = gauges.setdefault(file.pid, {})
        for series, values in file.series:
            if series.kind in (EACH, SUM):
                mine[series] = mine.get(series, 0.0) + values[0]
    return tuple(Process(pid=pid, gauges=mine) for pid, mine in sorted(gauges.items()))


def _add(totals: dict[Series, Values], series: list[tuple[Series, Values]], *, gauges: bool) -> None:
    for each, values in series:
        if each.kind in (COUNT, AMOUNT, HISTOGRAM) or (gauges and each.kind == SUM):
            before = totals.get(each)
            totals[each] = values if before is None else [a + b for a, b in zip(before, values, strict=True)]
        elif gauges and each.kind == MOST:
            totals[each] = [max(values[0], totals.get(each, values)[0])]


def _load(process: Process, living: Mapping[str, _File], now: float) -> ProcessLoad:
    gauges: dict[str, float] = {}
    for series, value in process.gauges.items():
        gauges[series.name] = gauges.get(series.name, 0.0) + value
    pulse = {name: gauges.get(f"pulse_{name}", 0.0) for name in PULSE}
    age = int(now) - int(pulse["second"])
    old = 1.0 - (now - int(now))  # the part of the last second that lies in the one before this

    def over(name: str) -> float:
        if age == 0:
            return pulse[name] + old * pulse[f"{name}_before"]
        return old * pulse[name] if age == 1 else 0.0

    return ProcessLoad(
        pid=process.pid,
        busy=over("busy"),
        cpu=pulse["cpu"] if age in (0, 1) else 0.0,
        concurrency=over("stay"),
        requests_s=over("requests"),
        in_flight_rows=int(gauges.get(IN_FLIGHT, 0.0)),
        waiting_rows=int(gauges.get(WAITING, 0.0)),
        last_request=pulse["last"] or None,
    )


def _fold(folder: Path) -> None:
    """Add the dead to what is known of the dead, then remove their files. Dying on the way does no harm."""
    with suppress(OSError), locked(folder / _LOCK, exclusive=True, wait=False) as alone:
        if not alone:
            return
        known = _read_dead(folder)
        dead = {name: file for name, file in _files(folder) if not file.alive}
        fresh = {name: file for name, file in dead.items() if name not in known.names}
        if fresh:
            for file in fresh.values():
                _add(known.series, file.series, gauges=False)
            _write_dead(folder, _Dead([*known.names, *fresh][-_NAMED:], known.series))
        for name in dead:
            (folder / name).unlink(missing_ok=True)


def _read_dead(folder: Path) -> _Dead:
    try:
        data = json.loads((folder / DEAD).read_bytes())
        series = {
            Series(name, kind, _labels(labels), tuple(bounds)): values
            for name, kind, labels, bounds, values in data["series"]
        }
        return _Dead(list(data["names"]), series)
    except (OSError, ValueError, KeyError, TypeError):
        return _Dead()


def _write_dead(folder: Path, dead: _Dead) -> None:
    rows = [[each.name, each.kind, each.labels, each.bounds, values] for each, values in dead.series.items()]
    fresh = folder / f"{DEAD}.{os.getpid()}"
    fresh.write_text(json.dumps({"names": dead.names, "series": rows}))
    fresh.replace(folder / DEAD)


def _labels(pairs: list[list[str]]) -> Labels:
    return tuple((key, value) for key, value in pairs)
