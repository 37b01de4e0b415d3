"""What all inference processes of a project counted, as text that Prometheus reads: the same from any of them.

Standards: OpenMetrics 1.0 (https://github.com/prometheus/OpenMetrics) for those who accept it, else Prometheus's text
format 0.0.4; they differ in how the types of counters and infos are written, and in how the text ends. Counters and
histograms are sums over all processes, those that died included; a gauge that means something for one process only has
the label ``process``, its pid.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

from mlwright.stages.serving import counters as names
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.readings import Process, Reading, read_all, read_own
from mlwright.stages.serving.rings import dropped_rows, ring_states
from mlwright.stages.serving.slots import COUNT, MOST, Series

_OPENMETRICS: Final = "application/openmetrics-text"
_PROC: Final = Path("/proc")
_RING: Final = "mlwright_log_ring_bytes"
_RING_LIMIT: Final = "mlwright_log_ring_limit_bytes"


@dataclass(frozen=True, slots=True)
class _Family:
    name: str
    """Without ``_total`` or ``_info``."""
    kind: str
    """``counter``, ``gauge``, ``histogram`` or ``info``."""
    text: str
    shown: bool = True
    """Whether a value of 0 is shown."""


_FAMILIES: Final = (
    _Family(names.REQUESTS, "counter", "Requests for predictions."),
    _Family(names.ERRORS, "counter", "Requests that got an error, by its code."),
    _Family(
        names.REJECTED,
        "counter",
        "Requests not scored: the queue full, the client too often, the deadline passed.",
    ),
    _Family(names.ANSWERED_ROWS, "counter", "Rows answered."),
    _Family(names.ROWS, "counter", "Rows answered, by variant."),
    _Family(names.VARIANT_ERRORS, "counter", "Batches a variant could not score."),
    _Family(names.LABELS, "counter", "Labels taken."),
    _Family(names.FLAGGED, "counter", "Values outside the contract that were accepted or imputed."),
    _Family(names.DEGRADED, "counter", "Requests answered by a fallback, by its kind."),
    _Family(names.DROPPED, "counter", "Records of predictions that were lost, because the log was full."),
    _Family(
        names.MOVES, "counter", "Moves of a model from the event loop to a thread, because it held the loop."
    ),
    _Family(names.RESTARTS, "counter", "Starts of a model's own process after it had ended."),
    _Family(names.LATENCY, "histogram", "Time from request to logged answer."),
    _Family(names.QUEUE, "histogram", "Time that a request waited before it was scored."),
    _Family(names.SCORING, "histogram", "Time to score and log a batch."),
    _Family(names.BATCH_ROWS, "histogram", "Rows of a batch."),
    _Family(names.IN_FLIGHT, "gauge", "Rows that wait or are being scored."),
    _Family(names.WAITING, "gauge", "Rows that wait."),
    _Family(names.GENERATION, "gauge", "Generation of the route in force.", shown=False),
    _Family(names.MODE, "gauge", "How requests are batched.", shown=False),
    _Family(names.MODEL.removesuffix("_info"), "info", "Models in force.", shown=False),
    _Family(_RING, "gauge", "Bytes of predictions that wait in the log's ring."),
    _Family(_RING_LIMIT, "gauge", "Bytes that the log's ring takes."),
    _Family("process_resident_memory_bytes", "gauge", "Memory that is the process's and in use."),
    _Family("process_cpu_seconds", "counter", "Processor time used."),
    _Family("process_open_fds", "gauge", "Open files and sockets."),
    _Family("process_start_time_seconds", "gauge", "When it started, in seconds since 1970 UTC."),
)


def render(cores: Mapping[str, EndpointCore], accept: str, log: Path | None = None) -> tuple[str, str]:
    """All metrics as text, and its content type.

    Args:
        cores: the endpoints by name; where they count in a folder, all processes that do are shown, else this one.
        accept: the Accept header of the request.
        log: the folder of the prediction log, whose rings are shown.
    """
    samples = list(_samples(reading_of(cores)))
    if log is not None:
        samples += _of_rings(log)
    return page(samples, accept)


def reading_of(cores: Mapping[str, EndpointCore]) -> Reading:
    """What was counted: by all processes where they count in one folder, else by this one."""
    slots = {id(core.counters.slots): core.counters.slots for core in cores.values()}
    folders = {each.folder for each in slots.values() if each.folder is not None}
    return read_all(folders.pop()) if len(folders) == 1 else read_own(slots.values())


def page(samples: Iterable[tuple[Series, list[float]]], accept: str) -> tuple[str, str]:
    """Series and their values as text, in the form that the Accept header asks for, and its content type."""
    opened = _OPENMETRICS in accept
    by_name: dict[str, dict[Series, list[float]]] = {}
    for series, values in samples:
        same = by_name.setdefault(series.name, {})
        before = same.get(series)
        same[series] = values if before is None else [a + b for a, b in zip(before, values, strict=True)]
    lines: list[str] = []
    for family in _FAMILIES:
        name = f"{family.name}_info" if family.kind == "info" else family.name
        lines += _family(family, by_name.get(name, {}), opened=opened)
    if opened:
        text = "\n".join([*lines, "# EOF", ""])
        return text, f"{_OPENMETRICS}; version=1.0.0; charset=utf-8"
    return "\n".join([*lines, ""]), "text/plain; version=0.0.4; charset=utf-8"


def _family(family: _Family, series: Mapping[Series, list[float]], *, opened: bool) -> Iterator[str]:
    suffix = {"counter": "_total", "info": "_info"}.get(family.kind, "")
    headed = family.name if opened else family.name + suffix
    kind = "gauge" if family.kind == "info" and not opened else family.kind
    shown = [(each, values) for each, values in series.items() if family.shown or values[0]]
    if not shown:
        return
    yield f"# HELP {headed} {family.text}"
    yield f"# TYPE {headed} {kind}"
    for each, values in sorted(shown, key=lambda found: found[0].labels):
        labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in each.labels)
        if family.kind == "histogram":
            yield from _histogram(family.name, labels, each.bounds, values)
        else:
            marked = f"{{{labels}}}" if labels else ""
            yield f"{family.name}{suffix}{marked} {_number(values[0])}"


def _histogram(name: str, labels: str, bounds: tuple[float, ...], values: list[float]) -> Iterator[str]:
    counts = list(accumulate(int(each) for each in values[:-1]))
    before = f"{labels}," if labels else ""
    for bound, count in zip([*map(float, bounds), "+Inf"], counts, strict=True):
        yield f'{name}_bucket{{{before}le="{bound}"}} {count}'
    yield f"{name}_sum{{{labels}}} {values[-1]:.9g}"
    yield f"{name}_count{{{labels}}} {counts[-1]}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


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
