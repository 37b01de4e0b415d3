"""Recording and alerting rules of a project: error budgets as in the SRE Workbook, and what else needs somebody."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from mlwright.adapters.prometheus.expressions import (
    BASE,
    COUNTED,
    bad_name,
    burning,
    counted,
    events_name,
    ratio_name,
    selector,
)
from mlwright.model.metrics import higher_is_better
from mlwright.model.objectives import objectives_of
from mlwright.model.settings import EndpointSettings, Settings
from mlwright.model.slos import BURN_RULES, SPANS, BurnRule, Objective, ObjectiveKind, span_name

HEAD: Final = "# Made by `mlwright export prometheus-rules` from mlwright.toml; change that, not this.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertingRule:
    """One alerting rule, and what it is about."""

    name: str
    expression: str
    severity: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    wait: str | None = None
    objective: Objective | None = None
    burn: BurnRule | None = None

    @property
    def all_labels(self) -> dict[str, str]:
        """The labels that its alerts add to those of the series."""
        return {"severity": self.severity, **self.labels}


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesOfEndpoint:
    """The rules of one endpoint."""

    endpoint: EndpointSettings
    objectives: tuple[Objective, ...]
    alerts: tuple[AlertingRule, ...] = field(default=())


def rules_of(settings: Settings) -> tuple[RulesOfEndpoint, ...]:
    """What is watched of each endpoint."""
    found = []
    for endpoint in settings.endpoints:
        objectives = objectives_of(endpoint)
        alerts = [*_burns(endpoint, objectives), *_others(endpoint)]
        found.append(RulesOfEndpoint(endpoint=endpoint, objectives=objectives, alerts=tuple(alerts)))
    return tuple(found)


def rules_file(settings: Settings) -> str:
    """The rules as the YAML of a rule file: a group of records and one of alerts an endpoint, and one of the loop."""
    groups: list[dict[str, object]] = []
    for each in rules_of(settings):
        name = each.endpoint.name
        groups.append(
            {"name": f"mlwright-{name}-records", "interval": "1m", "rules": _records(each.objectives)}
        )
        groups.append({"name": f"mlwright-{name}-alerts", "rules": [_rendered(rule) for rule in each.alerts]})
    groups.append({"name": "mlwright-loop", "rules": [_rendered(loop_rule())]})
    return HEAD + to_yaml({"groups": groups})


def to_yaml(value: object) -> str:
    """YAML in the order given, one line an expression."""
    import yaml  # 20 ms that no other command needs

    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10_000)
    return text


def loop_rule() -> AlertingRule:
    """Nobody watches while the loop stands still; without a control process the first half says nothing."""
    return AlertingRule(
        name="MlwrightLoopStalled",
        expression="time() - max(mlwright_turn_timestamp_seconds) > 900",
        severity="ticket",
        wait="5m",
        labels={},
        annotations={
            "summary": "The loop of mlwright has not been turned for 15 minutes: nobody watches quality or labels.",
            "next": "mlwright doctor",
        },
    )


def _records(objectives: tuple[Objective, ...]) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for objective in objectives:
        if objective.kind not in COUNTED:
            continue
        labels = {"endpoint": str(objective.endpoint), "objective": objective.kind.value}
        of = selector(**labels)
        for span in sorted({*SPANS, BASE}):
            bad, events = counted(objective, span)
            made.append({"record": bad_name(span), "expr": bad, "labels": labels})
            made.append({"record": events_name(span), "expr": events, "labels": labels})
            ratio = f"{bad_name(span)}{of} / ({events_name(span)}{of} > 0)"
            made.append({"record": ratio_name(span), "expr": ratio, "labels": labels})
    return made


def _burns(endpoint: EndpointSettings, objectives: tuple[Objective, ...]) -> Iterator[AlertingRule]:
    for objective in objectives:
        if objective.kind is ObjectiveKind.QUALITY:
            yield _used_up(endpoint, objective)
            continue
        for rule in BURN_RULES:
            if rule.reachable(objective):
                yield _burn(endpoint, objective, rule)


def _burn(endpoint: EndpointSettings, objective: Objective, rule: BurnRule) -> AlertingRule:
    long, short = span_name(rule.long), span_name(rule.short)
    return _alert(
        endpoint,
        "MlwrightBudgetBurn",
        burning(objective, rule),
        rule.level.value,
        summary=f"{endpoint.name}: the error budget of {objective.kind} burns {rule.factor(objective.window):.3g}"
        f" times as fast as it may.",
        description=f"Promised: {objective.promise}. It was so over the last {long} and still is over the last"
        f" {short}, with more failures than chance explains.",
        command=f"mlwright slo {endpoint.name}",
        labels={"objective": objective.kind.value, "long_window": long, "short_window": short},
        objective=objective,
        burn=rule,
    )


def _used_up(endpoint: EndpointSettings, objective: Objective) -> AlertingRule:
    of = selector(endpoint=endpoint.name, objective=objective.kind.value)
    return _alert(
        endpoint,
        "MlwrightBudgetUsedUp",
        f"mlwright_slo_budget_remaining_ratio{of} < 0",
        "ticket",
        summary=f"{endpoint.name}: the error budget of {objective.kind} is used up.",
        description=f"Promised: {objective.promise}.",
        command=f"mlwright slo {endpoint.name}",
        labels={"objective": objective.kind.value},
        objective=objective,
    )


def _others(endpoint: EndpointSettings) -> Iterator[AlertingRule]:
    of, name = selector(endpoint=endpoint.name), endpoint.name
    yield _alert(
        endpoint,
        "MlwrightNotServing",
        f"absent(mlwright_requests_total{of})",
        "page",
        wait="5m",
        summary=f"{name}: no inference process reports to Prometheus.",
        description="Nothing serves the endpoint, or Prometheus cannot reach its /metrics.",
        command="mlwright doctor",
    )
    yield _alert(
        endpoint,
        "MlwrightRecordsLost",
        f"sum(increase(mlwright_log_dropped_records_total{of}[15m])) > 0",
        "ticket",
        summary=f"{name}: predictions are answered without being logged.",
        description="The ring of the log is full: the disk is too slow or full. Lost records are never judged.",
        command="mlwright doctor",
    )
    yield _alert(
        endpoint,
        "MlwrightModelRestarts",
        f"sum(increase(mlwright_model_process_restarts_total{of}[15m])) >= 3",
        "ticket",
        summary=f"{name}: the model's own process ends again and again.",
        description="Three times or more in 15 minutes. Requests meanwhile get an error or the fallback.",
        command="mlwright doctor",
    )
    if endpoint.slo.quality is not None and endpoint.label is not None:
        yield _below(endpoint, endpoint.slo.quality)


def _below(endpoint: EndpointSettings, limit: float) -> AlertingRule:
    metric = endpoint.monitor.metric
    of = selector(endpoint=endpoint.name, metric=metric)
    up = higher_is_better(metric)
    expression = (
        f"mlwright_quality_upper{of} < {limit:.10g}" if up else f"mlwright_quality_lower{of} > {limit:.10g}"
    )
    return _alert(
        endpoint,
        "MlwrightQualityBelowLimit",
        expression,
        "ticket",
        summary=f"{endpoint.name}: {metric} of the last matured day is {'below' if up else 'above'} {limit:g}.",
        description="The whole confidence interval is on the wrong side. One day may be bad; the budget says whether"
        " too many were.",
        command=f"mlwright monitor {endpoint.name}",
        labels={"metric": metric},
    )


def _alert(
    endpoint: EndpointSettings,
    name: str,
    expression: str,
    severity: str,
    *,
    summary: str,
    description: str,
    command: str,
    labels: Mapping[str, str] | None = None,
    wait: str | None = None,
    objective: Objective | None = None,
    burn: BurnRule | None = None,
) -> AlertingRule:
    owner = {"owner": endpoint.owner} if endpoint.owner else {}
    runbook = {"runbook_url": endpoint.runbook} if endpoint.runbook else {}
    # Prometheus expands {{ … }} in labels and annotations; a name that holds braces is to stay what it is.
    return AlertingRule(
        name=name,
        expression=expression,
        severity=severity,
        wait=wait,
        labels={"endpoint": endpoint.name, **owner, **(labels or {})},
        annotations={"summary": summary, "description": description, "next": command, **runbook},
        objective=objective,
        burn=burn,
    )


def _rendered(rule: AlertingRule) -> dict[str, object]:
    wait = {"for": rule.wait} if rule.wait else {}
    return {
        "alert": rule.name,
        "expr": rule.expression,
        **wait,
        "labels": {name: _plain(text) for name, text in rule.all_labels.items()},
        "annotations": {name: _plain(text) for name, text in rule.annotations.items()},
    }


def _plain(text: str) -> str:
    """A text that Prometheus's templates give back as it is."""
    return text.replace("{{", '{{ "{{" }}') if "{{" in text else text
