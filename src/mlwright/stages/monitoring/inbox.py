"""The alerts that are kept: opened, brought up to date, taken, closed. The caller owns the transaction.

An alert that comes back soon after it was over is the same one again (``REOPENS``): one entry with a count, not a new
one each time that a value crosses its limit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, select, update

from mlwright.errors import Conflict, NotFound
from mlwright.model.ids import AlertId, EndpointName
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.monitoring import Alert, AlertLevel, AlertState, SuspectedChange
from mlwright.stages.monitoring import tables
from mlwright.stages.monitoring.escalating import EscalationClock
from mlwright.stages.monitoring.rows import insert

REOPENS: Final = timedelta(days=1)
"""A rule that fires again so soon after its alert was over opens that alert again. Looks at quality are days apart, and
so a value that crosses its limit from one look to the next is one alert."""

_NO_CLOCK: Final = {"since_at": None, "step": -1, "told_at": None, "escalated_to": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedAlert:
    """The alert as it is kept, and whether it is news: False where it was open already."""

    alert: Alert
    new: bool


def save_alert(tx: Connection, alert: Alert) -> SavedAlert:
    """Keep a firing alert; at most one is open for an endpoint and rule.

    While one is open, its level, summary and evidence are brought up to date; its id, instant and state stay. One that
    was over for less than ``REOPENS`` is opened again under its id and instant; :func:`start_over` or
    :func:`carry_on` says what becomes of who took it.

    Raises:
        ValueError: the alert is not firing.
        Conflict: another endpoint's alert has this id.
    """
    if alert.state is not AlertState.FIRING:
        raise ValueError(f"a new alert fires; {alert.state} is reached by acknowledge and resolve")
    table = tables.alerts
    news: dict[str, object] = {
        "level": alert.level.value,
        "summary": alert.summary,
        "evidence": alert.evidence,
        "next_command": alert.next_command,
        "owner": alert.owner,
        "runbook": alert.runbook,
    }
    saved = _keep_open(tx, alert, news) or _reopen(tx, alert, news) or _open(tx, alert, news)
    # Not opened, because another process was faster: its alert is the one.
    saved = saved or _keep_open(tx, alert, news)
    if saved is None:
        holder = tx.execute(select(table.c.endpoint, table.c.rule).where(table.c.id == alert.id)).one()
        raise Conflict(f"alert id {alert.id} is taken by endpoint {holder.endpoint}, rule {holder.rule}")
    return saved


def firing(tx: Connection, endpoint: EndpointName | None = None) -> tuple[Alert, ...]:
    """The open alerts (firing or acknowledged), oldest first."""
    table = tables.alerts
    wanted = select(table).where(table.c.resolved_at.is_(None))
    if endpoint is not None:
        wanted = wanted.where(table.c.endpoint == endpoint)
    return tuple(alert_of_row(row) for row in tx.execute(wanted.order_by(table.c.fired_at, table.c.id)))


def list_alerts(tx: Connection, endpoint: EndpointName | None = None, limit: int = 100) -> tuple[Alert, ...]:
    """All alerts, newest first."""
    table = tables.alerts
    wanted = select(table).order_by(table.c.fired_at.desc(), table.c.id).limit(limit)
    if endpoint is not None:
        wanted = wanted.where(table.c.endpoint == endpoint)
    return tuple(alert_of_row(row) for row in tx.execute(wanted))


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
    return alert_of_row(row)


def group_members(tx: Connection, group: str) -> tuple[Alert, ...]:
    """The alerts that are told together, oldest first."""
    table = tables.alerts
    wanted = select(table).where(table.c.group_id == group).order_by(table.c.fired_at, table.c.id)
    return tuple(alert_of_row(row) for row in tx.execute(wanted))


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


def mark_silenced(tx: Connection, alert: AlertId, silence: str | None) -> Alert:
    """Note which silence keeps the alert from being told; None: none does any more."""
    tx.execute(update(tables.alerts).where(tables.alerts.c.id == alert).values(silenced_by=silence))
    return get_alert(tx, alert)


def start_over(tx: Connection, alert: AlertId) -> Alert:
    """An alert that came back after its end was told: nobody has it, and nobody was told of it."""
    fresh = {"acknowledged_at": None, "acknowledged_by": None, "silenced_by": None, **_NO_CLOCK}
    tx.execute(update(tables.alerts).where(tables.alerts.c.id == alert).values(fresh))
    return get_alert(tx, alert)


def carry_on(tx: Connection, alert: AlertId) -> Alert:
    """An alert that came back before anybody was told of its end: whoever took it still has it."""
    table = tables.alerts
    had = table.c.acknowledged_by.is_not(None)
    tx.execute(update(table).where(table.c.id == alert, had).values(state=AlertState.ACKNOWLEDGED.value))
    return get_alert(tx, alert)


def get_clock(tx: Connection, alert: AlertId) -> EscalationClock | None:
    """Where the alert's escalation stands; None where it was never told."""
    table = tables.alerts
    row = tx.execute(select(table.c.since_at, table.c.step, table.c.told_at).where(table.c.id == alert)).one()
    if row.since_at is None:
        return None
    told = from_micros(row.told_at) if row.told_at is not None else None
    return EscalationClock(since=from_micros(row.since_at), step=row.step, told=told)


