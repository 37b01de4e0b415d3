"""Triton's statistics extension: what was counted of an endpoint since its project counts, by all its processes.

Form: https://github.com/triton-inference-server/server, docs/protocol/extension_statistics.md. The numbers are the
endpoint's, whatever version answered. Durations of the model are counted by batch, not by request; batches are counted
in ranges, of which ``batch_size`` is the largest.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from mlwright.doors.http.inference.answering import encoded
from mlwright.doors.http.inference.exchange import Response
from mlwright.doors.http.inference.metrics import reading_of
from mlwright.stages.serving import counters as names
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.host import InferenceHost
from mlwright.stages.serving.readings import Reading


def statistics(cores: Iterable[EndpointCore], version: str | None = None) -> list[dict[str, Any]]:
    """One entry an endpoint; ``version`` is said in it in place of the champion's."""
    found = {core.spec.name: core for core in cores}
    reading = reading_of(found)
    last_ms = _last_ms(reading)
    return [_of(core, reading, version, last_ms) for core in found.values()]


def of_one(core: EndpointCore, version: str | None) -> Response:
    """``GET /v2/models/{model}/stats``."""
    return Response(encoded({"model_stats": statistics([core], version)}))


def of_all(host: InferenceHost) -> Response:
    """``GET /v2/models/stats``."""
    return Response(encoded({"model_stats": statistics(host.cores.values())}))


def _of(core: EndpointCore, reading: Reading, version: str | None, last_ms: int) -> dict[str, Any]:
    name = core.spec.name
    label = ("endpoint", name)
    counted: dict[str, list[float]] = {}
    for series, values in reading.totals.items():
        if label in series.labels:
            before = counted.get(series.name)
            both = values if before is None else [a + b for a, b in zip(before, values, strict=True)]
            counted[series.name] = both
    batches = counted.get(names.SCORING, [0.0])
    sizes = counted.get(names.BATCH_ROWS, [])
    route = core.route
    live = str(route.variants[0].version) if route is not None and route.variants else ""
    return {
        "name": name,
        "version": live if version is None else version,
        "last_inference": last_ms if counted.get(names.REQUESTS, [0.0])[0] else 0,
        "inference_count": int(counted.get(names.ANSWERED_ROWS, [0.0])[0]),
        "execution_count": int(sum(batches[:-1])),
        "inference_stats": {
            "success": _histogram(counted, names.LATENCY),
            "fail": {"count": int(counted.get(names.ERRORS, [0.0])[0]), "ns": 0},
            "queue": _histogram(counted, names.QUEUE),
            "compute_input": {"count": 0, "ns": 0},
            "compute_infer": _histogram(counted, names.SCORING),
            "compute_output": {"count": 0, "ns": 0},
        },
        "batch_stats": [
            {"batch_size": int(bound), "compute_infer": {"count": int(count), "ns": 0}}
            for bound, count in zip((*names.BATCH_BOUNDS, 2 * names.BATCH_BOUNDS[-1]), sizes, strict=False)
            if count
        ],
    }


def _histogram(counted: Mapping[str, list[float]], name: str) -> dict[str, int]:
    values = counted.get(name, [0.0])
    return {"count": int(sum(values[:-1])), "ns": round(values[-1] * 1e9)}


def _last_ms(reading: Reading) -> int:
    """When any process last answered, in milliseconds since 1970."""
    last_s = [
        value
        for process in reading.processes
        for series, value in process.gauges.items()
        if series.name == "pulse_last" and value
    ]
    return round((time.time() - (time.monotonic() - max(last_s))) * 1e3) if last_s else 0
