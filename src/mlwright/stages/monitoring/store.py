"""What monitoring keeps: performance and drift per window, references, alerts, and notifications to send.

The caller owns the transaction. An alert and its deliveries written in one transaction cannot be lost: the
deliveries are an outbox that is worked off after any restart.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, Table, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mlwright.errors import Conflict, NotFound
from mlwright.model.ids import AlertId, EndpointName
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.monitoring import (
    Alert,
    AlertLevel,
    AlertState,
    DriftReport,
    Estimate,
    FeatureDrift,
    Performance,
)
from mlwright.model.windows import Window
from mlwright.stages.monitoring import tables
from mlwright.stages.monitoring.drift import Sketch

Granularity = Literal["day", "month", "window"]

FIRST_RETRY = timedelta(seconds=30)
LONGEST_RETRY = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a model version's features looked like where it was trained."""

    endpoint: EndpointName
    model_version: str
    window: Window
    sketches: dict[str, Sketch]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedAlert:
    """The alert as it is kept, and whether it is news: False where it was open already."""

    alert: Alert
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One change of an alert that one channel has still to carry. ``alert`` has the state to tell about."""

    id: int
    alert: Alert
    channel: str
    attempts: int


def save_performance(tx: Connection, performance: Performance, granularity: Granularity) -> None:
    """Keep the measurement, in place of an earlier one of the same endpoint, granularity and start."""
    _upsert(
        tx,
        tables.performance,
        endpoint=performance.endpoint,
        granularity=granularity,
        start_at=to_micros(performance.window.start),
        end_at=to_micros(performance.window.end),
        matured=performance.matured,
        numbers={
            "predictions": performance.predictions,
            "labelled": performance.labelled,
            "positive_rate": performance.positive_rate,
            "mean_score": performance.mean_score,
            "auc": asdict(performance.auc) if performance.auc else None,
            "brier": asdict(performance.brier) if performance.brier else None,
            "calibration_error": performance.calibration_error,
            "versions": list(performance.versions),
        },
    )


def list_performance(
    tx: Connection, endpoint: EndpointName, granularity: Granularity, since: datetime | None = None
) -> tuple[Performance, ...]:
    """All measurements of one granularity in order of time, those that start at ``since`` or later."""
    table = tables.performance
    wanted = select(table).where(table.c.endpoint == endpoint, table.c.granularity == granularity)
    if since is not None:
        wanted = wanted.where(table.c.start_at >= to_micros(since))
    return tuple(_performance(row) for row in tx.execute(wanted.order_by(table.c.start_at)))


def save_drift(tx: Connection, report: DriftReport) -> None:
    """Keep the report, in place of an earlier one of the same endpoint and window."""
    _upsert(
        tx,
        tables.drift,
        endpoint=report.endpoint,
        start_at=to_micros(report.window.start),
        end_at=to_micros(report.window.end),
        reference_start_at=to_micros(report.reference.start),
        reference_end_at=to_micros(report.reference.end),
        features=[asdict(feature) for feature in report.features],
    )


def list_drift(
    tx: Connection, endpoint: EndpointName, since: datetime | None = None
) -> tuple[DriftReport, ...]:
    """All reports in order of time, those that start at ``since`` or later."""
    table = tables.drift
    wanted = select(table).where(table.c.endpoint == endpoint)
    if since is not None:
        wanted = wanted.where(table.c.start_at >= to_micros(since))
    return tuple(
        DriftReport(
            endpoint=EndpointName(row.endpoint),
            window=_window(row.start_at, row.end_at),
            reference=_window(row.reference_start_at, row.reference_end_at),
            features=tuple(FeatureDrift(**feature) for feature in row.features),
        )
        for row in tx.execute(wanted.order_by(table.c.start_at, table.c.end_at))
    )


def save_reference(
    tx: Connection,
    endpoint: EndpointName,
    model_version: str,
    sketches: Mapping[str, Sketch],
    window: Window,
) -> None:
    """Keep the bins that drift under one model version is counted into."""
    _upsert(
        tx,
        tables.references,
        endpoint=endpoint,
        model_version=model_version,
        start_at=to_micros(window.start),
        end_at=to_micros(window.end),
        # A list, because PostgreSQL may reorder the keys of a JSON object and the order of columns is shown.
        sketches=[{"column": column, **sketch.to_json()} for column, sketch in sketches.items()],
    )


def get_reference(tx: Connection, endpoint: EndpointName, model_version: str) -> Reference:
    """The reference of a model version behind an endpoint.

    Raises:
        NotFound: none was saved.
        StorageError: it cannot be read.
    """
    table = tables.references
    of_endpoint = select(table).where(table.c.endpoint == endpoint)
    row = tx.execute(of_endpoint.where(table.c.model_version == model_version)).first()
    if row is None:
        known = tx.execute(select(table.c.model_version).where(table.c.endpoint == endpoint)).scalars()
        raise NotFound.named(
            f"drift reference of endpoint {endpoint}", model_version, known, f"mlwright monitor {endpoint}"
        )
    return Reference(
        endpoint=endpoint,
        model_version=model_version,
        window=_window(row.start_at, row.end_at),
        sketches={stored["column"]: Sketch.from_json(stored) for stored in row.sketches},
    )


def save_alert(tx: Connection, alert: Alert) -> SavedAlert:
    """Keep a firing alert; at most one is open for an endpoint and rule.

    While one is open, its level, summary and evidence are brought up to date; its id, instant and state stay.
    An alert that was resolved earlier on the same day is opened again under its id.

    Raises:
        ValueError: the alert is not firing.
        Conflict: another endpoint's alert has this id.
    """
    if alert.state is not AlertState.FIRING:
        raise ValueError(f"a new alert fires; {alert.state} is reached by acknowledge and resolve")
    table = tables.alerts
    news = {
        "level": alert.level.value,
        "summary": alert.summary,
        "evidence": alert.evidence,
        "next_command": alert.next_command,
    }
    open_id = tx.execute(
        select(table.c.id).where(
            table.c.endpoint == alert.endpoint, table.c.rule == alert.rule, table.c.resolved_at.is_(None)
        )
    ).scalar()
    if open_id is not None:
        tx.execute(update(table).where(table.c.id == open_id).values(news))
        return SavedAlert(alert=get_alert(tx, AlertId(open_id)), new=False)
    holder = tx.execute(select(table.c.endpoint, table.c.rule).where(table.c.id == alert.id)).first()
    if holder is not None and (holder.endpoint, holder.rule) != (alert.endpoint, alert.rule):
        raise Conflict(f"alert id {alert.id} is taken by endpoint {holder.endpoint}, rule {holder.rule}")
    _upsert(
        tx,
        table,
        id=alert.id,
        rule=alert.rule,
        endpoint=alert.endpoint,
        state=AlertState.FIRING.value,
        fired_at=to_micros(alert.fired),
        resolved_at=None,
        acknowledged_at=None,
        acknowledged_by=None,
        **news,
    )
    return SavedAlert(alert=get_alert(tx, alert.id), new=True)


def firing(tx: Connection, endpoint: EndpointName | None = None) -> tuple[Alert, ...]:
    """The open alerts (firing or acknowledged), oldest first."""
    table = tables.alerts
    wanted = select(table).where(table.c.resolved_at.is_(None))
    if endpoint is not None:
        wanted = wanted.where(table.c.endpoint == endpoint)
    return tuple(_alert(row) for row in tx.execute(wanted.order_by(table.c.fired_at, table.c.id)))


def list_alerts(tx: Connection, endpoint: EndpointName | None = None, limit: int = 100) -> tuple[Alert, ...]:
    """All alerts, newest first."""
    table = tables.alerts
    wanted = select(table).order_by(table.c.fired_at.desc(), table.c.id).limit(limit)
    if endpoint is not None:
        wanted = wanted.where(table.c.endpoint == endpoint)
    return tuple(_alert(row) for row in tx.execute(wanted))


def get_alert(tx: Connection, alert: AlertId) -> Alert:
    """One alert.

    Raises:
        NotFound: no alert has this id.
    """
    table = tables.alerts
    row = tx.execute(select(table).where(table.c.id == alert)).first()
    if row is None:
        known = tx.execute(select(table.c.id).order_by(table.c.fired_at.desc()).limit(1000)).scalars()
        raise NotFound.named("alert", alert, known, "mlwright alerts")
    return _alert(row)


def acknowledge(tx: Connection, alert: AlertId, who: str, at: datetime) -> Alert:
    """Note that somebody has taken the alert; again by the same or another person, the first one stays.

    Raises:
        NotFound: no alert has this id.
        Conflict: it is resolved already.
    """
    held = get_alert(tx, alert)
    if held.state is AlertState.RESOLVED:
        raise Conflict(f"alert {alert} is resolved already", next_command="mlwright alerts")
    if held.state is AlertState.FIRING:
        changes = {
            "state": AlertState.ACKNOWLEDGED.value,
            "acknowledged_by": who,
            "acknowledged_at": to_micros(at),
        }
        tx.execute(update(tables.alerts).where(tables.alerts.c.id == alert).values(changes))
    return get_alert(tx, alert)


def resolve(tx: Connection, alert: AlertId, at: datetime) -> Alert:
    """Close the alert; closing it again changes nothing.

    Raises:
        NotFound: no alert has this id.
    """
    table = tables.alerts
    tx.execute(
        update(table)
        .where(table.c.id == alert, table.c.resolved_at.is_(None))
        .values(state=AlertState.RESOLVED.value, resolved_at=to_micros(at))
    )
    return get_alert(tx, alert)


def enqueue_delivery(tx: Connection, alert: Alert, channel: str, at: datetime) -> None:
    """Ask for one message about the alert's present state; asking twice before it is sent asks once."""
    table = tables.deliveries
    waiting = select(table.c.id).where(
        table.c.alert_id == alert.id,
        table.c.state == alert.state.value,
        table.c.channel == channel,
        table.c.sent_at.is_(None),
    )
    if tx.execute(waiting).first() is None:
        now = to_micros(at)
        values = {"alert_id": alert.id, "state": alert.state.value, "channel": channel}
        tx.execute(table.insert().values(**values, enqueued_at=now, retry_at=now, attempts=0))


