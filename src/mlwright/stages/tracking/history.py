"""Metric histories: blocks of packed points, and beside them the latest value and the range of each metric.

A call appends one block a key, however many points it has. Small blocks are folded into larger ones in the same
transaction, by size as a log-structured merge tree does it (O'Neil and others, 1996): every point is rewritten at most
once a tier, and a key never has more than about a hundred blocks that are not full.

The SQL is written out where a call runs it for every metric: building the statements costs more than running them.
"""

import json
import math
import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from zlib import crc32

import numpy as np
from sqlalchemy import Connection

from mlwright.errors import UsageError
from mlwright.model.tracking import History, Metric, MetricSummary

BLOCK_POINTS: Final = 16_384
"""A block of so many points is full and never rewritten; it has 384 KiB. None has twice as many."""
_TIERS: Final = (64, 512, BLOCK_POINTS)
_CHECK_EVERY: Final = _TIERS[0]
"""Points between two looks at whether blocks can be folded."""
_WINDOW: Final = BLOCK_POINTS
"""The latest points (at least) among which a repeated one is noticed when it is written."""

Point: TypeAlias = tuple[int, int, float]
"""Step, instant in milliseconds, value."""
_Summary: TypeAlias = tuple[int, int, float | None, int, float | None, float | None]
"""Step, instant and value of the latest point, number of points, lowest and highest; None stands for NaN."""

_SINGLE: Final = struct.Struct("<qqd")


@dataclass(frozen=True, slots=True)
class _Texts:
    """The fixed statements, with the placeholders of one driver."""

    lock: str | None
    latest: str
    summaries: str
    append: str
    upsert: str
    sizes: str
    since: str
    whole: str
    replace: str
    remove: str


def _texts(mark: str, *, several: str, append: str, upsert: str, lock: str | None) -> _Texts:
    return _Texts(
        lock=lock,
        latest="SELECT key, step, at_ms, value, points, lowest, highest FROM tracking_latest_metrics"
        f" WHERE run = {mark} AND key {several}",
        summaries="SELECT run, key, value, step, at_ms, points, lowest, highest FROM tracking_latest_metrics"
        f" WHERE run {several} ORDER BY run, key",
        append=f"INSERT INTO tracking_history (run, key, points, data) {append}",
        upsert="INSERT INTO tracking_latest_metrics (run, key, step, at_ms, value, points, lowest, highest)"
        f" {upsert} ON CONFLICT (run, key) DO UPDATE SET step = excluded.step, at_ms = excluded.at_ms,"
        " value = excluded.value, points = excluded.points, lowest = excluded.lowest,"
        " highest = excluded.highest",
        sizes="SELECT number, points FROM tracking_history"
        f" WHERE run = {mark} AND key = {mark} ORDER BY number DESC LIMIT 256",
        since="SELECT points, data FROM tracking_history"
        f" WHERE run = {mark} AND key = {mark} AND number >= {mark} ORDER BY number",
        whole=f"SELECT points, data FROM tracking_history WHERE run = {mark} AND key = {mark} ORDER BY number",
        replace=f"UPDATE tracking_history SET points = {mark}, data = {mark} WHERE number = {mark}",
        remove=f"DELETE FROM tracking_history WHERE run = {mark} AND key = {mark} AND number > {mark}",
    )


_SQL: Final = {
    "sqlite": _texts(
        "?",
        several="IN (SELECT value FROM json_each(?))",
        append="VALUES (?, ?, ?, ?)",
        upsert="VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        lock=None,
    ),
    "postgresql": _texts(
        "%s",
        several="= ANY(%s)",
        append="SELECT * FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::bytea[])",
        upsert="SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::float8[],"
        " %s::bigint[], %s::float8[], %s::float8[])",
        # Writers of one run queue at its row; rows that only refer to the run do not wait for them.
        lock="SELECT number FROM tracking_runs WHERE number = %s FOR NO KEY UPDATE",
    ),
}


