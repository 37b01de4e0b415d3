"""The change that is looked at first when an alert fires: the nearest before it, out of the ledger."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from mlwright.model.diagnosis import Happening
from mlwright.model.ids import EndpointName
from mlwright.model.ledger import AuditRow
from mlwright.model.monitoring import SuspectedChange
from mlwright.platform.parts import Parts
from mlwright.stages.ledger import store as ledger
from mlwright.stages.monitoring.alerts import AlertDecision
from mlwright.stages.serving import store as serving

LOOKBACK: Final = timedelta(days=30)
"""A change that is older is not suspected: too much else has happened since."""
CONFIG: Final = "project:mlwright.toml"
"""The subject of audit rows about the project's settings."""

_ROWS: Final = 500
_VERSIONS: Final = 10
_CHANGES: Final[Mapping[str, str]] = {
    "deploy": "{version} was deployed",
    "withdraw": "{version} was taken out of service",
    "follow": "the endpoint followed its alias to {version}",
    "rollout start": "a rollout of {version} began",
    "route": "the rollout {rollout} changed who answers ({state})",
    "alias": "{alias} was pointed at version {version}",
    "alias override": "{alias} was pointed at version {version} against its gates",
    "config": "mlwright.toml was changed",
}
"""Audit rows that change what an endpoint answers, and how they are told."""


def onset_of(decision: AlertDecision, now: datetime) -> datetime:
    """When that began which an alert is about, as its rule knows it: what it says, its window's end, or now."""
    window = decision.evidence.get("window")
    said = decision.evidence.get("onset") or (
        window[-1] if isinstance(window, list | tuple) and window else None
    )
    if isinstance(said, str):
        try:
            said = datetime.fromisoformat(said)
        except ValueError:
            return now
    return min(said, now) if isinstance(said, datetime) and said.tzinfo is not None else now


def suspected_change(tx: Connection, endpoint: EndpointName, at: datetime) -> SuspectedChange | None:
    """The nearest change before an instant, of the endpoint's route, of a version behind it, or of the settings.

    It is where to look first. That something happened before something else proves nothing.
    """
    found = _changes(tx, endpoint, at - LOOKBACK, at)
    if not found:
        return None
    nearest = max(found, key=lambda row: (row.at, row.number))
    return SuspectedChange(
        at=nearest.at,
        what=_words(nearest),
        subject=nearest.subject,
        by=nearest.actor,
        before=at - nearest.at,
    )


def changes_of(
    tx: Connection, endpoint: EndpointName, start: datetime, end: datetime
) -> tuple[Happening, ...]:
    """Everything in a window that changed what an endpoint answers, in order of time."""
    return tuple(
        Happening(at=row.at, kind=row.action, what=_words(row), source=f"audit:{row.number}")
        for row in _changes(tx, endpoint, start, end)
    )


def note_settings(parts: Parts) -> None:
    """Write down that mlwright.toml is not as it was."""
    try:
        content = (parts.settings.root / "mlwright.toml").read_bytes()
    except OSError:
        return
    digest = hashlib.sha256(content).hexdigest()
    with parts.read() as tx:
        before = ledger.get_mark(tx, "settings-digest")
    if before == digest:
        return
    with parts.write() as tx:
        ledger.set_mark(tx, "settings-digest", digest)
        if before is not None:
            parts.audit(tx, "config", CONFIG, digest=digest[:12], previous=before[:12])


def _changes(tx: Connection, endpoint: EndpointName, start: datetime, end: datetime) -> list[AuditRow]:
    """Audit rows of a window that changed what an endpoint answers, by their numbers; each once."""
    rows = {
        row.number: row for row in _rows(tx, endpoint) if start <= row.at <= end and row.action in _CHANGES
    }
    return [row for _, row in sorted(rows.items())]


def _words(row: AuditRow) -> str:
    return _CHANGES[row.action].format_map(_Known(row.details))


def _rows(tx: Connection, endpoint: EndpointName) -> Iterator[AuditRow]:
    yield from ledger.list_audit(tx, subject=f"endpoint:{endpoint}", limit=_ROWS)
    yield from ledger.list_audit(tx, subject=CONFIG, limit=_ROWS)
    served: dict[str, None] = {}
    for _, route in reversed(serving.route_history(tx, endpoint)):
        served.update(dict.fromkeys(f"{each.model}/{each.version}" for each in route.variants))
        if len(served) >= _VERSIONS:
            break
    for ref in served:
        yield from ledger.list_audit(tx, subject=f"model:{ref}", limit=_ROWS)


class _Known(dict[str, object]):
    """Details of an audit row; what an older row does not say is a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"
