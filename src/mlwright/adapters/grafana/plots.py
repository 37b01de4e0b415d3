"""What each audience sees: plots and their PromQL, over metrics that inference and control processes export.

``$endpoint`` is the endpoint that was chosen, ``$__rate_interval`` Grafana's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_OF: Final = 'endpoint=~"$endpoint"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One expression and how its lines are called."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One panel. ``form`` is ``lines``, ``number``, ``bars``, ``grid`` (rows of coloured cells over time) or ``text``.

    ``limits`` are values from which the colour is orange and red; falling, where the second is below the first.
    """

    title: str
    about: str
    form: str = "lines"
    queries: tuple[Query, ...] = ()
    unit: str = "short"
    width: int = 12
    limits: tuple[float, float] | None = None
    least: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard: rows of plots by their title."""

    uid: str
    title: str
    about: str
    rows: Mapping[str, tuple[Plot, ...]]


def _lines(title: str, about: str, *queries: tuple[str, str], unit: str = "short", **how: object) -> Plot:
    made = tuple(Query(expression=expression, legend=legend) for expression, legend in queries)
    return Plot(title=title, about=about, queries=made, unit=unit, **how)  # type: ignore[arg-type]  # fields of Plot


def _percentile(share: float, metric: str) -> str:
    return f"histogram_quantile({share}, sum by (le) (rate({metric}_bucket{{{_OF}}}[$__rate_interval])))"


def _rate(metric: str, by: str = "") -> str:
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({metric}{{{_OF}}}[$__rate_interval]))"


_BUDGET: Final = _lines(
    "Error budget left",
    "Of the objective's window; below 0 the promise is broken.",
    (f"mlwright_slo_budget_remaining_ratio{{{_OF}}}", "{{objective}}"),
    unit="percentunit",
    form="bars",
    limits=(0.25, 0.0),
)

ENGINEERING: Final = Board(
    uid="mlwright-engineering",
    title="mlwright: engineering",
    about="Latency, errors, saturation, how fast the error budgets burn, and what is being rolled out.",
    rows={
        "Objectives": (
            _BUDGET,
            _lines(
                "Burn rate",
                "1 uses the budget up in exactly the objective's window; pages come at 14.4 over 1 h and 6 over 6 h.",
                (f'mlwright_slo_burn_rate{{{_OF},window=~"1h|6h|1d"}}', "{{objective}} over {{window}}"),
                limits=(6.0, 14.4),
            ),
        ),
        "Requests": (
            _lines(
                "Requests",
                "By what became of them.",
                (_rate("mlwright_requests_total"), "all"),
                (_rate("mlwright_request_errors_total", "kind"), "{{kind}}"),
                (_rate("mlwright_degraded_total", "kind"), "fallback: {{kind}}"),
                unit="reqps",
            ),
            _lines(
                "Latency",
                "From request to logged answer; slow is the share beyond what the endpoint promises.",
                (_percentile(0.5, "mlwright_latency_seconds"), "p50"),
                (_percentile(0.95, "mlwright_latency_seconds"), "p95"),
                (_percentile(0.99, "mlwright_latency_seconds"), "p99"),
                (f"max(mlwright_latency_limit_seconds{{{_OF}}})", "promised p99"),
                unit="s",
            ),
            _lines(
                "Slow answers",
                "Share of answers that took longer than promised.",
                (
                    f"{_rate('mlwright_slow_requests_total')} / {_rate('mlwright_latency_seconds_count')}",
                    "slow",
                ),
                unit="percentunit",
                limits=(0.01, 0.144),
            ),
            _lines(
                "Refused",
                "Not scored: the queue was full, the client asked too often, or its time was over.",
                (_rate("mlwright_rejected_total", "reason"), "{{reason}}"),
                unit="reqps",
            ),
        ),
        "Saturation": (
            _lines(
                "Waiting",
                "Time before a request is scored.",
                (_percentile(0.5, "mlwright_queue_seconds"), "p50"),
                (_percentile(0.99, "mlwright_queue_seconds"), "p99"),
                unit="s",
            ),
            _lines(
                "Rows in flight",
                "Rows that wait or are being scored.",
                (f"sum(mlwright_in_flight_rows{{{_OF}}})", "in flight"),
                (f"sum(mlwright_waiting_rows{{{_OF}}})", "waiting"),
            ),
            _lines(
                "Processor",
                "Cores in use, by process.",
                ("sum by (process) (rate(process_cpu_seconds_total[$__rate_interval]))", "{{process}}"),
            ),
            _lines(
                "Memory",
                "Resident memory, by process.",
                ("sum by (process) (process_resident_memory_bytes)", "{{process}}"),
                unit="bytes",
            ),
            _lines(
                "Log",
                "Share of the ring that waits to be written; lost records are never judged.",
                ("max(mlwright_log_ring_bytes / mlwright_log_ring_limit_bytes)", "fullest ring"),
                (_rate("mlwright_log_dropped_records_total"), "lost a second"),
                unit="percentunit",
                limits=(0.5, 0.9),
            ),
            _lines(
                "Model's own process",
                "Starts after it had ended.",
                (f"sum(increase(mlwright_model_process_restarts_total{{{_OF}}}[1h]))", "starts in 1 h"),
            ),
        ),
        "Rollouts": (
            _lines(
                "Rows by variant",
                "Who answers; a challenger in shadow has rows too.",
                (_rate("mlwright_rows_total", "variant"), "{{variant}}"),
            ),
            _lines(
                "Models in force",
                "Versions behind the endpoint.",
                (
                    f"max by (variant, model, version) (mlwright_model_info{{{_OF}}})",
                    "{{variant}}: {{model}}/{{version}}",
                ),
                form="grid",
            ),
        ),
        "Loop and alerts": (
            _lines(
                "Open alerts",
                "Not over yet, by level.",
                (f"mlwright_alerts_open{{{_OF}}}", "{{level}}"),
            ),
            _lines(
                "Last turn of the loop",
                "Seconds ago.",
                ("time() - max(mlwright_turn_timestamp_seconds)", "ago"),
                unit="s",
                form="number",
                limits=(300.0, 900.0),
            ),
        ),
    },
)

DATA_SCIENCE: Final = Board(
    uid="mlwright-data-science",
    title="mlwright: data science",
    about="Realised quality with its bounds beside what was expected, maturity of labels, drift and calibration.",
    rows={
        "Quality": (
            _lines(
                "Realised quality",
                "Of the last matured day, with its confidence interval.",
                (f"mlwright_quality{{{_OF}}}", "{{metric}}"),
                (f"mlwright_quality_lower{{{_OF}}}", "{{metric}} lower"),
                (f"mlwright_quality_upper{{{_OF}}}", "{{metric}} upper"),
            ),
            _lines(
                "Expected without labels (estimates)",
                "Holds while P(y|x) is what it was. Where it parts from what is realised, the concept has changed.",
                (f"mlwright_quality_estimated{{{_OF}}}", "{{metric}} (estimate)"),
                (f"mlwright_quality_estimated_lower{{{_OF}}}", "{{metric}} lower (estimate)"),
                (f"mlwright_quality_estimated_upper{{{_OF}}}", "{{metric}} upper (estimate)"),
            ),
            _lines(
                "Realised minus expected",
                "Far from 0: the model is wrong where it was right before.",
                (f"mlwright_quality{{{_OF}}} - mlwright_quality_estimated{{{_OF}}}", "{{metric}}"),
            ),
            _lines(
                "Calibration error",
                "Mean distance of scores from what became true.",
                (f"mlwright_calibration_error{{{_OF}}}", "error"),
            ),
        ),
        "Labels and features": (
            _lines(
                "Labels that arrived",
                "Share of the last matured day's predictions that have one.",
                (f"mlwright_labelled_ratio{{{_OF}}}", "labelled"),
                unit="percentunit",
                least=0.0,
            ),
            _lines(
                "Age of features",
                "Of the newest value of each view.",
                (f"mlwright_feature_age_seconds{{{_OF}}}", "{{view}}"),
                unit="s",
            ),
        ),
        "Drift (context, no reason for an alert)": (
            _lines(
                "Drift by feature",
                "Population stability index against the champion's reference, a cell a day.",
                (f"mlwright_drift_score{{{_OF}}}", "{{feature}}"),
                form="grid",
                width=24,
                limits=(0.1, 0.25),
            ),
            _lines(
                "Moved features",
                "More than noise, more than the reference varies itself, and enough to matter.",
                (f"sum by (endpoint) (mlwright_drift_moved{{{_OF}}})", "{{endpoint}}"),
            ),
            _lines(
                "Missing values",
                "Share a day, by feature.",
                (f"mlwright_drift_null_ratio{{{_OF}}}", "{{feature}}"),
                unit="percentunit",
            ),
        ),
    },
)

BUSINESS: Final = Board(
    uid="mlwright-business",
    title="mlwright: business",
    about="What answers were worth, how many there were, and whether the promises are kept.",
    rows={
        "In words": (
            Plot(
                title="How to read this",
                about="**Worth** is what the labelled answers of the last complete day brought, by the values in"
                " mlwright.toml, with the range in which another such day would lie. **Good** means: the promise to"
                " those who call the model is kept. Numbers of a day appear once its truth is known.",
                form="text",
                width=24,
            ),
        ),
        "Worth and volume": (
            _lines(
                "Worth of a day",
                "In money, with the bounds of its interval.",
                (f"mlwright_worth{{{_OF}}}", "{{currency}}"),
                (f"mlwright_worth_lower{{{_OF}}}", "{{currency}} at least"),
                (f"mlwright_worth_upper{{{_OF}}}", "{{currency}} at most"),
            ),
            _lines(
                "Answers of a day",
                "Predictions given on the last complete day.",
                (f"mlwright_predictions_of_day{{{_OF}}}", "{{endpoint}}"),
                least=0.0,
            ),
            _lines(
                "Answers now",
                "A second.",
                (_rate("mlwright_answered_rows_total"), "answers"),
                least=0.0,
            ),
        ),
        "Promises": (
            _BUDGET,
            _lines(
                "Promise kept",
                "Share of requests, answers, minutes or days that were good.",
                (f"mlwright_slo_good_ratio{{{_OF}}}", "{{objective}}"),
                (f"mlwright_slo_target_ratio{{{_OF}}}", "{{objective}} promised"),
                unit="percentunit",
            ),
            _lines(
                "Somebody is needed",
                "Open alerts that page people.",
                (f'sum(mlwright_alerts_open{{{_OF},level="page"}})', "pages"),
                form="number",
                limits=(1.0, 1.0),
            ),
        ),
    },
)

BOARDS: Final = (ENGINEERING, DATA_SCIENCE, BUSINESS)