def append_metrics(tx: Connection, number: int, metrics: Sequence[Metric]) -> None:
    """Append points to the histories of one run, and keep the latest value and the range of each key.

    The latest is that of the highest step, then of the latest instant, then the highest value (a NaN comes last), as
    MLflow has it: it does not depend on the order of logging. The same point again (key, step, instant, value)
    changes nothing: a client may send a call again whose answer it did not get. That is noticed among the last
    16,384 points of the key; older ones are counted again, and read once.

    Args:
        tx: a writing transaction.
        number: the number of a run that exists.
        metrics: the points, in the order of logging.

    Raises:
        UsageError: a step or an instant has more than 64 bits.
    """
    batch = _by_key(metrics)
    if not batch:
        return
    sql = _SQL[tx.dialect.name]
    if sql.lock:
        tx.exec_driver_sql(sql.lock, (number,))
    found = tx.exec_driver_sql(sql.latest, (number, _listed(tx, batch))).all()
    known: dict[str, _Summary] = {row[0]: row[1:] for row in found}
    blocks: list[tuple[int, str, int, bytes]] = []
    latest: list[tuple[int | str | float | None, ...]] = []
    grown: list[str] = []
    for key in sorted(batch):
        points, before = batch[key], known.get(key)
        first = points[0] if len(points) == 1 else min(points)
        if before is not None and first[0] <= before[0] and first[:2] <= before[:2]:
            points = _unknown_of(tx, sql, number, key, points)
            if not points:
                continue
        blocks += [(number, key, count, data) for count, data in _packed(key, points)]
        after = _summed(before, points)
        latest.append((number, key, *after))
        # Keys are looked at in turn: not all of a run that logs a thousand of them at once.
        turn = crc32(key.encode())
        if before and (before[3] + turn) // _CHECK_EVERY != (after[3] + turn) // _CHECK_EVERY:
            grown.append(key)
    if blocks:
        _put(tx, sql.append, blocks)
        _put(tx, sql.upsert, latest)
    for key in grown:
        _fold(tx, sql, number, key)


def append_history(tx: Connection, number: int, history: History) -> int:
    """Append those points of a history that are not there yet, and return how many those were.

    Unlike :func:`append_metrics` it looks at every point that is there, however old: it is for reading a source again.
    """
    sql, key = _SQL[tx.dialect.name], history.key
    if sql.lock:
        tx.exec_driver_sql(sql.lock, (number,))
    new = _once(key, history.steps, history.at_ms, history.values)
    found = tx.exec_driver_sql(sql.latest, (number, _listed(tx, [key]))).all()
    before: _Summary | None = tuple(found[0][1:]) if found else None
    if before is not None:
        new = _beyond(read_history(tx, number, key), new)
    count = len(new.steps)
    if not count:
        return 0
    columns = (new.steps.astype("<i8"), new.at_ms.astype("<i8"), new.values.astype("<f8"))
    blocks: list[tuple[object, ...]] = []
    for at in range(0, count, BLOCK_POINTS):
        part = [each[at : at + BLOCK_POINTS] for each in columns]
        blocks.append((number, key, len(part[0]), b"".join(each.tobytes() for each in part)))
    _put(tx, sql.append, blocks)
    last = (new.steps == new.steps[-1]) & (new.at_ms == new.at_ms[-1])
    top = max(
        ((int(new.steps[-1]), int(new.at_ms[-1]), value) for value in new.values[last].tolist()), key=rank
    )
    step, at_ms, value, points, low, high = _summed(before, [top])
    finite = new.values[np.isfinite(new.values)]
    if len(finite):
        least, most = float(finite.min()), float(finite.max())
        low, high = least if low is None else min(low, least), most if high is None else max(high, most)
    _put(tx, sql.upsert, [(number, key, step, at_ms, value, points + count - 1, low, high)])
    if before is not None:
        _fold(tx, sql, number, key)
    return count


def read_history(tx: Connection, number: int, key: str) -> History:
    """All points of one metric of a run; three empty arrays when there is none."""
    blocks = tx.exec_driver_sql(_SQL[tx.dialect.name].whole, (number, key)).all()
    return _once(key, *_unpacked((row[0], row[1]) for row in blocks))


