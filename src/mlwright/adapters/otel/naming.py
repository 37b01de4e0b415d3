"""What OpenTelemetry calls our metrics.

A name loses the unit that Prometheus has in it, because OpenTelemetry tells the unit beside the name. Prometheus and
the Collector add it again where they take OTLP, and labels stay as they are: so the rules and dashboards that
``mlwright export`` writes fit what was sent as well as what was scraped
(https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/). What the kernel says of a process
has its name of the semantic conventions instead (https://opentelemetry.io/docs/specs/semconv/system/process-metrics/).
"""

from typing import Final

from mlwright.model.metering import MeasuredMetric, MetricKind

_SUFFIXES: Final = {"s": "_seconds", "By": "_bytes", "1": "_ratio"}
_NAMESPACES: Final = ("mlwright", "drift", "slo", "log")
_PROCESS: Final[dict[str, tuple[str, str, MetricKind]]] = {
    "process_resident_memory_bytes": ("process.memory.usage", "By", "sum"),
    "process_cpu_seconds": ("process.cpu.time", "s", "counter"),
    "process_open_fds": ("process.unix.file_descriptor.count", "{file_descriptor}", "sum"),
}


def instrument_of(metric: MeasuredMetric) -> tuple[str, str, MetricKind] | None:
    """The name, unit and kind of a metric; None for what the conventions have no metric for."""
    if metric.name.startswith("process_"):
        return _PROCESS.get(metric.name)
    suffix = _SUFFIXES.get(metric.unit, "")
    # Prometheus adds "ratio" to gauges only.
    name = metric.name.removesuffix(suffix) if metric.unit != "1" or metric.kind == "gauge" else metric.name
    for space in _NAMESPACES:
        name = name.replace(f"{space}_", f"{space}.", 1) if _leads(name, space) else name
    return name, metric.unit, metric.kind


def attributes_of(metric: MeasuredMetric, labels: tuple[tuple[str, str], ...]) -> dict[str, str | int]:
    """The attributes of a point."""
    if metric.name in _PROCESS:
        return {"process.pid" if key == "process" else key: int(value) for key, value in labels}
    return dict(labels)


def _leads(name: str, space: str) -> bool:
    return name.startswith(f"{space}_") or f".{space}_" in name
