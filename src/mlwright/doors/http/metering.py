"""What ``/metrics`` shows, as values for whom it is sent to."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from mlwright.doors.http.exposition import Family, by_family
from mlwright.doors.http.inference.metrics import FAMILIES, samples_of
from mlwright.model.metering import MeasuredMetric, MetricKind, MetricPoint
from mlwright.stages.serving.readings import metrics_folder, read_all
from mlwright.stages.serving.slots import HISTOGRAM, Series

_BY_SUFFIX: Final = {"_seconds": "s", "_bytes": "By", "_ratio": "1"}
UNITS: Final = {
    "mlwright_quality": "{score}",
    "mlwright_quality_lower": "{score}",
    "mlwright_quality_upper": "{score}",
    "mlwright_quality_estimated": "{score}",
    "mlwright_quality_estimated_lower": "{score}",
    "mlwright_quality_estimated_upper": "{score}",
    "mlwright_calibration_error": "{probability}",
    "mlwright_predictions_of_day": "{prediction}",
    "mlwright_worth": "{money}",
    "mlwright_worth_lower": "{money}",
    "mlwright_worth_upper": "{money}",
    "mlwright_drift_score": "{psi}",
    "mlwright_drift_moved": "{column}",
    "mlwright_alerts_open": "{alert}",
    "mlwright_slo_burn_rate": "{multiple}",
    "mlwright_turns": "{turn}",
    "mlwright_turn_failures": "{turn}",
    "mlwright_requests": "{request}",
    "mlwright_slow_requests": "{request}",
    "mlwright_request_errors": "{request}",
    "mlwright_rejected": "{request}",
    "mlwright_answered_rows": "{row}",
    "mlwright_rows": "{row}",
    "mlwright_variant_errors": "{batch}",
    "mlwright_labels": "{label}",
    "mlwright_flagged_values": "{value}",
    "mlwright_degraded": "{request}",
    "mlwright_log_dropped_records": "{record}",
    "mlwright_batching_moves": "{move}",
    "mlwright_model_process_restarts": "{start}",
    "mlwright_batch_rows": "{row}",
    "mlwright_in_flight_rows": "{row}",
    "mlwright_waiting_rows": "{row}",
    "mlwright_route_generation": "{generation}",
    "mlwright_batching_mode": "{process}",
    "mlwright_model": "{model}",
    "process_open_fds": "{file_descriptor}",
}
"""The units of what has none in its name: UCUM's codes, in braces what is counted."""
_ADDITIVE: Final = frozenset(
    {
        "mlwright_alerts_open",
        "mlwright_in_flight_rows",
        "mlwright_waiting_rows",
        "mlwright_log_ring_bytes",
        "mlwright_log_ring_limit_bytes",
    }
)
"""Gauges whose sum over all points means something."""


def measured_by_inference(state: Path) -> tuple[MeasuredMetric, ...]:
    """What all inference processes counted whose state folder this is."""
    samples = samples_of(read_all(metrics_folder(state)), state / "log")
    return tuple(measured(samples, FAMILIES))


def measured(
    samples: Iterable[tuple[Series, list[float]]], families: Iterable[Family]
) -> Iterator[MeasuredMetric]:
    """Series and their values as metrics, in the order of the families; what is in no family is left out."""
    for family, shown in by_family(samples, families):
        yield MeasuredMetric(
            name=f"{family.name}_info" if family.kind == "info" else family.name,
            kind=_kind(family),
            unit=unit_of(family.name),
            text=family.text,
            points=tuple(_point(series, values) for series, values in shown),
        )


def unit_of(name: str) -> str:
    """The unit of a family.

    Raises:
        KeyError: it has none in its name, and is not in ``UNITS``.
    """
    found = next((unit for suffix, unit in _BY_SUFFIX.items() if name.endswith(suffix)), None)
    return found or UNITS[name]


def _kind(family: Family) -> MetricKind:
    if family.kind == "histogram":
        return "histogram"
    if family.kind == "counter":
        return "counter"
    return "sum" if family.name in _ADDITIVE else "gauge"


def _point(series: Series, values: list[float]) -> MetricPoint:
    if series.kind == HISTOGRAM:
        *counts, total = values
        return MetricPoint(
            labels=series.labels,
            value=float(total),
            counts=tuple(int(each) for each in counts),
            bounds=tuple(map(float, series.bounds)),
        )
    return MetricPoint(labels=series.labels, value=float(values[0]))