def pending_deliveries(tx: Connection, now: datetime, limit: int = 100) -> tuple[Delivery, ...]:
    """The messages that are due, oldest first.

    Messages about one alert keep their order on a channel: a later one waits until the earlier one is sent. A
    process that dies between sending and ``mark_delivered`` sends again: each message arrives at least once.
    """
    table = tables.deliveries
    unsent = table.c.sent_at.is_(None)
    next_in_line = select(func.min(table.c.id)).where(unsent).group_by(table.c.alert_id, table.c.channel)
    due = (
        select(table)
        .where(unsent, table.c.retry_at <= to_micros(now), table.c.id.in_(next_in_line))
        .order_by(table.c.id)
        .limit(limit)
    )
    return tuple(
        Delivery(
            id=row.id,
            alert=replace(get_alert(tx, AlertId(row.alert_id)), state=AlertState(row.state)),
            channel=row.channel,
            attempts=row.attempts,
        )
        for row in tx.execute(due).all()
    )


def mark_delivered(tx: Connection, delivery: int, at: datetime) -> None:
    """Note that the channel took the message."""
    table = tables.deliveries
    tx.execute(
        update(table)
        .where(table.c.id == delivery)
        .values(sent_at=to_micros(at), attempts=table.c.attempts + 1, last_error=None)
    )


