"""What monitoring knows, as text that Prometheus reads: at ``/metrics`` of the control process.

Realised quality is of the last matured day. What was only estimated has ``estimated`` in its name, so that nobody
takes one for the other. All but the counters of the loop are gauges.
"""

from collections.abc import Iterator
from typing import Final

from mlwright.doors.http.control.status import TurnStatus
from mlwright.doors.http.exposition import Family, exposition
from mlwright.doors.http.metering import measured, measured_by_inference
from mlwright.model.metering import MeasuredMetric
from mlwright.model.monitoring import Performance
from mlwright.model.slos import span_name
from mlwright.platform.facade import Platform
from mlwright.platform.objectives import Standing
from mlwright.stages.serving.slots import COUNT, MOST, Labels, Series

FAMILIES: Final = tuple(
    Family(name, kind, text)
    for name, kind, text in (
        ("mlwright_quality", "gauge", "Realised quality of the last matured day, by metric."),
        ("mlwright_quality_lower", "gauge", "Lower bound of its confidence interval."),
        ("mlwright_quality_upper", "gauge", "Upper bound of its confidence interval."),
        (
            "mlwright_quality_estimated",
            "gauge",
            "Quality expected without labels: an estimate, not measured.",
        ),
        ("mlwright_quality_estimated_lower", "gauge", "Lower bound of the estimate."),
        ("mlwright_quality_estimated_upper", "gauge", "Upper bound of the estimate."),
        ("mlwright_quality_timestamp_seconds", "gauge", "End of the day that quality is of."),
        ("mlwright_calibration_error", "gauge", "Expected calibration error of that day."),
        ("mlwright_labelled_ratio", "gauge", "Share of that day's predictions that have a label."),
        ("mlwright_predictions_of_day", "gauge", "Predictions answered on that day."),
        ("mlwright_worth", "gauge", "What that day's labelled answers were worth, in money."),
        ("mlwright_worth_lower", "gauge", "Lower bound of its confidence interval."),
        ("mlwright_worth_upper", "gauge", "Upper bound of its confidence interval."),
        ("mlwright_drift_score", "gauge", "Population stability index of the last compared day, by column."),
        ("mlwright_drift_null_ratio", "gauge", "Share of missing values on that day, by column."),
        ("mlwright_drift_moved", "gauge", "1 where the column moved more than noise and enough to matter."),
        ("mlwright_alerts_open", "gauge", "Alerts that are not over, by level."),
        ("mlwright_slo_target_ratio", "gauge", "Share of events that are promised to be good."),
        ("mlwright_slo_good_ratio", "gauge", "Share of events in the objective's window that were good."),
        ("mlwright_slo_budget_remaining_ratio", "gauge", "Share of the error budget that is left."),
        ("mlwright_slo_burn_rate", "gauge", "How many times as fast as it may the budget burns, by window."),
        ("mlwright_feature_age_seconds", "gauge", "Age of the newest value of a feature view."),
        ("mlwright_turns", "counter", "Turns of the loop."),
        ("mlwright_turn_failures", "counter", "Turns of the loop that failed."),
        ("mlwright_turn_timestamp_seconds", "gauge", "When the loop was last turned."),
    )
)

Sample = tuple[Series, list[float]]


def render(platform: Platform, turns: TurnStatus, accept: str) -> tuple[str, str]:
    """All that monitoring knows, as text, and its content type.

    Args:
        platform: what is asked.
        turns: how the loop is turned.
        accept: the Accept header of the request.
    """
    return exposition(samples_of(platform, turns), FAMILIES, accept)


def samples_of(platform: Platform, turns: TurnStatus) -> Iterator[Sample]:
    """All that monitoring knows of all endpoints."""
    yield from _of_turns(turns)
    for each in platform.parts.settings.endpoints:
        yield from of_standing(platform.objectives.standing(each.name))


def measure(platform: Platform, turns: TurnStatus) -> tuple[MeasuredMetric, ...]:
    """All that monitoring knows, and all that the inference processes of the project counted, as values."""
    state = platform.parts.settings.state
    return (*measured(samples_of(platform, turns), FAMILIES), *measured_by_inference(state))


def of_standing(standing: Standing) -> Iterator[Sample]:
    """The samples of one endpoint."""
    of: Labels = (("endpoint", standing.endpoint),)
    if standing.performance is not None:
        yield from _of_performance(standing.performance, of)
    for column in standing.drift.features if standing.drift is not None else ():
        labels = (*of, ("feature", column.column))
        yield _gauge("drift_score", column.psi, labels)
        yield _gauge("drift_null_ratio", column.null_rate, labels)
        yield _gauge("drift_moved", float(column.moved), labels)
    for level in ("page", "ticket", "info"):
        number = sum(alert.level == level for alert in standing.alerts)
        yield _gauge("alerts_open", number, (*of, ("level", level)))
    for view, age in standing.ages.items():
        yield _gauge("feature_age_seconds", age.total_seconds(), (*of, ("view", view)))
    yield from _of_objectives(standing, of)


def _of_objectives(standing: Standing, of: Labels) -> Iterator[Sample]:
    for status in standing.objectives:
        labels = (*of, ("objective", status.objective.kind.value))
        yield _gauge("slo_target_ratio", status.objective.target, labels)
        if status.tally.share is not None and status.budget_left is not None:
            yield _gauge("slo_good_ratio", status.tally.share, labels)
            yield _gauge("slo_budget_remaining_ratio", status.budget_left, labels)
        for burn in status.burns:
            if burn.rate is not None:
                yield _gauge("slo_burn_rate", burn.rate, (*labels, ("window", span_name(burn.span))))


def _of_performance(found: Performance, of: Labels) -> Iterator[Sample]:
    for prefix, values in (("quality", found.metrics), ("quality_estimated", found.expected)):
        for metric, value in values.items():
            labels = (*of, ("metric", metric))
            yield _gauge(prefix, value.value, labels)
            yield _gauge(f"{prefix}_lower", value.lower, labels)
            yield _gauge(f"{prefix}_upper", value.upper, labels)
    yield _gauge("quality_timestamp_seconds", found.window.end.timestamp(), of)
    yield _gauge("predictions_of_day", found.predictions, of)
    if found.predictions:
        yield _gauge("labelled_ratio", found.labelled / found.predictions, of)
    if found.calibration is not None:
        yield _gauge("calibration_error", found.calibration.error, of)
    if found.worth is not None:
        labels, total = (*of, ("currency", found.worth.currency)), found.worth.total
        yield _gauge("worth", total.value, labels)
        yield _gauge("worth_lower", total.lower, labels)
        yield _gauge("worth_upper", total.upper, labels)


def _of_turns(turns: TurnStatus) -> Iterator[Sample]:
    yield Series("mlwright_turns", COUNT), [turns.turns]
    yield Series("mlwright_turn_failures", COUNT), [turns.failures]
    if turns.last is not None:
        yield Series("mlwright_turn_timestamp_seconds", MOST), [turns.last.timestamp()]


def _gauge(name: str, value: float, labels: Labels) -> Sample:
    return Series(f"mlwright_{name}", MOST, labels), [float(value)]
