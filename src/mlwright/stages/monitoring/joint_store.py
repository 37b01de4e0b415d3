"""What is kept of joint drift: one row a window, its columns inside. The caller owns the transaction.

A row with 30 columns is 3 kB, so that an endpoint which is compared every week costs 150 kB a year.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, select

from mlwright.model.ids import EndpointName
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.joint_drift import JointColumn, JointDrift
from mlwright.model.monitoring import Estimate
from mlwright.model.windows import Window
from mlwright.stages.monitoring import tables
from mlwright.stages.monitoring.rows import upsert


def save_joint_drift(tx: Connection, found: JointDrift) -> None:
    """Keep the comparison, in place of an earlier one of the same endpoint and window."""
    numbers: dict[str, object] = {
        "rows": found.rows,
        "reference_rows": found.reference_rows,
        "taken": list(found.taken),
        "auc": asdict(found.auc) if found.auc else None,
        "usual": asdict(found.usual) if found.usual else None,
        "mmd": found.mmd,
        "mmd_p": found.mmd_p,
        "note": found.note,
    }
    upsert(
        tx,
        tables.joint_drift,
        endpoint=found.endpoint,
        start_at=to_micros(found.window.start),
        end_at=to_micros(found.window.end),
        measured_at=to_micros(found.at),
        model_version=found.version,
        reference_start_at=to_micros(found.reference.start),
        reference_end_at=to_micros(found.reference.end),
        numbers=numbers,
        # One flat object a column: they are rows of their own where the table is exported.
        features=[_flat(each) for each in found.columns],
    )


def list_joint_drift(tx: Connection, endpoint: EndpointName) -> tuple[JointDrift, ...]:
    """All kept comparisons of an endpoint in order of time."""
    table = tables.joint_drift
    wanted = select(table).where(table.c.endpoint == endpoint).order_by(table.c.start_at, table.c.end_at)
    return tuple(_opened(row) for row in tx.execute(wanted))


def _opened(row: Row[Any]) -> JointDrift:
    numbers = row.numbers
    return JointDrift(
        endpoint=EndpointName(row.endpoint),
        window=Window(start=from_micros(row.start_at), end=from_micros(row.end_at)),
        reference=Window(start=from_micros(row.reference_start_at), end=from_micros(row.reference_end_at)),
        version=row.model_version,
        at=from_micros(row.measured_at),
        rows=numbers["rows"],
        reference_rows=numbers["reference_rows"],
        taken=(numbers["taken"][0], numbers["taken"][1]),
        auc=_estimate(numbers["auc"]),
        usual=_estimate(numbers["usual"]),
        mmd=numbers["mmd"],
        mmd_p=numbers["mmd_p"],
        note=numbers["note"],
        columns=tuple(_column(each) for each in row.features),
    )


def _flat(each: JointColumn) -> dict[str, object]:
    alone = each.alone
    return {
        "column": each.column,
        "importance": each.importance,
        "alone": alone.value if alone else None,
        "alone_lower": alone.lower if alone else None,
        "alone_upper": alone.upper if alone else None,
        "alone_level": alone.level if alone else None,
        "alone_assumption": alone.assumption if alone else None,
        "left_out": each.left_out,
    }


def _column(flat: Mapping[str, Any]) -> JointColumn:
    alone = None
    if flat["alone"] is not None:
        names = ("lower", "upper", "level", "assumption")
        alone = Estimate(value=flat["alone"], **{name: flat[f"alone_{name}"] for name in names})
    return JointColumn(
        column=flat["column"], importance=flat["importance"], alone=alone, left_out=flat["left_out"]
    )


def _estimate(numbers: Mapping[str, Any] | None) -> Estimate | None:
    return Estimate(**numbers) if numbers else None
