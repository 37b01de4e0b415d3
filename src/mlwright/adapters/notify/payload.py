"""An alert as JSON: one flat record for the log, and Alertmanager's webhook payload, version 4.

The payload is that of https://prometheus.io/docs/alerting/latest/configuration/#webhook_config, so that
whatever takes Alertmanager's calls takes these. Alertmanager knows "firing" and "resolved" only: an
acknowledged alert is firing, and an annotation says who took it.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from numbers import Integral, Real

from mlwright.model.monitoring import Alert, AlertState

_STILL_FIRING = "0001-01-01T00:00:00Z"  # Go's zero time: what Alertmanager sends for "no end yet"
_FNV_OFFSET, _FNV_PRIME = 14695981039346656037, 1099511628211


def log_record(alert: Alert) -> dict[str, object]:
    """The alert's fields by name, instants in ISO 8601 UTC."""
    return {
        "id": alert.id,
        "state": alert.state.value,
        "rule": alert.rule,
        "endpoint": alert.endpoint,
        "level": alert.level.value,
        "summary": alert.summary,
        "fired": _iso(alert.fired),
        "resolved": _iso(alert.resolved) if alert.resolved else None,
        "acknowledged_by": alert.acknowledged_by,
        "evidence": alert.evidence,
        "next_command": alert.next_command,
    }


def webhook_payload(alert: Alert, *, receiver: str) -> dict[str, object]:
    """The body of one webhook call about one alert."""
    status = "resolved" if alert.state is AlertState.RESOLVED else "firing"
    labels = {
        "alertname": alert.rule,
        "endpoint": str(alert.endpoint),
        "severity": alert.level.value,
        "alert_id": str(alert.id),
    }
    annotations = {"summary": alert.summary}
    if alert.next_command:
        annotations["next_command"] = alert.next_command
    if alert.acknowledged_by:
        annotations["acknowledged_by"] = alert.acknowledged_by
    if alert.evidence:
        annotations["evidence"] = to_json(alert.evidence)
    one = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": _iso(alert.fired),
        "endsAt": _iso(alert.resolved) if alert.resolved else _STILL_FIRING,
        "generatorURL": "",
        "fingerprint": f"{fingerprint(labels):016x}",
    }
    return {
        "version": "4",
        "groupKey": f"{{}}:{{alert_id={json.dumps(alert.id)}}}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": receiver,
        "groupLabels": {"alert_id": labels["alert_id"]},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [one],
    }


def fingerprint(labels: Mapping[str, str]) -> int:
    """Prometheus' identity of a label set: 64-bit FNV-1a over sorted names and values, 0xFF after each.

    Source: ``labelSetToFingerprint`` in github.com/prometheus/common, model/signature.go.
    """
    total = _FNV_OFFSET
    for name in sorted(labels):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            total = ((total ^ byte) * _FNV_PRIME) % 2**64
    return total


def to_json(value: object) -> str:
    """One line of strict JSON; what JSON does not know (NaN, a date) is written as text rather than lost."""
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)


def _plain(value: object) -> object:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real) and math.isfinite(value):
        return float(value)
    return str(value)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