def mark_failed(tx: Connection, delivery: int, at: datetime, error: str) -> None:
    """Note that the channel did not take it; it is due again after 30 s, 1 min, 2 min, ... at most 1 h."""
    table = tables.deliveries
    attempts = tx.execute(select(table.c.attempts).where(table.c.id == delivery)).scalar_one()
    pause = min(FIRST_RETRY * 2 ** min(attempts, 10), LONGEST_RETRY)
    tx.execute(
        update(table)
        .where(table.c.id == delivery)
        .values(attempts=attempts + 1, retry_at=to_micros(at + pause), last_error=error)
    )


def _upsert(tx: Connection, table: Table, **row: object) -> None:
    """Insert the row, or replace the one with the same primary key."""
    keys = [column.name for column in table.primary_key]
    rest = {name: value for name, value in row.items() if name not in keys}
    if tx.dialect.name == "postgresql":
        tx.execute(postgresql.insert(table).values(row).on_conflict_do_update(index_elements=keys, set_=rest))
    else:
        tx.execute(sqlite.insert(table).values(row).on_conflict_do_update(index_elements=keys, set_=rest))


def _window(start_at: int, end_at: int) -> Window:
    return Window(start=from_micros(start_at), end=from_micros(end_at))


def _performance(row: Row[Any]) -> Performance:
    numbers = dict(row.numbers)
    for metric in ("auc", "brier"):
        numbers[metric] = Estimate(**numbers[metric]) if numbers[metric] else None
    numbers["versions"] = tuple(numbers["versions"])
    window = _window(row.start_at, row.end_at)
    return Performance(endpoint=EndpointName(row.endpoint), window=window, matured=row.matured, **numbers)


def _alert(row: Row[Any]) -> Alert:
    return Alert(
        id=AlertId(row.id),
        rule=row.rule,
        endpoint=EndpointName(row.endpoint),
        level=AlertLevel(row.level),
        state=AlertState(row.state),
        fired=from_micros(row.fired_at),
        summary=row.summary,
        evidence=row.evidence,
        next_command=row.next_command,
        resolved=from_micros(row.resolved_at) if row.resolved_at is not None else None,
        acknowledged_by=row.acknowledged_by,
    )
