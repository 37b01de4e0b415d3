"""Silences: alerts that are kept and shown, and that nobody is told of for a while. The caller owns the transaction."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, or_, select, update

from mlwright.errors import Conflict, NotFound
from mlwright.model.alerting import Silence
from mlwright.model.ids import EndpointName
from mlwright.model.instants import from_micros, to_micros
from mlwright.stages.monitoring import tables


def add_silence(tx: Connection, silence: Silence) -> None:
    """Keep a new silence."""
    tx.execute(
        tables.silences.insert().values(
            id=silence.id,
            endpoint=silence.endpoint,
            rule=silence.rule,
            by=silence.by,
            why=silence.why,
            start_at=to_micros(silence.start),
            end_at=to_micros(silence.end),
        )
    )


def list_silences(
    tx: Connection, *, at: datetime | None = None, endpoint: str | None = None, limit: int = 1000
) -> tuple[Silence, ...]:
    """Silences, those that began last first; with ``at`` only those that hold then."""
    table = tables.silences
    wanted = select(table).order_by(table.c.start_at.desc(), table.c.id).limit(limit)
    if at is not None:
        now = to_micros(at)
        wanted = wanted.where(table.c.start_at <= now, table.c.end_at > now)
        wanted = wanted.where(or_(table.c.ended_at.is_(None), table.c.ended_at > now))
    if endpoint is not None:
        wanted = wanted.where(table.c.endpoint == endpoint)
    return tuple(_silence(row) for row in tx.execute(wanted))


def silence_over(tx: Connection, endpoint: str, rule: str, at: datetime) -> Silence | None:
    """The silence that keeps a rule's alerts at an endpoint from being told at an instant: the one that ends last."""
    held = [each for each in list_silences(tx, at=at, endpoint=endpoint) if each.covers(endpoint, rule)]
    return max(held, key=lambda each: (each.end, each.id), default=None)


def end_silence(tx: Connection, id: str, at: datetime) -> Silence:
    """End a silence now.

    Raises:
        NotFound: there is none of this id; the nearest is suggested.
        Conflict: it is over already.
    """
    table = tables.silences
    row = tx.execute(select(table).where(table.c.id == id)).first()
    if row is None:
        known = tx.execute(select(table.c.id).order_by(table.c.start_at.desc()).limit(1000)).scalars()
        raise NotFound.named("silence", id, known, "mlwright alerts silences")
    found = _silence(row)
    if not found.active(at):
        over = found.ended or found.end
        raise Conflict(
            f"silence {id} is over since {over:%Y-%m-%d %H:%M} UTC", next_command="mlwright alerts silences"
        )
    tx.execute(update(table).where(table.c.id == id).values(ended_at=to_micros(at)))
    return _silence(tx.execute(select(table).where(table.c.id == id)).one())


def _silence(row: Row[Any]) -> Silence:
    return Silence(
        id=row.id,
        endpoint=EndpointName(row.endpoint),
        rule=row.rule,
        by=row.by,
        why=row.why,
        start=from_micros(row.start_at),
        end=from_micros(row.end_at),
        ended=from_micros(row.ended_at) if row.ended_at is not None else None,
    )
