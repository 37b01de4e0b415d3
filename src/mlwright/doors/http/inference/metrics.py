"""The counters of an inference process as text that Prometheus reads.

Standards: OpenMetrics 1.0 (https://github.com/prometheus/OpenMetrics) for those who accept it, else Prometheus's
text format 0.0.4; they differ in how the type of a counter is written and how the text ends. With several
processes behind one port each scrape reaches one of them; the label ``process`` says which.
"""

import os
from collections.abc import Iterator, Mapping
from itertools import accumulate

from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.counters import LATENCY_BOUNDS_S

_OPENMETRICS = "application/openmetrics-text"
_LATENCY = "mlwright_latency_seconds"


def render(cores: Mapping[str, EndpointCore], accept: str) -> tuple[str, str]:
    """All metrics as text, and its content type.

    Args:
        cores: the endpoints by name.
        accept: the Accept header of the request.
    """
    if _OPENMETRICS in accept:
        text = "\n".join([*_lines(cores, counter=""), "# EOF", ""])
        return text, f"{_OPENMETRICS}; version=1.0.0; charset=utf-8"
    text = "\n".join([*_lines(cores, counter="_total"), ""])
    return text, "text/plain; version=0.0.4; charset=utf-8"


def _lines(cores: Mapping[str, EndpointCore], counter: str) -> Iterator[str]:
    marked = {name: _labels(endpoint=name) for name in cores}
    yield from _head(f"mlwright_requests{counter}", "counter", "Requests for predictions.")
    for name, core in cores.items():
        yield f"mlwright_requests_total{{{marked[name]}}} {core.counters.requests}"
    yield from _head(f"mlwright_request_errors{counter}", "counter", "Requests that got an error.")
    for name, core in cores.items():
        yield f"mlwright_request_errors_total{{{marked[name]}}} {core.counters.errors}"
    yield from _head(f"mlwright_labels{counter}", "counter", "Labels taken.")
    for name, core in cores.items():
        yield f"mlwright_labels_total{{{marked[name]}}} {core.counters.labels}"
    yield from _head(f"mlwright_rows{counter}", "counter", "Rows answered, by variant.")
    for name, core in cores.items():
        for variant, rows in core.counters.variant_rows.items():
            yield f"mlwright_rows_total{{{_labels(endpoint=name, variant=variant)}}} {rows}"
    yield from _head(f"mlwright_variant_errors{counter}", "counter", "Requests a variant could not score.")
    for name, core in cores.items():
        for variant, errors in core.counters.variant_errors.items():
            yield f"mlwright_variant_errors_total{{{_labels(endpoint=name, variant=variant)}}} {errors}"
    yield from _head("mlwright_route_generation", "gauge", "Generation of the route in force.")
    for name, core in cores.items():
        if core.route is not None:
            yield f"mlwright_route_generation{{{marked[name]}}} {core.route.generation}"
    yield from _head(_LATENCY, "histogram", "Time from request to logged answer.")
    for name, core in cores.items():
        yield from _histogram(marked[name], core)


def _histogram(labels: str, core: EndpointCore) -> Iterator[str]:
    counts = list(accumulate(core.counters.latency_buckets))
    for bound, count in zip([*map(float, LATENCY_BOUNDS_S), "+Inf"], counts, strict=True):
        yield f'{_LATENCY}_bucket{{{labels},le="{bound}"}} {count}'
    yield f"{_LATENCY}_sum{{{labels}}} {core.counters.latency_sum_s:.6f}"
    yield f"{_LATENCY}_count{{{labels}}} {counts[-1]}"


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _labels(**values: str) -> str:
    values["process"] = str(os.getpid())
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in values.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
