"""What is kept of drift: references, counts of served rows an hour or a day, and reports.

The counts of one window are one compressed row: measured with 20 columns of numbers and 10 of up to 500 levels it is
14 kB for 1,000 rows, 15 kB for 5,000 and 18 kB for 100,000. Hours older than :data:`HOURS_KEPT` can be summed into
days, so that an endpoint that is counted by the hour costs 22 MB of recent hours and 7 MB a year.

Slices and variants have rows of their own, and their hours are summed into days sooner (:data:`PART_HOURS_KEPT`). A
part that is all of its window (the only variant of most days) costs no bytes. Measured with 20 columns of numbers, 10
of text, 10 slices and 100,000 rows a day: 0.16 MB a day by the day (60 MB a year), 3.2 MB a day by the hour (22 MB of
a week), and 0.1 s a day to count or 0.6 s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select

from mlwright.errors import NotFound
from mlwright.model.ids import EndpointName
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.monitoring import DriftReport, FeatureDrift
from mlwright.model.windows import Window, day_start
from mlwright.stages.monitoring import tables
from mlwright.stages.monitoring.judging import report_of
from mlwright.stages.monitoring.packing import pack, unpack
from mlwright.stages.monitoring.rows import upsert, upsert_all
from mlwright.stages.monitoring.seasons import Part
from mlwright.stages.monitoring.sketches import Sketch, merge_all

SERVED = "served"
"""All rows that were answered; a slice or a variant has a name of its own."""
OF_REFERENCE = "reference"
"""Windows of the reference itself, which say how much it varies."""
HOURS_KEPT = timedelta(days=60)
PART_HOURS_KEPT = timedelta(days=7)
"""There are as many times more hours of slices as there are slices."""
_HELD_OUT, _WITHIN = "held out", OF_REFERENCE
"""All rows of a slice of the reference, and its windows; the slice's name follows a colon."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a model version's features looked like where it was trained."""

    endpoint: EndpointName
    model_version: str
    window: Window
    sketches: dict[str, Sketch]


def save_drift(tx: Connection, report: DriftReport) -> None:
    """Keep the report, in place of an earlier one of the same endpoint and window."""
    upsert(
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
    tx: Connection, endpoint: EndpointName, since: datetime | None = None, until: datetime | None = None
) -> tuple[DriftReport, ...]:
    """All reports in order of time, those that start at ``since`` or later and end at ``until`` or before."""
    table = tables.drift
    wanted = select(table).where(table.c.endpoint == endpoint)
    if since is not None:
        wanted = wanted.where(table.c.start_at >= to_micros(since))
    if until is not None:
        wanted = wanted.where(table.c.end_at <= to_micros(until))
    return tuple(
        report_of(
            EndpointName(row.endpoint),
            _window(row.start_at, row.end_at),
            _window(row.reference_start_at, row.reference_end_at),
            tuple(FeatureDrift(**feature) for feature in row.features),
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
    """Keep the bins that drift under one model version is counted into.

    Counts into earlier bins of the version are forgotten: they do not add up with those of the new ones.
    """
    upsert(
        tx,
        tables.references,
        endpoint=endpoint,
        model_version=model_version,
        start_at=to_micros(window.start),
        end_at=to_micros(window.end),
        # A list, because PostgreSQL may reorder the keys of a JSON object and the order of columns is shown.
        sketches=[{"column": column, **sketch.to_json()} for column, sketch in sketches.items()],
    )
    table = tables.sketches
    tx.execute(delete(table).where(table.c.endpoint == endpoint, table.c.model_version == model_version))


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


def replace_counts(
    tx: Connection,
    reference: Reference,
    window: Window,
    whole: Sequence[Part],
    parts: Mapping[str, Sequence[Part]] | None = None,
) -> None:
    """Keep the counts of what was served in a window, in place of all that was counted in it before.

    So a window can be counted again when rows came late, by the hour where it was by the day, or with other slices.
    Nothing is kept where a part of the window has gone into the sum of a longer one: its rows would count twice.
    """
    table = tables.sketches
    served = table.c.part.startswith(f"{SERVED}:", autoescape=True) | (table.c.part == SERVED)
    start_at, end_at = to_micros(window.start), to_micros(window.end)
    cut = select(table.c.part).where(
        _of(reference),
        served,
        table.c.start_at < end_at,
        table.c.end_at > start_at,
        (table.c.start_at < start_at) | (table.c.end_at > end_at),
    )
    if tx.execute(cut.limit(1)).first() is not None:
        return
    tx.execute(delete(table).where(_of(reference), served, *_inside(window)))
    rows = [_row(reference, SERVED, each, pack(each.sketches)) for each in whole]
    for name, counted in (parts or {}).items():
        rows += _rows_of_part(reference, name, counted, whole)
    upsert_all(tx, table, rows)


def save_held_out(
    tx: Connection, reference: Reference, name: str, sketches: Mapping[str, Sketch], within: Sequence[Part]
) -> None:
    """Keep the reference of a slice: all of it, and by the day."""
    save_counts(tx, reference, [Part(window=reference.window, sketches=sketches)], f"{_HELD_OUT}:{name}")
    save_counts(tx, reference, within, f"{_WITHIN}:{name}")


def list_held_out(
    tx: Connection, reference: Reference
) -> dict[str, tuple[Mapping[str, Sketch], tuple[Part, ...]]]:
    """The reference of each slice, and its windows in order of time.

    Raises:
        StorageError: they cannot be read.
    """
    within = _list_parts(tx, reference, _WITHIN)
    return {
        name: (parts[0].sketches, within.get(name, ()))
        for name, parts in _list_parts(tx, reference, _HELD_OUT).items()
    }


def list_parts_counted(
    tx: Connection, reference: Reference, window: Window | None = None
) -> dict[str, tuple[Part, ...]]:
    """The counts of the slices and variants of all hours and days that lie in the window, in order of time.

    Raises:
        StorageError: they cannot be read.
    """
    return _list_parts(tx, reference, SERVED, window)


def count_rows(tx: Connection, reference: Reference, window: Window) -> dict[str, int]:
    """How many rows of each slice and variant were counted in the window."""
    table = tables.sketches
    wanted = (
        select(table.c.part, func.sum(table.c.rows))
        .where(_of(reference), table.c.part.startswith(f"{SERVED}:", autoescape=True), *_inside(window))
        .group_by(table.c.part)
    )
    return {part.partition(":")[2]: int(rows) for part, rows in tx.execute(wanted)}


def save_counts(tx: Connection, reference: Reference, parts: Sequence[Part], part: str = SERVED) -> None:
    """Keep the counts of some windows, in place of earlier ones of the same windows."""
    for each in parts:
        upsert(tx, tables.sketches, **_row(reference, part, each, pack(each.sketches)))


def list_counts(
    tx: Connection, reference: Reference, window: Window | None = None, part: str = SERVED
) -> tuple[Part, ...]:
    """The counts of all hours and days that lie in the window, in order of time; None is all of it.

    Raises:
        StorageError: they cannot be read.
    """
    table = tables.sketches
    wanted = select(table).where(_of(reference), table.c.part == part, *_inside(window))
    return tuple(
        Part(window=_window(row.start_at, row.end_at), sketches=unpack(reference.sketches, row.counts))
        for row in tx.execute(wanted.order_by(table.c.start_at, table.c.end_at))
    )


def roll_up(tx: Connection, reference: Reference, before: datetime, part: str = SERVED) -> int:
    """Sum the hours of the days (UTC) that ended by then into days; returns how many days were made.

    What a window that is made of whole days adds up to stays the same.
    """
    days = _days_of_hours(tx, reference, before, tables.sketches.c.part == part)
    for day in days:
        held = list_counts(tx, reference, day, part)
        tx.execute(
            delete(tables.sketches).where(_of(reference), tables.sketches.c.part == part, *_inside(day))
        )
        save_counts(tx, reference, [_summed(reference, day, held)], part)
    return len(days)


def roll_up_parts(tx: Connection, reference: Reference, before: datetime) -> int:
    """The same for all slices and variants. Call it before :func:`roll_up`."""
    parts = tables.sketches.c.part.startswith(f"{SERVED}:", autoescape=True)
    days = _days_of_hours(tx, reference, before, parts)
    for day in days:
        held = list_parts_counted(tx, reference, day)
        whole = list_counts(tx, reference, day)
        tx.execute(delete(tables.sketches).where(_of(reference), parts, *_inside(day)))
        rows = [
            row
            for name, counted in held.items()
            for row in _rows_of_part(reference, name, [_summed(reference, day, counted)], whole)
        ]
        upsert_all(tx, tables.sketches, rows)
    return len(days)


def _list_parts(
    tx: Connection, reference: Reference, kind: str, window: Window | None = None
) -> dict[str, tuple[Part, ...]]:
    table = tables.sketches
    parts = table.c.part.startswith(f"{kind}:", autoescape=True)
    wanted = select(table).where(_of(reference), parts, *_inside(window))
    rows = tx.execute(wanted.order_by(table.c.part, table.c.start_at, table.c.end_at)).all()
    whole = list_counts(tx, reference, window) if any(not row.counts for row in rows) else ()
    found: dict[str, list[Part]] = {}
    for row in rows:
        at = _window(row.start_at, row.end_at)
        held = [each for each in whole if at.start <= each.window.start and each.window.end <= at.end]
        part = (
            Part(window=at, sketches=unpack(reference.sketches, row.counts))
            if row.counts
            else _summed(reference, at, held)
        )
        found.setdefault(row.part.partition(":")[2], []).append(part)
    return {name: tuple(each) for name, each in found.items()}


def _rows_of_part(
    reference: Reference, name: str, counted: Sequence[Part], whole: Sequence[Part]
) -> list[dict[str, object]]:
    """The counts of a part; where it is all that was served then, they are the whole's and take no bytes."""
    rows = []
    for each in counted:
        at = each.window
        of_whole = sum(one.rows for one in whole if at.start <= one.window.start and one.window.end <= at.end)
        counts = pack(each.sketches) if each.rows < of_whole else b""
        rows.append(_row(reference, f"{SERVED}:{name}", each, counts))
    return rows


