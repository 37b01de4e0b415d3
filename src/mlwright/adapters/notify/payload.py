"""An alert as JSON: one flat record for the log, and Alertmanager's webhook payload, version 4.

The payload is that of https://prometheus.io/docs/alerting/latest/configuration/#webhook_config, so that
whatever takes Alertmanager's calls takes these. Alertmanager knows "firing" and "resolved" only: an
acknowledged alert is firing, and an annotation says who took it.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from numbers import Integral, Real

from mlwright.model.alerting import Notice
from mlwright.model.monitoring import Alert, AlertState

_STILL_FIRING = "0001-01-01T00:00:00Z"  # Go's zero time: what Alertmanager sends for "no end yet"
_FNV_OFFSET, _FNV_PRIME = 14695981039346656037, 1099511628211


def log_record(alert: Alert) -> dict[str, object]:
    """The alert's fields by name, instants in ISO 8601 UTC."""
    change = alert.suspected
    return {
        "id": alert.id,
        "state": alert.state.value,
        "rule": alert.rule,
        "endpoint": alert.endpoint,
        "level": alert.level.value,
        "summary": alert.summary,
        "fired": iso(alert.fired),
        "resolved": iso(alert.resolved) if alert.resolved else None,
        "acknowledged_by": alert.acknowledged_by,
        "owner": alert.owner,
        "runbook": alert.runbook,
        "suspected": None
        if change is None
        else {"at": iso(change.at), "what": change.what, "subject": change.subject, "by": change.by},
        "group": alert.group,
        "flaps": alert.flaps,
        "evidence": alert.evidence,
        "next_command": alert.next_command,
    }


def alert_labels(alert: Alert) -> dict[str, str]:
    """What identifies the alert at Alertmanager: they stay the same as long as it is open."""
    return {
        "alertname": alert.rule,
        "endpoint": str(alert.endpoint),
        "severity": alert.level.value,
        "alert_id": str(alert.id),
    }


def alert_annotations(alert: Alert) -> dict[str, str]:
    """What a person reads; ``runbook_url`` as Prometheus's own rules name it, where it is an address."""
    change = alert.suspected
    link = alert.runbook.startswith(("https://", "http://"))
    said = {
        "summary": alert.summary,
        "next_command": alert.next_command,
        "acknowledged_by": alert.acknowledged_by or "",
        "owner": alert.owner or "",
        "runbook_url" if link else "runbook": alert.runbook,
        "suspected_change": f"{change.what} at {iso(change.at)} by {change.by}" if change else "",
        "evidence": to_json(alert.evidence) if alert.evidence else "",
    }
    return {name: value for name, value in said.items() if value}


def webhook_payload(notice: Notice, *, receiver: str) -> dict[str, object]:
    """The body of one webhook call about the alerts of one group."""
    alerts = [_one(each) for each in notice.alerts]
    labels = {"endpoint": str(notice.endpoint), "group": notice.group}
    return {
        "version": "4",
        "groupKey": f"{{}}:{{endpoint={json.dumps(labels['endpoint'])}, group={json.dumps(notice.group)}}}",
        "truncatedAlerts": 0,
        "status": "resolved" if notice.state is AlertState.RESOLVED else "firing",
        "receiver": receiver,
        "groupLabels": labels,
        "commonLabels": _common([alert_labels(each) for each in notice.alerts]),
        "commonAnnotations": _common([alert_annotations(each) for each in notice.alerts]),
        "externalURL": "",
        "alerts": alerts,
    }


def _one(alert: Alert) -> dict[str, object]:
    labels = alert_labels(alert)
    return {
        "status": "resolved" if alert.state is AlertState.RESOLVED else "firing",
        "labels": labels,
        "annotations": alert_annotations(alert),
        "startsAt": iso(alert.fired),
        "endsAt": iso(alert.resolved) if alert.resolved else _STILL_FIRING,
        "generatorURL": "",
        "fingerprint": f"{fingerprint(labels):016x}",
    }


def _common(sets: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The names whose value is the same in all."""
    first, *rest = sets
    return {name: value for name, value in first.items() if all(each.get(name) == value for each in rest)}


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


def digest(text: str) -> str:
    """Its SHA-256 in hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def key_within(text: str, limit: int) -> str:
    """The text as a key of at most so many characters: itself, or its digest where it is too long."""
    return text if len(text) <= limit else digest(text)


def iso(at: datetime) -> str:
    """An instant as RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
