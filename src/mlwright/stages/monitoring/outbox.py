"""Messages about alerts that channels have still to carry. The caller owns the transaction.

Alerts and their messages are written in one transaction, so that neither a crash nor a restart loses one. A process
claims what it sends: two that deliver at once do not send the same message twice. One that dies while it sends leaves
its claim to run out, and the message is sent again: each arrives at least once, with the same key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, delete, exists, or_, select, update

from mlwright.model.alerting import NoticeKind
from mlwright.model.ids import AlertId
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.monitoring import Alert, AlertState
from mlwright.stages.monitoring import tables

FIRST_RETRY: Final = timedelta(seconds=30)
LONGEST_RETRY: Final = timedelta(hours=1)
"""Also the pause where the receiver refuses: only a person can help there, and may any time."""
LEASE: Final = timedelta(minutes=3)
"""How long a claim counts: longer than any one message can take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One row of the outbox: that ``alert_id`` is in ``state`` is news to ``channel``."""

    id: int
    alert_id: AlertId
    group: str
    channel: str
    state: AlertState
    kind: NoticeKind
    enqueued: datetime
    retry: datetime
    attempts: int
    error: str | None
    refused: bool
    sent: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What one message is about: the claimed rows of one group on one channel, oldest first."""

    group: str
    channel: str
    rows: tuple[Delivery, ...]
    claim: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a channel took, or may have taken, of a group: the last state of each alert, and when that was."""

    states: Mapping[AlertId, AlertState]
    last: datetime | None

    @property
    def open(self) -> tuple[AlertId, ...]:
        """The alerts that it believes open."""
        return tuple(id for id, state in self.states.items() if state is not AlertState.RESOLVED)


def enqueue(
    tx: Connection,
    alert: Alert,
    channel: str,
    at: datetime,
    *,
    due: datetime | None = None,
    kind: NoticeKind = NoticeKind.CHANGE,
) -> None:
    """Ask for one message about the alert's present state; asking twice before it is sent asks once.

    ``due`` is when it may leave, ``at`` without it.
    """
    table = tables.deliveries
    waiting = select(table.c.id).where(
        table.c.alert_id == alert.id,
        table.c.state == alert.state.value,
        table.c.channel == channel,
        _unsent(),
    )
    found = tx.execute(waiting).scalar()
    if found is not None:
        earliest = to_micros(due or at)
        tx.execute(
            update(table).where(table.c.id == found, table.c.retry_at > earliest).values(retry_at=earliest)
        )
        return
    values = {"alert_id": alert.id, "state": alert.state.value, "channel": channel, "kind": kind.value}
    tx.execute(
        table.insert().values(**values, enqueued_at=to_micros(at), retry_at=to_micros(due or at), attempts=0)
    )


def waiting(tx: Connection, *, due: datetime | None = None) -> tuple[Delivery, ...]:
    """The messages that have not left, oldest first; with ``due`` those that may leave by then."""
    table = tables.deliveries
    wanted = _rows().where(_unsent())
    if due is not None:
        wanted = wanted.where(table.c.retry_at <= to_micros(due))
    return tuple(_delivery(row) for row in tx.execute(wanted.order_by(table.c.id)))


def any_due(tx: Connection, now: datetime, channels: tuple[str, ...]) -> bool:
    """Whether there is a message that may leave and that nobody else sends now."""
    table, at = tables.deliveries, to_micros(now)
    wanted = select(table.c.id).where(_due(at), _free(at), table.c.channel.in_(channels)).limit(1)
    return tx.execute(wanted).first() is not None


def stuck(tx: Connection) -> tuple[Delivery, ...]:
    """The messages that failed when they were last tried, oldest first."""
    table = tables.deliveries
    wanted = _rows().where(table.c.last_error.is_not(None), or_(_unsent(), table.c.refresh_at.is_not(None)))
    return tuple(_delivery(row) for row in tx.execute(wanted.order_by(table.c.id)))


def told(tx: Connection, alert: AlertId) -> tuple[str, ...]:
    """The channels that believe the alert open: the last thing they took, or may have taken, is not its end."""
    table = tables.deliveries
    reached = or_(table.c.sent_at.is_not(None), table.c.attempts > 0)
    wanted = select(table.c.channel, table.c.state).where(table.c.alert_id == alert, reached)
    last = {row.channel: row.state for row in tx.execute(wanted.order_by(table.c.id))}
    return tuple(channel for channel, state in last.items() if state != AlertState.RESOLVED.value)


def told_of_group(tx: Connection, group: str, channel: str) -> Told:
    """What a channel knows of a group."""
    table = tables.deliveries
    wanted = _rows().where(tables.alerts.c.group_id == group, table.c.channel == channel)
    rows = [_delivery(row) for row in tx.execute(wanted.order_by(table.c.id))]
    reached = [each for each in rows if each.sent is not None or each.attempts]
    return Told(
        states={each.alert_id: each.state for each in reached},
        last=max((each.sent or each.enqueued for each in reached), default=None),
    )


def give_up_on(tx: Connection, channels: tuple[str, ...], at: datetime, why: str) -> None:
    """Deal with messages for channels that are not there any more.

    That something is over, nobody waits for. What still fires stays and shows as refused until it is over.
    """
    table = tables.deliveries
    gone = and_(_unsent(), table.c.channel.not_in(channels), table.c.retry_at <= to_micros(at))
    over = table.c.state == AlertState.RESOLVED.value
    tx.execute(update(table).where(gone, over).values(cancelled_at=to_micros(at), last_error=why))
    later = to_micros(at + LONGEST_RETRY)
    tx.execute(update(table).where(gone).values(retry_at=later, last_error=why, refused=True))


def cancel(tx: Connection, alert: AlertId, states: tuple[AlertState, ...], at: datetime) -> tuple[str, ...]:
    """Take back what has not left about an alert; returns the channels whose message never began to."""
    table = tables.deliveries
    unsent = and_(
        table.c.alert_id == alert,
        table.c.state.in_([each.value for each in states]),
        _unsent(),
    )
    never = [*tx.execute(select(table.c.channel).where(unsent, table.c.attempts == 0)).scalars()]
    tx.execute(delete(table).where(unsent, table.c.attempts == 0))
    tx.execute(update(table).where(unsent).values(cancelled_at=to_micros(at)))
    return tuple(dict.fromkeys(never))


def claim(tx: Connection, now: datetime, who: str, *, channels: tuple[str, ...]) -> Parcel | None:
    """Take the oldest message that is due, with all else that is due of its group on its channel.

    Args:
        tx: a writing transaction; what it holds is the caller's once it is committed.
        now: the present instant.
        who: a name that no other process uses.
        channels: of which channels.
    """
    table, at = tables.deliveries, to_micros(now)
    due, free = _due(at), _free(at)
    other, member = tables.deliveries.alias("other"), tables.alerts.alias("member")
    # Another process has a message of this group and channel in its hands: what comes after it waits.
    busy = exists(
        select(other.c.id)
        .join(member, member.c.id == other.c.alert_id)
        .where(
            member.c.group_id == tables.alerts.c.group_id,
            other.c.channel == table.c.channel,
            other.c.claimed_until > at,
        )
    )
    found = _rows().where(due, free, ~busy, table.c.channel.in_(channels)).order_by(table.c.id).limit(1)
    first = tx.execute(found).first()
    if first is None:
        return None
    of_group = select(tables.alerts.c.id).where(tables.alerts.c.group_id == first.group_id)
    # Asked again in the statement that writes: on PostgreSQL another process may have been faster.
    tx.execute(
        update(table)
        .where(table.c.channel == first.channel, table.c.alert_id.in_(of_group), free)
        .where(or_(due, and_(_unsent(), table.c.attempts > 0)))
        .values(claimed_by=who, claimed_until=to_micros(now + LEASE), attempts=table.c.attempts + 1)
    )
    mine = _rows().where(table.c.claimed_by == who, table.c.claimed_until > at).order_by(table.c.id)
    rows = tuple(_delivery(row) for row in tx.execute(mine))
    if not rows:
        return None
    return Parcel(group=first.group_id, channel=first.channel, rows=rows, claim=who)


def delivered(tx: Connection, parcel: Parcel, at: datetime, resend: timedelta | None = None) -> None:
    """Note that the channel took the message; with ``resend`` it is told again after so long while it is open."""
    table = tables.deliveries
    alerts = {each.alert_id: each.state for each in parcel.rows}
    tx.execute(
        update(table)
        .where(table.c.claimed_by == parcel.claim)
        .values(sent_at=to_micros(at), last_error=None, refused=False, claimed_by=None, claimed_until=None)
    )
    old = and_(table.c.channel == parcel.channel, table.c.alert_id.in_(alerts))
    tx.execute(update(table).where(old, table.c.refresh_at.is_not(None)).values(refresh_at=None))
    if resend is not None:
        again = {each.alert_id: each.id for each in parcel.rows if each.state is not AlertState.RESOLVED}
        tx.execute(
            update(table).where(table.c.id.in_(again.values())).values(refresh_at=to_micros(at + resend))
        )


def failed(
    tx: Connection,
    parcel: Parcel,
    at: datetime,
    error: str,
    *,
    refused: bool = False,
    after: timedelta | None = None,
) -> None:
    """Note that the channel did not take it; it is due again after 30 s, 1 min, 2 min, ... at most 1 h.

    Where the receiver refuses, after 1 h; where it names a pause, not before that.
    """
    table = tables.deliveries
    for row in parcel.rows:
        pause = LONGEST_RETRY if refused else min(FIRST_RETRY * 2 ** min(row.attempts - 1, 10), LONGEST_RETRY)
        if row.sent is not None and not refused:
            pause = FIRST_RETRY  # the receiver forgets soon, and the row has been sent many times already
        again = to_micros(at + max(pause, min(after or pause, LONGEST_RETRY)))
        when = {"retry_at": again} if row.sent is None else {"refresh_at": again}
        tx.execute(
            update(table)
            .where(table.c.id == row.id, table.c.claimed_by == parcel.claim)
            .values(**when, last_error=error, refused=refused, claimed_by=None, claimed_until=None)
        )


def _unsent() -> Any:
    table = tables.deliveries
    return and_(table.c.sent_at.is_(None), table.c.cancelled_at.is_(None))


def _due(at: int) -> Any:
    table = tables.deliveries
    return or_(and_(_unsent(), table.c.retry_at <= at), table.c.refresh_at <= at)


def _free(at: int) -> Any:
    """What no other process sends now."""
    table = tables.deliveries
    return or_(table.c.claimed_until.is_(None), table.c.claimed_until <= at)


def _rows() -> Select[Any]:
    alerts = tables.alerts
    return select(tables.deliveries, alerts.c.group_id).join(
        alerts, alerts.c.id == tables.deliveries.c.alert_id
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        alert_id=AlertId(row.alert_id),
        group=row.group_id,
        channel=row.channel,
        state=AlertState(row.state),
        kind=NoticeKind(row.kind),
        enqueued=from_micros(row.enqueued_at),
        retry=from_micros(row.retry_at if row.refresh_at is None else row.refresh_at),
        attempts=row.attempts,
        error=row.last_error,
        refused=row.refused,
        sent=from_micros(row.sent_at) if row.sent_at is not None else None,
    )