def _row(reference: Reference, part: str, counted: Part, counts: bytes) -> dict[str, object]:
    return {
        "endpoint": reference.endpoint,
        "model_version": reference.model_version,
        "part": part,
        "start_at": to_micros(counted.window.start),
        "end_at": to_micros(counted.window.end),
        "rows": counted.rows,
        "counts": counts,
    }


def _days_of_hours(
    tx: Connection, reference: Reference, before: datetime, parts: ColumnElement[bool]
) -> list[Window]:
    """The days (UTC) that ended by then and of which there are hours."""
    table = tables.sketches
    hours = select(table.c.start_at).where(
        _of(reference),
        parts,
        table.c.end_at <= to_micros(day_start(before)),
        table.c.end_at - table.c.start_at < _DAY // timedelta(microseconds=1),
    )
    days = sorted({day_start(from_micros(row.start_at)) for row in tx.execute(hours.distinct())})
    return [Window(start=day, end=day + _DAY) for day in days]


def _summed(reference: Reference, window: Window, parts: Sequence[Part]) -> Part:
    return Part(window=window, sketches=merge_all(reference.sketches, (each.sketches for each in parts)))


def _of(reference: Reference) -> ColumnElement[bool]:
    table = tables.sketches
    return and_(table.c.endpoint == reference.endpoint, table.c.model_version == reference.model_version)


def _inside(window: Window | None) -> tuple[ColumnElement[bool], ...]:
    table = tables.sketches
    if window is None:
        return ()
    return (table.c.start_at >= to_micros(window.start), table.c.end_at <= to_micros(window.end))


def _window(start_at: int, end_at: int) -> Window:
    return Window(start=from_micros(start_at), end=from_micros(end_at))
