"""What all inference processes of a project counted, as text that Prometheus reads: the same from any of them.

Counters and histograms are sums over all processes, those that died included; a gauge that means something for one
process only has the label ``process``, its pid.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from mlwright.doors.http.exposition import Family, exposition
from mlwright.stages.serving import counters as names
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.readings import Process, Reading, read_all, read_own
from mlwright.stages.serving.rings import dropped_rows, ring_states
from mlwright.stages.serving.slots import COUNT, MOST, Series

_PROC: Final = Path("/proc")
_RING: Final = "mlwright_log_ring_bytes"
_RING_LIMIT: Final = "mlwright_log_ring_limit_bytes"


FAMILIES: Final = (
    Family(names.REQUESTS, "counter", "Requests for predictions."),
    Family(names.SLOW, "counter", "Answered requests that took longer than the endpoint promises."),
    Family(names.LIMIT, "gauge", "Time within which the endpoint promises to answer.", shown=False),
    Family(names.ERRORS, "counter", "Requests that got an error, by its code."),
    Family(
        names.REJECTED,
        "counter",
        "Requests not scored: the queue full, the client too often, the deadline passed.",
    ),
    Family(names.ANSWERED_ROWS, "counter", "Rows answered."),
    Family(names.ROWS, "counter", "Rows answered, by variant."),
    Family(names.VARIANT_ERRORS, "counter", "Batches a variant could not score."),
    Family(names.LABELS, "counter", "Labels taken."),
    Family(names.FLAGGED, "counter", "Values outside the contract that were accepted or imputed."),
    Family(names.DEGRADED, "counter", "Requests answered by a fallback, by its kind."),
    Family(names.DROPPED, "counter", "Records of predictions that were lost, because the log was full."),
    Family(
        names.MOVES, "counter", "Moves of a model from the event loop to a thread, because it held the loop."
    ),
    Family(names.RESTARTS, "counter", "Starts of a model's own process after it had ended."),
    Family(names.LATENCY, "histogram", "Time from request to logged answer."),
    Family(names.QUEUE, "histogram", "Time that a request waited before it was scored."),
    Family(names.SCORING, "histogram", "Time to score and log a batch."),
    Family(names.BATCH_ROWS, "histogram", "Rows of a batch."),
    Family(names.IN_FLIGHT, "gauge", "Rows that wait or are being scored."),
    Family(names.WAITING, "gauge", "Rows that wait."),
    Family(names.GENERATION, "gauge", "Generation of the route in force.", shown=False),
    Family(names.MODE, "gauge", "How requests are batched.", shown=False),
    Family(names.MODEL.removesuffix("_info"), "info", "Models in force.", shown=False),
    Family(_RING, "gauge", "Bytes of predictions that wait in the log's ring."),
    Family(_RING_LIMIT, "gauge", "Bytes that the log's ring takes."),
    Family("process_resident_memory_bytes", "gauge", "Memory that is the process's and in use."),
    Family("process_cpu_seconds", "counter", "Processor time used."),
    Family("process_open_fds", "gauge", "Open files and sockets."),
    Family("process_start_time_seconds", "gauge", "When it started, in seconds since 1970 UTC."),
)


def render(cores: Mapping[str, EndpointCore], accept: str, log: Path | None = None) -> tuple[str, str]:
    """All metrics as text, and its content type.

    Args:
        cores: the endpoints by name; where they count in a folder, all processes that do are shown, else this one.
        accept: the Accept header of the request.
        log: the folder of the prediction log, whose rings are shown.
    """
    return page(samples_of(reading_of(cores), log), accept)


def samples_of(reading: Reading, log: Path | None = None) -> Iterator[tuple[Series, list[float]]]:
    """What was counted, how the processes are, and how full the rings of the prediction log ``log`` are."""
    yield from _samples(reading)
    if log is not None:
        yield from _of_rings(log)


def reading_of(cores: Mapping[str, EndpointCore]) -> Reading:
    """What was counted: by all processes where they count in one folder, else by this one."""
    slots = {id(core.counters.slots): core.counters.slots for core in cores.values()}
    folders = {each.folder for each in slots.values() if each.folder is not None}
    return read_all(folders.pop()) if len(folders) == 1 else read_own(slots.values())


def page(samples: Iterable[tuple[Series, list[float]]], accept: str) -> tuple[str, str]:
    """Series of the processes and their values as text, and its content type; see :func:`exposition`."""
    return exposition(samples, FAMILIES, accept)


def _samples(reading: Reading) -> Iterator[tuple[Series, list[float]]]:
    yield from reading.totals.items()
    for process in reading.processes:
        by = ("process", str(process.pid))
        for series, value in process.gauges.items():
            if series.name in (names.GENERATION, names.MODE):
                yield Series(series.name, series.kind, (*series.labels, by)), [value]
        yield from _of_process(process, by)


def _of_process(process: Process, by: tuple[str, str]) -> Iterator[tuple[Series, list[float]]]:
    """What the kernel knows of a process, where it is Linux."""
    folder = _PROC / str(process.pid)
    with suppress(OSError, ValueError, IndexError):  # no Linux, or it has just ended
        fields = (folder / "stat").read_text().rpartition(")")[2].split()  # a name may have spaces
        ticks = os.sysconf("SC_CLK_TCK")
        memory = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
        boot_s = next(
            int(line.split()[1])
            for line in (_PROC / "stat").read_text().splitlines()
            if line.startswith("btime")
        )
        yield Series("process_cpu_seconds", COUNT, (by,)), [(int(fields[11]) + int(fields[12])) / ticks]
        yield Series("process_resident_memory_bytes", MOST, (by,)), [memory]
        yield Series("process_start_time_seconds", MOST, (by,)), [boot_s + int(fields[19]) / ticks]
        yield Series("process_open_fds", MOST, (by,)), [len(os.listdir(folder / "fd"))]


def _of_rings(log: Path) -> Iterator[tuple[Series, list[float]]]:
    with suppress(OSError):
        rings = ring_states(log)
        for ring in rings:
            by = (("process", str(ring.pid)),)
            yield Series(_RING, MOST, by), [ring.waiting]
            yield Series(_RING_LIMIT, MOST, by), [ring.capacity]
        for endpoint, rows in sorted(dropped_rows(log, rings).items()):
            yield Series(names.DROPPED, COUNT, (("endpoint", endpoint),)), [rows]