def read_summaries(tx: Connection, numbers: Sequence[int]) -> dict[int, tuple[MetricSummary, ...]]:
    """The latest value and the range of every metric of the runs, by key; an empty tuple for a run without any."""
    found: dict[int, list[MetricSummary]] = {number: [] for number in numbers}
    rows = tx.exec_driver_sql(_SQL[tx.dialect.name].summaries, (_listed(tx, found),))
    for run, key, value, step, at_ms, points, lowest, highest in rows:
        found[run].append(
            MetricSummary(
                key=key,
                value=math.nan if value is None else value,
                step=step,
                at_ms=at_ms,
                points=points,
                lowest=math.nan if lowest is None else lowest,
                highest=math.nan if highest is None else highest,
            )
        )
    return {number: tuple(each) for number, each in found.items()}


def _put(tx: Connection, text: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Write many rows: one statement run for each in SQLite, one for all of them in PostgreSQL."""
    columns = [tuple(map(list, zip(*rows, strict=True)))]
    tx.exec_driver_sql(text, [*rows] if tx.dialect.name == "sqlite" else columns)


def _listed(tx: Connection, values: Iterable[str | int]) -> str | list[str | int]:
    """Many values as one parameter, so that the statement stays the same."""
    return json.dumps(list(values)) if tx.dialect.name == "sqlite" else list(values)


def _by_key(metrics: Sequence[Metric]) -> dict[str, list[Point]]:
    """Group the points by key, in order, each once."""
    found: dict[str, dict[Point, None]] = {}
    for each in metrics:
        value = float(each.value)
        # One NaN object for all of them: as a member of a tuple it equals itself.
        point = (int(each.step), int(each.at_ms), value if value == value else math.nan)
        points = found.get(each.key)
        if points is None:
            found[each.key] = {point: None}
        else:
            points[point] = None
    return {key: list(points) for key, points in found.items()}


def _packed(key: str, points: list[Point]) -> list[tuple[int, bytes]]:
    """The points as blocks: how many, and their bytes."""
    try:
        if len(points) == 1:
            return [(1, _SINGLE.pack(*points[0]))]
        return [
            (
                len(part),
                b"".join(
                    _column(kind, each) for kind, each in zip("qqd", zip(*part, strict=True), strict=True)
                ),
            )
            for part in (points[at : at + BLOCK_POINTS] for at in range(0, len(points), BLOCK_POINTS))
        ]
    except (OverflowError, struct.error) as fault:
        raise UsageError(
            f"a step or timestamp of metric {key!r} does not fit into 64 bits",
            why="both are whole numbers from -2^63 to 2^63 - 1",
        ) from fault


def _column(kind: str, values: Sequence[float]) -> bytes:
    column = array(kind, values)
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def _unpacked(blocks: Iterable[tuple[int, bytes]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps, instants and values of several blocks, one after the other."""
    columns: tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]] = (
        [np.empty(0, np.int64)],
        [np.empty(0, np.int64)],
        [np.empty(0, np.float64)],
    )
    for points, data in blocks:
        for place, (column, kind) in enumerate(zip(columns, ("<i8", "<i8", "<f8"), strict=True)):
            column.append(np.frombuffer(data, kind, points, 8 * points * place))
    steps, at_ms, values = map(np.concatenate, columns)
    return steps, at_ms, values


def _once(key: str, steps: np.ndarray, at_ms: np.ndarray, values: np.ndarray) -> History:
    """Put points in order, each once; three arrays in the order of logging."""
    if not _rises(steps, at_ms):
        order = np.lexsort((at_ms, steps))
        steps, at_ms, values = steps[order], at_ms[order], values[order]
        if not _rises(steps, at_ms):
            fresh = _first_of_each(steps, at_ms, values)
            steps, at_ms, values = steps[fresh], at_ms[fresh], values[fresh]
    return History(key=key, steps=steps, at_ms=at_ms, values=values)


def _rises(steps: np.ndarray, at_ms: np.ndarray) -> bool:
    """Whether each point comes after the one before it: then none is there twice."""
    later, same = steps[1:] > steps[:-1], steps[1:] == steps[:-1]
    return bool(later.all() or (later | (same & (at_ms[1:] > at_ms[:-1]))).all())


