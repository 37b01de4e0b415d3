"""What is kept of the drift of slices and variants: a row each of a window, with the columns that moved most.

Of ten slices that is 10 to 30 kB a window.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import Connection, delete, select

from mlwright.model.ids import EndpointName
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.monitoring import FeatureDrift
from mlwright.model.part_drift import DriftByPart, PartDrift
from mlwright.model.windows import Window
from mlwright.stages.monitoring import tables
from mlwright.stages.monitoring.rows import upsert_all

LEAST_KEPT: Final = 3
MOST_KEPT: Final = 8
"""Columns of each part that are kept: those that moved in any part, so that parts stand beside each other."""


def save_part_drift(tx: Connection, found: DriftByPart) -> None:
    """Keep the report, in place of an earlier one of the same endpoint and window."""
    table = tables.part_drift
    start_at, end_at = to_micros(found.window.start), to_micros(found.window.end)
    tx.execute(
        delete(table).where(
            table.c.endpoint == found.endpoint, table.c.start_at == start_at, table.c.end_at == end_at
        )
    )
    moved = {each.column for part in found.parts for each in part.features if each.moved}
    names = found.most_drifted(min(max(len(moved), LEAST_KEPT), MOST_KEPT))
    rows = [
        {
            "endpoint": found.endpoint,
            "start_at": start_at,
            "end_at": end_at,
            "part": each.part,
            "place": place,
            "model_version": found.model_version,
            "reference_start_at": to_micros(found.reference.start),
            "reference_end_at": to_micros(found.reference.end),
            "rows": each.rows,
            "reference_rows": each.reference_rows,
            "columns_judged": each.judged,
            "columns_moved": each.moved,
            "note": each.note,
            "assumption": each.assumption,
            "features": [_told(feature) for feature in each.features if feature.column in names],
        }
        for place, each in enumerate(found.parts)
    ]
    upsert_all(tx, table, rows)


def latest_part_drift(tx: Connection, endpoint: EndpointName) -> DriftByPart | None:
    """The kept report of the window that ended last; None where there is none."""
    table = tables.part_drift
    of_endpoint = select(table).where(table.c.endpoint == endpoint)
    last = tx.execute(of_endpoint.order_by(table.c.end_at.desc(), table.c.start_at.desc()).limit(1)).first()
    if last is None:
        return None
    same = of_endpoint.where(table.c.start_at == last.start_at, table.c.end_at == last.end_at)
    return DriftByPart(
        endpoint=EndpointName(last.endpoint),
        model_version=last.model_version,
        window=_window(last.start_at, last.end_at),
        reference=_window(last.reference_start_at, last.reference_end_at),
        parts=tuple(
            PartDrift(
                part=row.part,
                rows=row.rows,
                reference_rows=row.reference_rows,
                judged=row.columns_judged,
                moved=row.columns_moved,
                note=row.note,
                assumption=row.assumption,
                features=tuple(FeatureDrift(**each) for each in row.features),
            )
            for row in tx.execute(same.order_by(table.c.place))
        ),
    )


def _told(feature: FeatureDrift) -> Mapping[str, Any]:
    """What says more than the default would."""
    return {name: value for name, value in asdict(feature).items() if value is not None and value != ""}


def _window(start_at: int, end_at: int) -> Window:
    return Window(start=from_micros(start_at), end=from_micros(end_at))
