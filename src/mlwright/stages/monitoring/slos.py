"""What counts as good under an objective, and the counts of it in the database.

Counts are kept a minute for 6 hours, five minutes for 3 days and an hour for as long as an objective's window, so any
window is a sum of at most some 2,000 rows an objective. They are differences of counters that only grow; a counter that
is smaller than before began again at 0, as Prometheus takes it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, func, select

from mlwright.model.ids import EndpointName
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.metrics import higher_is_better
from mlwright.model.monitoring import Estimate
from mlwright.model.slos import SPANS, Objective, ObjectiveKind, Tally
from mlwright.stages.monitoring import tables
from mlwright.stages.monitoring.rows import insert, upsert_all

_SECOND: Final = 1_000_000
_MINUTE: Final = 60
_HOUR: Final = 3_600
_TIERS: Final = ((_MINUTE, timedelta(hours=6, minutes=10), 300), (300, timedelta(days=3, hours=1), _HOUR))
"""Seconds of a slot, how long slots of that length are kept, and the seconds of those that they become; slots of an
hour are kept as long as the objective's window."""
_MOST_SLOTS: Final = 360
"""Minutes over which the difference of two looks is spread; what came in a longer gap is spread over hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What an endpoint's processes counted ever, at one look."""

    at: datetime
    requests: float = 0.0
    """All requests but those that the client got wrong."""
    failed: float = 0.0
    """Those of them that got an error."""
    answers: float = 0.0
    slow: float = 0.0
    """Answers that took longer than the promised time."""
    refused: float = 0.0
    """Requests that were not scored because the queue was full or their time over."""

    def names(self) -> dict[str, float]:
        """The counters by name."""
        return {
            "requests": self.requests,
            "failed": self.failed,
            "answers": self.answers,
            "slow": self.slow,
            "refused": self.refused,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """By how much each counter grew between two looks."""

    start: datetime
    end: datetime
    by: Mapping[str, float]


def events(objective: Objective, grown: Grown) -> Tally:
    """The good and all events of an objective that is counted, between two looks.

    Of throughput the events are the requests up to the promised rate; those beyond it were promised to nobody, so
    refusing them is no failure. That takes them as evenly spread between the looks.
    """
    by, seconds = grown.by, (grown.end - grown.start).total_seconds()
    if objective.kind is ObjectiveKind.LATENCY:
        return _tally(by["answers"] - by["slow"], by["answers"])
    if objective.kind is ObjectiveKind.AVAILABILITY:
        return _tally(by["requests"] - by["failed"], by["requests"])
    if objective.kind is ObjectiveKind.THROUGHPUT:
        promised = min(by["requests"], (objective.limit or 0.0) * max(seconds, 0.0))
        return _tally(min(by["requests"] - by["refused"], promised), promised)
    raise ValueError(f"{objective.kind} is not counted by serving processes")


def quality_tally(objective: Objective, days: Sequence[Estimate | None]) -> Tally:
    """Of some matured days, how many were not proven to be worse than the limit: their interval reaches it.

    A day without an estimate (one class only, no labels) is no event.
    """
    limit = objective.limit if objective.limit is not None else 0.0
    up = higher_is_better(objective.unit)
    known = [day for day in days if day is not None]
    good = sum((day.upper >= limit) if up else (day.lower <= limit) for day in known)
    return Tally(good=float(good), total=float(len(known)))


def grow(tx: Connection, endpoint: EndpointName, counts: Counts) -> Grown | None:
    """Take a look's counters over the ones before; returns the difference, or None at the first look.

    A look that is older than the one kept, of a process that was overtaken, is left out.
    """
    table = tables.slo_counters
    held = {
        row.name: row
        for row in tx.execute(select(table).where(table.c.endpoint == endpoint).with_for_update())
    }
    now = to_micros(counts.at)
    before = max((row.at for row in held.values()), default=None)
    if before is not None and now <= before:
        return None
    upsert_all(
        tx,
        tables.slo_counters,
        [
            {"endpoint": endpoint, "name": name, "value": value, "at": now}
            for name, value in counts.names().items()
        ],
    )
    if before is None:
        return None
    by = {}
    for name, value in counts.names().items():
        last = held[name].value if name in held else 0.0
        by[name] = value - last if value >= last else value
    return Grown(start=from_micros(before), end=counts.at, by=by)


def add(tx: Connection, objective: Objective, tally: Tally, start: datetime, end: datetime) -> None:
    """Add events that happened between two instants to the slots that these meet, evenly."""
    if tally.total <= 0:
        return
    first, last = to_micros(start), max(to_micros(end), to_micros(start) + 1)
    longest = max(objective.window, SPANS[-1]) // timedelta(microseconds=1)
    if last - first > longest:  # what is older than the window is not asked for
        kept = longest / (last - first)
        first, tally = last - longest, Tally(good=tally.good * kept, total=tally.total * kept)
    span = _MINUTE if last - first <= _MOST_SLOTS * _MINUTE * _SECOND else _HOUR
    width = span * _SECOND
    parts = {
        at: (min(last, at + width) - max(first, at)) / (last - first)
        for at in range(first // width * width, last, width)
    }
    slots = {at: Tally(good=tally.good * part, total=tally.total * part) for at, part in parts.items()}
    _add(tx, objective, span, slots)


def add_minute(tx: Connection, objective: Objective, now: datetime, *, good: bool) -> None:
    """Count the minute up to now as good or bad, once: several looks in one minute are one event."""
    table = tables.slo_windows
    at = (to_micros(now) - 1) // (_MINUTE * _SECOND) * _MINUTE * _SECOND
    row = insert(tx, table).values(
        endpoint=objective.endpoint,
        objective=objective.kind.value,
        span_s=_MINUTE,
        start_at=at,
        good=float(good),
        total=1.0,
    )
    tx.execute(row.on_conflict_do_nothing(index_elements=list(table.primary_key.columns)))


def roll_up(tx: Connection, objective: Objective, now: datetime, since: datetime | None = None) -> None:
    """Make longer slots of those that are old, and remove what is older than the objective's window.

    ``since`` is when that was done before: what has not become old since was not old then.
    """
    table = tables.slo_windows
    mine = (table.c.endpoint == objective.endpoint, table.c.objective == objective.kind.value)
    for span, keep, longer in _TIERS:
        width = longer * _SECOND
        if since is not None and to_micros(now - keep) // width == to_micros(since - keep) // width:
            continue
        old = (*mine, table.c.span_s == span, table.c.start_at < to_micros(now - keep) // width * width)
        wide: dict[int, Tally] = {}
        # Removed and read in one statement: of two processes at once, one gets each row.
        gone = delete(table).where(*old).returning(table.c.start_at, table.c.good, table.c.total)
        for row in tx.execute(gone).all():
            at = row.start_at // width * width
            wide[at] = wide.get(at, Tally()) + Tally(good=row.good, total=row.total)
        if wide:
            _add(tx, objective, longer, dict(sorted(wide.items())))
    if since is None or to_micros(now) // (_HOUR * _SECOND) != to_micros(since) // (_HOUR * _SECOND):
        oldest = to_micros(now - max(objective.window, SPANS[-1])) - _HOUR * _SECOND
        tx.execute(delete(table).where(*mine, table.c.start_at < oldest))


def tallies(
    tx: Connection, objective: Objective, spans: Iterable[timedelta], now: datetime
) -> dict[timedelta, Tally]:
    """The events of the last so long, for each span.

    The slot in which a window begins counts in part, as if its events were even: an error of at most a minute's events
    for windows up to 6 h, five minutes' up to 3 days, an hour's beyond.
    """
    wanted = tuple(spans)
    table = tables.slo_windows
    end = to_micros(now)
    first = to_micros(now - max(wanted)) - _HOUR * _SECOND
    rows = tx.execute(
        select(table.c.span_s, table.c.start_at, table.c.good, table.c.total).where(
            table.c.endpoint == objective.endpoint,
            table.c.objective == objective.kind.value,
            table.c.start_at >= first,
        )
    ).all()
    width_s, at, well, number = np.array([tuple(row) for row in rows], dtype=np.float64).reshape(-1, 4).T
    last = np.maximum(
        np.minimum(at + width_s * _SECOND, end), at + 1
    )  # nothing happened yet in what is to come
    found: dict[timedelta, Tally] = {}
    for span in wanted:
        start = end - span // timedelta(microseconds=1)
        part = np.where(at < end, np.clip((last - start) / (last - at), 0.0, 1.0), 0.0)
        found[span] = Tally(good=_total(well * part), total=_total(number * part))
    return found


def _total(parts: NDArray[np.float64]) -> float:
    """The sum in the order of the rows, one after the other: the same on every machine."""
    return float(np.cumsum(parts)[-1]) if len(parts) else 0.0


def counted_since(tx: Connection, objective: Objective) -> datetime | None:
    """The start of the oldest slot that is kept, or None."""
    table = tables.slo_windows
    oldest = tx.execute(
        select(func.min(table.c.start_at)).where(
            table.c.endpoint == objective.endpoint, table.c.objective == objective.kind.value
        )
    ).scalar()
    return None if oldest is None else from_micros(oldest)


def _tally(good: float, total: float) -> Tally:
    """Counters of several processes are read one after the other, so that one may be ahead of another by a little."""
    total = max(total, 0.0)
    return Tally(good=min(max(good, 0.0), total), total=total)


def _add(tx: Connection, objective: Objective, span_s: int, slots: Mapping[int, Tally]) -> None:
    """Add to slots of one length, by their start in µs."""
    table = tables.slo_windows
    of = {"endpoint": objective.endpoint, "objective": objective.kind.value, "span_s": span_s}
    rows = [{**of, "start_at": at, "good": tally.good, "total": tally.total} for at, tally in slots.items()]
    row = insert(tx, table)
    more = {"good": table.c.good + row.excluded.good, "total": table.c.total + row.excluded.total}
    tx.execute(row.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=more), rows)
