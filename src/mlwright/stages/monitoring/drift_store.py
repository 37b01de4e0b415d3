"""What is kept of drift: references, counts of served rows an hour or a day, and reports.

The counts of one window are one compressed row: measured with 20 columns of numbers and 10 of up to 500 levels it is
14 kB for 1,000 rows, 15 kB for 5,000 and 18 kB for 100,000. Hours older than :data:`HOURS_KEPT` can be summed into
days, so that an endpoint that is counted by the hour costs 22 MB of recent hours and 7 MB a year.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from mlwright.errors import NotFound
from mlwright.model.ids import EndpointName
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.monitoring import DriftReport, FeatureDrift
from mlwright.model.windows import Window, day_start
from mlwright.stages.monitoring import tables
from mlwright.stages.monitoring.judging import report_of
from mlwright.stages.monitoring.packing import pack, unpack
from mlwright.stages.monitoring.rows import upsert
from mlwright.stages.monitoring.seasons import Part
from mlwright.stages.monitoring.sketches import Sketch, merge_all

SERVED = "served"
"""All rows that were answered; a slice or a variant has a name of its own."""
OF_REFERENCE = "reference"
"""Windows of the reference itself, which say how much it varies."""
HOURS_KEPT = timedelta(days=60)

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
    tx: Connection, endpoint: EndpointName, since: datetime | None = None
) -> tuple[DriftReport, ...]:
    """All reports in order of time, those that start at ``since`` or later."""
    table = tables.drift
    wanted = select(table).where(table.c.endpoint == endpoint)
    if since is not None:
        wanted = wanted.where(table.c.start_at >= to_micros(since))
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


def save_counts(tx: Connection, reference: Reference, parts: Sequence[Part], part: str = SERVED) -> None:
    """Keep the counts of some windows, in place of earlier ones of the same windows."""
    for each in parts:
        upsert(
            tx,
            tables.sketches,
            endpoint=reference.endpoint,
            model_version=reference.model_version,
            part=part,
            start_at=to_micros(each.window.start),
            end_at=to_micros(each.window.end),
            rows=each.rows,
            counts=pack(each.sketches),
        )


def list_counts(
    tx: Connection, reference: Reference, window: Window | None = None, part: str = SERVED
) -> tuple[Part, ...]:
    """The counts of all hours and days that lie in the window, in order of time; None is all of it.

    Raises:
        StorageError: they cannot be read.
    """
    table = tables.sketches
    wanted = select(table).where(
        table.c.endpoint == reference.endpoint,
        table.c.model_version == reference.model_version,
        table.c.part == part,
    )
    if window is not None:
        wanted = wanted.where(
            table.c.start_at >= to_micros(window.start), table.c.end_at <= to_micros(window.end)
        )
    return tuple(
        Part(window=_window(row.start_at, row.end_at), sketches=unpack(reference.sketches, row.counts))
        for row in tx.execute(wanted.order_by(table.c.start_at, table.c.end_at))
    )


def roll_up(tx: Connection, reference: Reference, before: datetime, part: str = SERVED) -> int:
    """Sum the hours of the days (UTC) that ended by then into days; returns how many days were made.

    What a window that is made of whole days adds up to stays the same.
    """
    table = tables.sketches
    hours = select(table.c.start_at, table.c.end_at).where(
        table.c.endpoint == reference.endpoint,
        table.c.model_version == reference.model_version,
        table.c.part == part,
        table.c.end_at <= to_micros(day_start(before)),
        table.c.end_at - table.c.start_at < _DAY // timedelta(microseconds=1),
    )
    days = sorted({day_start(from_micros(row.start_at)) for row in tx.execute(hours)})
    for day in days:
        window = Window(start=day, end=day + _DAY)
        held = list_counts(tx, reference, window, part)
        tx.execute(
            delete(table).where(
                table.c.endpoint == reference.endpoint,
                table.c.model_version == reference.model_version,
                table.c.part == part,
                table.c.start_at >= to_micros(window.start),
                table.c.end_at <= to_micros(window.end),
            )
        )
        summed = merge_all(reference.sketches, (each.sketches for each in held))
        save_counts(tx, reference, [Part(window=window, sketches=summed)], part)
    return len(days)


def _window(start_at: int, end_at: int) -> Window:
    return Window(start=from_micros(start_at), end=from_micros(end_at))
