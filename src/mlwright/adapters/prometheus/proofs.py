"""Unit tests of the generated rules for ``promtool test rules``: series in which each alert must and must not fire.

Series begin with the test, so that the windows of days hold the same 75 minutes as those of an hour: it is the rates
and limits that are tested, and half an hour of promtool's time is saved.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Final

from mlwright.adapters.prometheus.expressions import COUNTED, selector
from mlwright.adapters.prometheus.rules import (
    HEAD,
    AlertingRule,
    RulesOfEndpoint,
    loop_rule,
    rules_of,
    to_yaml,
)
from mlwright.model.metrics import higher_is_better
from mlwright.model.monitoring import AlertLevel
from mlwright.model.settings import Settings
from mlwright.model.slos import BURN_RULES, SPANS, Objective, ObjectiveKind, span_name

_MINUTES: Final = 75


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """Series, and the alerts that they must bring about; all other alerts of the endpoint must stay quiet."""

    name: str
    series: Mapping[str, str]
    fires: tuple[AlertingRule, ...] = ()
    more: Mapping[int, dict[str, str]] = field(default_factory=dict)
    """Labels that the series gives to an alert besides the rule's, by the alert's place in ``fires``."""


def proofs_file(settings: Settings, rules: str = "mlwright.rules.yml") -> str:
    """The YAML of a test file; ``rules`` is the name of the rule file beside it."""
    tests: list[dict[str, object]] = []
    for each in rules_of(settings):
        every = [*each.alerts, loop_rule()]
        beside = {
            name: text
            for other in settings.endpoints
            if other.name != each.endpoint.name
            for name, text in _well(other.name).items()
        }
        tests += [_rendered(case, every, beside) for case in _cases(each)]
    content = {"rule_files": [rules], "evaluation_interval": "5m", "tests": tests}
    return HEAD + to_yaml(content)


def _cases(found: RulesOfEndpoint) -> Iterator[_Case]:
    endpoint = found.endpoint.name
    well = _well(endpoint)
    by_name = {rule.name: rule for rule in found.alerts}
    yield _Case(name="all is well", series=well)
    for objective in found.objectives:
        if objective.kind in COUNTED:
            yield from _burns(found, objective, well)
        elif objective.kind is ObjectiveKind.FRESHNESS:
            yield from _gauged(found, objective, well)
        else:
            budget = _series(
                "mlwright_slo_budget_remaining_ratio", endpoint=endpoint, objective=objective.kind.value
            )
            fires = (by_name["MlwrightBudgetUsedUp"],)
            yield _Case(name="quality's budget is used up", series={**well, budget: "-0.1x75"}, fires=fires)
            yield _Case(name="a little of it is left", series={**well, budget: "0.01x75"})
    yield from _others(endpoint, by_name, well)


def _well(endpoint: str) -> dict[str, str]:
    """1,000 requests a minute, all answered in time, and a loop that turns."""
    return {
        _series("mlwright_requests_total", endpoint=endpoint): "0+1000x{n}",
        _series("mlwright_latency_seconds_count", endpoint=endpoint): "0+1000x{n}",
        _series("mlwright_slow_requests_total", endpoint=endpoint): "0x{n}",
        _series("mlwright_log_dropped_records_total", endpoint=endpoint): "0x{n}",
        "mlwright_turn_timestamp_seconds": "0+60x{n}",
    }


def _burns(found: RulesOfEndpoint, objective: Objective, well: dict[str, str]) -> Iterator[_Case]:
    rules = [rule for rule in BURN_RULES if rule.reachable(objective)]
    factors = {rule: rule.factor(objective.window) for rule in rules}
    pages = [factors[rule] for rule in rules if rule.level is AlertLevel.PAGE]
    tickets = [factors[rule] for rule in rules if rule.level is AlertLevel.TICKET]
    what = f"the budget of {objective.kind}"

    def case(name: str, burn: float, fires: float) -> _Case:
        alerts = tuple(
            rule
            for rule in found.alerts
            if rule.objective == objective and rule.burn is not None and factors[rule.burn] <= fires
        )
        share = burn * objective.allowed
        return _Case(name=name, series={**well, **_failing(objective, share)}, fires=alerts)

    if not rules or objective.allowed <= 0:
        return
    yield case(f"{what} burns at half the rate that it may", 0.5, 0.0)
    if pages:
        most = min(1.5 * max(pages), 0.95 / objective.allowed)
        yield case(f"{what} burns fast", most, most)
    if pages and tickets and min(pages) > max(tickets) * 1.05:
        slow = sqrt(min(pages) * max(tickets))
        yield case(f"{what} burns slowly", slow, slow)
    if objective.kind is not ObjectiveKind.THROUGHPUT and objective.allowed >= 1e-3:
        few = {key: "0+0.1x{n}" if "1000" in text else text for key, text in well.items()}
        failed = next(iter(_failing(objective, 0.5)))
        yield _Case(name=f"{what}: one of few requests", series={**few, failed: "0x40 1x35"})


def _failing(objective: Objective, share: float) -> dict[str, str]:
    """1,000 events a minute of which so many are bad."""
    endpoint = str(objective.endpoint)
    many = f"0+{1000 * share:.10g}x{{n}}"
    if objective.kind is ObjectiveKind.LATENCY:
        return {_series("mlwright_slow_requests_total", endpoint=endpoint): many}
    if objective.kind is ObjectiveKind.AVAILABILITY:
        theirs = _series("mlwright_request_errors_total", endpoint=endpoint, kind="BadRequest")
        return {
            _series("mlwright_request_errors_total", endpoint=endpoint, kind="ModelError"): many,
            theirs: "0+500x{n}",
            _series(
                "mlwright_requests_total", endpoint=endpoint
            ): "0+1500x{n}",  # 500 of them wrong themselves
        }
    asked = (objective.limit or 0.0) * 60 * 0.8
    return {
        _series("mlwright_requests_total", endpoint=endpoint): f"0+{asked:.10g}x{{n}}",
        _series(
            "mlwright_rejected_total", endpoint=endpoint, reason="queue"
        ): f"0+{asked * share:.10g}x{{n}}",
        _series("mlwright_rejected_total", endpoint=endpoint, reason="client"): f"0+{asked:.10g}x{{n}}",
    }


def _gauged(found: RulesOfEndpoint, objective: Objective, well: dict[str, str]) -> Iterator[_Case]:
    """Of what the control process counted the burn rate itself is a series."""
    endpoint = str(objective.endpoint)

    def case(name: str, rate: float) -> _Case:
        fires = tuple(
            rule
            for rule in found.alerts
            if rule.objective == objective and rule.burn and rule.burn.factor(objective.window) <= rate
        )
        series = {
            _series(
                "mlwright_slo_burn_rate",
                endpoint=endpoint,
                objective=objective.kind.value,
                window=span_name(span),
            ): f"{rate:.10g}x{{n}}"
            for span in SPANS
        }
        more = {place: {"window": span_name(rule.burn.long)} for place, rule in enumerate(fires) if rule.burn}
        return _Case(name=name, series={**well, **series}, fires=fires, more=more)

    yield case(f"the budget of {objective.kind} burns fast", 20.0)
    yield case(f"the budget of {objective.kind} burns at half the rate that it may", 0.5)


def _others(endpoint: str, by_name: Mapping[str, AlertingRule], well: dict[str, str]) -> Iterator[_Case]:
    gone = {key: text for key, text in well.items() if not key.startswith("mlwright_requests_total")}
    yield _Case(name="nothing serves", series=gone, fires=(by_name["MlwrightNotServing"],))
    lost = _series("mlwright_log_dropped_records_total", endpoint=endpoint)
    yield _Case(
        name="records are lost", series={**well, lost: "0+1x{n}"}, fires=(by_name["MlwrightRecordsLost"],)
    )
    yield _Case(name="records were lost long ago", series={**well, lost: "0 50x74"})
    starts = _series("mlwright_model_process_restarts_total", endpoint=endpoint)
    again = (by_name["MlwrightModelRestarts"],)
    yield _Case(name="the model ends again and again", series={**well, starts: "0+1x{n}"}, fires=again)
    yield _Case(name="the model ended once", series={**well, starts: "0x70 1x5"})
    still = {**well, "mlwright_turn_timestamp_seconds": "0x{n}"}
    yield _Case(name="the loop stands still", series=still, fires=(loop_rule(),))
    below = by_name.get("MlwrightQualityBelowLimit")
    if below is not None:
        yield from _quality(endpoint, below, well)


def _quality(endpoint: str, below: AlertingRule, well: dict[str, str]) -> Iterator[_Case]:
    metric = below.labels["metric"]
    up = higher_is_better(metric)
    bound = _series(f"mlwright_quality_{'upper' if up else 'lower'}", endpoint=endpoint, metric=metric)
    limit = float(below.expression.rpartition(" ")[2])
    wrong, right = (limit - 0.01, limit + 0.01) if up else (limit + 0.01, limit - 0.01)
    yield _Case(name="a day of bad quality", series={**well, bound: f"{wrong:.10g}x{{n}}"}, fires=(below,))
    yield _Case(name="the interval reaches the limit", series={**well, bound: f"{right:.10g}x{{n}}"})


def _series(name: str, /, **labels: str) -> str:
    return name + selector(**labels)


def _rendered(case: _Case, every: list[AlertingRule], beside: Mapping[str, str]) -> dict[str, object]:
    values = {name: text.replace("{n}", str(_MINUTES)) for name, text in {**beside, **case.series}.items()}
    expected: dict[str, list[dict[str, object]]] = {rule.name: [] for rule in every}
    for place, rule in enumerate(case.fires):
        labels = {**rule.all_labels, **case.more.get(place, {})}
        expected[rule.name].append({"exp_labels": labels, "exp_annotations": dict(rule.annotations)})
    return {
        "name": f"{every[0].labels['endpoint']}: {case.name}",
        "interval": "1m",
        "input_series": [{"series": name, "values": text} for name, text in values.items()],
        "alert_rule_test": [
            {"eval_time": f"{_MINUTES}m", "alertname": name, "exp_alerts": alerts}
            for name, alerts in expected.items()
        ],
    }