def _first_of_each(steps: np.ndarray, at_ms: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Which points of an ordered history did not come before."""
    # As whole numbers, where NaN is like NaN; adding zero makes -0.0 like 0.0.
    bits = (values + 0.0).view(np.int64)
    order = np.lexsort((bits, at_ms, steps))
    columns = (steps[order], at_ms[order], bits[order])
    again = np.logical_and.reduce([each[1:] == each[:-1] for each in columns])
    fresh = np.ones(len(steps), bool)
    fresh[order[1:][again]] = False
    return fresh


def _beyond(old: History, new: History) -> History:
    """Those of the new points that are not among the old ones; both are in order, each point once."""
    length = len(old.steps)
    after = slice(length, None)
    pairs = ((old.steps, new.steps), (old.at_ms, new.at_ms), (old.values, new.values))
    # Mostly it went on where it was, and what is new is at the end.
    if not all(np.array_equal(a, b[:length], equal_nan=a.dtype.kind == "f") for a, b in pairs):
        # Equal points keep the order in which they are given, so that of two the old one comes first.
        kept = _first_of_each(*map(np.concatenate, pairs))[length:]
        return History(key=new.key, steps=new.steps[kept], at_ms=new.at_ms[kept], values=new.values[kept])
    return History(key=new.key, steps=new.steps[after], at_ms=new.at_ms[after], values=new.values[after])


def _unknown_of(tx: Connection, sql: _Texts, number: int, key: str, points: list[Point]) -> list[Point]:
    """Those of the points that are not among the latest of the history."""
    sizes = tx.exec_driver_sql(sql.sizes, (number, key)).all()
    total = 0
    first = 0
    for first, size in sizes:  # noqa: B007 - the block at which it ends is what is looked for
        total += size
        if total >= _WINDOW:
            break
    blocks = tx.exec_driver_sql(sql.since, (number, key, first)).all()
    steps, at_ms, values = _unpacked((row[0], row[1]) for row in blocks)
    low, high = min(points)[0], max(points)[0]
    near = (steps >= low) & (steps <= high)
    old = set(
        zip(steps[near].tolist(), at_ms[near].tolist(), map(_one_nan, values[near].tolist()), strict=True)
    )
    return [each for each in points if each not in old]


def _one_nan(value: float) -> float:
    return value if value == value else math.nan


def _summed(before: _Summary | None, points: list[Point]) -> _Summary:
    """Step, instant and value of the latest point, the number of points, and the range of the finite ones."""
    if len(points) == 1:
        top = points[0]
        low = high = top[2] if math.isfinite(top[2]) else None
    else:
        top = max(points, key=rank)
        finite = [each[2] for each in points if math.isfinite(each[2])]
        low, high = min(finite, default=None), max(finite, default=None)
    count = len(points)
    if before is not None:
        step, at_ms, value, counted, lowest, highest = before
        count += counted
        if lowest is not None and highest is not None:
            low = lowest if low is None or lowest < low else low
            high = highest if high is None or highest > high else high
        if top[0] <= step:
            top = max((step, at_ms, math.nan if value is None else value), top, key=rank)
    return top[0], top[1], top[2] if top[2] == top[2] else None, count, low, high


def rank(point: Point) -> tuple[int, int, bool, float]:
    """What the latest point has most of, as MLflow has it. A NaN is behind every number, as it compares with none."""
    step, at_ms, value = point
    return (step, at_ms, True, value) if value == value else (step, at_ms, False, 0.0)


def _fold(tx: Connection, sql: _Texts, number: int, key: str) -> None:
    """Make one block of the small ones at the end, where they are enough for a tier."""
    sizes = tx.exec_driver_sql(sql.sizes, (number, key)).all()
    count = _foldable([row[1] for row in sizes])
    if count < 2:
        return
    first = sizes[count - 1][0]
    blocks = tx.exec_driver_sql(sql.since, (number, key, first)).all()
    data = b"".join(
        block[8 * points * place : 8 * points * (place + 1)] for place in range(3) for points, block in blocks
    )
    tx.exec_driver_sql(sql.replace, (len(data) // 24, data, first))
    tx.exec_driver_sql(sql.remove, (number, key, first))


def _foldable(sizes: Sequence[int]) -> int:
    """How many of the newest blocks make one of the next tier together; the newest is first."""
    found = 0
    for tier in _TIERS:
        count, total = 0, 0
        for size in sizes:
            if size >= tier or total + size >= 2 * BLOCK_POINTS:
                break
            count, total = count + 1, total + size
        if total >= tier:
            found = count
    return found