def set_clock(tx: Connection, alert: AlertId, clock: EscalationClock, to: tuple[str, ...]) -> None:
    """Keep where the alert's escalation stands, and whom it told last."""
    values = {
        "since_at": to_micros(clock.since),
        "step": clock.step,
        "told_at": to_micros(clock.told) if clock.told else None,
        "escalated_to": list(to) or None,
    }
    tx.execute(update(tables.alerts).where(tables.alerts.c.id == alert).values(values))


def alert_of_row(row: Row[Any]) -> Alert:
    """An alert from its row."""
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
        owner=row.owner,
        runbook=row.runbook or "",
        suspected=_suspected(row.suspected),
        group=row.group_id,
        silenced=row.silenced_by,
        escalated_to=tuple(row.escalated_to or ()),
        flaps=row.flaps,
    )


def _keep_open(tx: Connection, alert: Alert, news: Mapping[str, object]) -> SavedAlert | None:
    table = tables.alerts
    is_open = _of_rule(alert).where(table.c.resolved_at.is_(None))
    open_id = tx.execute(is_open.with_only_columns(table.c.id)).scalar()
    if open_id is None:
        return None
    tx.execute(update(table).where(table.c.id == open_id).values(news))
    return SavedAlert(alert=get_alert(tx, AlertId(open_id)), new=False)


def _reopen(tx: Connection, alert: Alert, news: Mapping[str, object]) -> SavedAlert | None:
    table = tables.alerts
    last = tx.execute(_of_rule(alert).order_by(table.c.resolved_at.desc()).limit(1)).first()
    if last is None or last.resolved_at is None:
        return None
    gone = to_micros(alert.fired) - last.resolved_at
    if last.id != alert.id and gone > REOPENS // timedelta(microseconds=1):
        return None
    again = {"state": AlertState.FIRING.value, "resolved_at": None, "flaps": last.flaps + 1}
    still_over = (table.c.id == last.id, table.c.resolved_at.is_not(None))
    if not tx.execute(update(table).where(*still_over).values({**news, **again})).rowcount:
        return None
    return SavedAlert(alert=get_alert(tx, AlertId(last.id)), new=True)


def _open(tx: Connection, alert: Alert, news: Mapping[str, object]) -> SavedAlert | None:
    row = {
        "id": alert.id,
        "rule": alert.rule,
        "endpoint": alert.endpoint,
        "state": AlertState.FIRING.value,
        "fired_at": to_micros(alert.fired),
        "group_id": alert.group or alert.id,
        "suspected": _suspected_json(alert.suspected),
        **news,
    }
    opened = insert(tx, tables.alerts).values(row).on_conflict_do_nothing().returning(tables.alerts.c.id)
    if tx.execute(opened).scalar() is None:
        return None
    return SavedAlert(alert=get_alert(tx, alert.id), new=True)


def _of_rule(alert: Alert) -> Select[Any]:
    table = tables.alerts
    return select(table).where(table.c.endpoint == alert.endpoint, table.c.rule == alert.rule)


def _suspected_json(change: SuspectedChange | None) -> dict[str, object] | None:
    if change is None:
        return None
    return {
        "at": to_micros(change.at),
        "what": change.what,
        "subject": change.subject,
        "by": change.by,
        "before_us": change.before // timedelta(microseconds=1),
    }


def _suspected(kept: dict[str, Any] | None) -> SuspectedChange | None:
    if not kept:
        return None
    return SuspectedChange(
        at=from_micros(kept["at"]),
        what=kept["what"],
        subject=kept["subject"],
        by=kept["by"],
        before=timedelta(microseconds=kept["before_us"]),
    )
