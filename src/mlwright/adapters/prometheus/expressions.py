"""PromQL over the metrics that inference and control processes export: what objectives count, and when budgets burn."""

import json
from datetime import timedelta
from math import log
from typing import Final

from mlwright.model.slos import CLIENT_FAULTS, REFUSALS, BurnRule, Objective, ObjectiveKind, span_name

COUNTED: Final = (ObjectiveKind.LATENCY, ObjectiveKind.AVAILABILITY, ObjectiveKind.THROUGHPUT)
"""Objectives whose events Prometheus counts itself; of the others it takes what the control process counted."""

BASE: Final = timedelta(minutes=5)

_CLIENT: Final = "|".join(CLIENT_FAULTS)
_REFUSED: Final = "|".join(REFUSALS)


def quoted(text: str) -> str:
    """A string literal of PromQL, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)


def selector(**labels: str) -> str:
    """``{name="value", …}``; a value that begins with ``=~`` or ``!~`` is a regular expression."""
    parts = []
    for name, value in labels.items():
        operator, text = (value[:2], value[2:]) if value[:2] in ("=~", "!~") else ("=", value)
        parts.append(f"{name}{operator}{quoted(text)}")
    return "{" + ",".join(parts) + "}"


def bad_name(span: timedelta) -> str:
    """The recorded number of bad events over a span."""
    return f"mlwright:slo_bad:increase{span_name(span)}"


def events_name(span: timedelta) -> str:
    """The recorded number of all events over a span."""
    return f"mlwright:slo_events:increase{span_name(span)}"


def ratio_name(span: timedelta) -> str:
    """The recorded share of bad events over a span."""
    return f"mlwright:slo_bad:ratio{span_name(span)}"


def counted(objective: Objective, span: timedelta) -> tuple[str, str]:
    """What is recorded: the bad and all events of the last ``span``."""
    endpoint, window = str(objective.endpoint), span_name(span)
    if objective.kind is ObjectiveKind.LATENCY:
        return (
            _grown("mlwright_slow_requests_total", window, endpoint=endpoint),
            _grown("mlwright_latency_seconds_count", window, endpoint=endpoint),
        )
    failed = _or_none(_grown("mlwright_request_errors_total", window, endpoint=endpoint, kind=f"!~{_CLIENT}"))
    clients = _or_none(
        _grown("mlwright_request_errors_total", window, endpoint=endpoint, kind=f"=~{_CLIENT}")
    )
    asked = f"{_grown('mlwright_requests_total', window, endpoint=endpoint)} - {clients}"
    if objective.kind is ObjectiveKind.AVAILABILITY:
        return failed, asked
    if objective.kind is not ObjectiveKind.THROUGHPUT:
        raise ValueError(f"{objective.kind} is counted by the control process")
    if span != BASE:  # what is beyond the promised rate is cut off five minutes at a time, not over days
        labels = selector(endpoint=endpoint, objective=objective.kind.value)
        many = span / BASE
        return tuple(  # type: ignore[return-value]  # two of two
            f"avg_over_time({name(BASE)}{labels}[{window}]) * {many:g}" for name in (bad_name, events_name)
        )
    promised = f"clamp_max({asked}, {(objective.limit or 0.0) * span.total_seconds():.10g})"
    refused = _or_none(_grown("mlwright_rejected_total", window, endpoint=endpoint, reason=f"=~{_REFUSED}"))
    return f"clamp_min({promised} - ({asked} - {refused}), 0)", promised


def burning(objective: Objective, rule: BurnRule) -> str:
    """True while the rule holds; for counted objectives with the same guard for few events as our own alerts."""
    factor, allowed = rule.factor(objective.window), objective.allowed
    if objective.kind not in COUNTED:
        rates = [
            f"mlwright_slo_burn_rate{_of(objective, window=span_name(span))} >= {factor:.10g}"
            for span in (rule.long, rule.short)
        ]
        return f"{rates[0]} and ignoring (window) {rates[1]}"
    labels = _of(objective)
    bad, expected = f"{bad_name(rule.long)}{labels}", f"{allowed:.10g} * {events_name(rule.long)}{labels}"
    fast = [f"{ratio_name(span)}{labels} >= {factor * allowed:.10g}" for span in (rule.long, rule.short)]
    sure = f"{bad} * ln({bad} / ({expected})) - {bad} + {expected} > {-log(rule.chance):.10g}"
    return " and ".join([*fast, sure])


def _of(objective: Objective, **more: str) -> str:
    return selector(endpoint=str(objective.endpoint), objective=objective.kind.value, **more)


def _grown(metric: str, window: str, **labels: str) -> str:
    return f"sum(increase({metric}{selector(**labels)}[{window}]))"


def _or_none(expression: str) -> str:
    """A counter that was never counted has no series: that is 0."""
    return f"({expression} or vector(0))"
