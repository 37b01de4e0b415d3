"""Assessments of traces in the database. The caller owns every transaction."""

import json
import math
import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.engine import Row

from mlwright.errors import AlreadyExists, NotFound, UsageError
from mlwright.model.traces import Assessment, AssessmentChange, AssessmentKind
from mlwright.stages.tracking.trace_tables import assessments, traces


def new_assessment_id() -> str:
    """An id that no other assessment has."""
    return f"a-{secrets.token_hex(16)}"


def add_assessment(tx: Connection, trace: int, assessment: Assessment) -> Assessment:
    """Record an assessment; the one that it overrides, if any, is valid no longer.

    Args:
        tx: a writing transaction.
        trace: the number of the trace.
        assessment: what is recorded; an empty id gets a new one.

    Returns:
        What was recorded.

    Raises:
        NotFound: the trace has no assessment that could be overridden.
        AlreadyExists: another assessment has the id.
    """
    if not assessment.id:
        assessment = replace(assessment, id=new_assessment_id())
    elif tx.execute(select(assessments.c.id).where(assessments.c.id == assessment.id)).first():
        raise AlreadyExists(f"an assessment has the id {assessment.id!r} already")
    if assessment.overrides:
        other = assessments.c.id == assessment.overrides
        changed = tx.execute(
            update(assessments).where(assessments.c.trace == trace, other).values(valid=False)
        )
        if changed.rowcount == 0:
            raise _unknown(assessment.overrides, assessment.trace)
    tx.execute(insert(assessments).values(id=assessment.id, trace=trace, **_row(assessment)))
    return assessment


def read_assessments(tx: Connection, numbers: Sequence[int]) -> dict[int, tuple[Assessment, ...]]:
    """The assessments of traces, by the trace's number, the oldest first."""
    found: dict[int, list[Assessment]] = defaultdict(list)
    query = select(assessments, traces.c.id.label("trace_id")).join(
        traces, traces.c.number == assessments.c.trace
    )
    query = query.where(assessments.c.trace.in_(numbers))
    for row in tx.execute(query.order_by(assessments.c.created_ms, assessments.c.id)):
        found[row.trace].append(_assessment(row))
    return {number: tuple(those) for number, those in found.items()}


def find_assessment(tx: Connection, trace: str, id: str) -> Assessment:
    """One assessment.

    Raises:
        NotFound: there is no such trace, or it has no such assessment.
    """
    query = select(assessments, traces.c.id.label("trace_id")).join(
        traces, traces.c.number == assessments.c.trace
    )
    row = tx.execute(query.where(traces.c.id == trace, assessments.c.id == id)).one_or_none()
    if row is None:
        if tx.execute(select(traces.c.id).where(traces.c.id == trace)).first() is None:
            raise NotFound(f"Trace with ID '{trace}' not found.")
        raise _unknown(id, trace)
    return _assessment(row)


def change_assessment(
    tx: Connection, trace: str, id: str, change: AssessmentChange, at_ms: int
) -> Assessment:
    """Change an assessment, and return it as it is then.

    Raises:
        NotFound: there is no such trace, or it has no such assessment.
        UsageError: feedback would become an expectation, or the other way round.
    """
    old = find_assessment(tx, trace, id)
    new = replace(
        old,
        name=old.name if change.name is None else change.name,
        rationale=old.rationale if change.rationale is None else change.rationale,
        metadata={**old.metadata, **(change.metadata or {})},
        valid=old.valid if change.valid is None else change.valid,
        updated_ms=at_ms,
    )
    if (judged := change.judgement) is not None:
        if judged.kind is not old.kind:
            raise UsageError(
                f"Cannot update {judged.kind.value} value on an assessment that is {old.kind.value}."
            )
        new = replace(new, value=judged.value, error=judged.error, serialized=judged.serialized)
    tx.execute(update(assessments).where(assessments.c.id == id).values(**_row(new)))
    return new


def delete_assessment(tx: Connection, trace: str, id: str) -> None:
    """Delete an assessment; one that it has overridden is valid again. Deleting what is not there changes nothing.

    Raises:
        NotFound: there is no such trace.
    """
    try:
        old = find_assessment(tx, trace, id)
    except NotFound:
        if tx.execute(select(traces.c.id).where(traces.c.id == trace)).first() is None:
            raise
        return
    if old.overrides:
        tx.execute(update(assessments).where(assessments.c.id == old.overrides).values(valid=True))
    tx.execute(delete(assessments).where(assessments.c.id == id))


def figure_of(value: object) -> float | None:
    """The value as a number to compare with, where it is a finite one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        figure = float(value)
    except OverflowError:
        return None
    return figure if math.isfinite(figure) else None


def _row(assessment: Assessment) -> dict[str, Any]:
    return {
        "name": assessment.name,
        "kind": assessment.kind.value,
        "value": json.dumps(assessment.value, ensure_ascii=False),
        "figure": figure_of(assessment.value),
        "serialized": assessment.serialized,
        "source_type": assessment.source_type,
        "source_id": assessment.source_id,
        "span": assessment.span,
        "rationale": assessment.rationale,
        "error": assessment.error,
        "details": assessment.metadata,
        "valid": assessment.valid,
        "overrides": assessment.overrides,
        "created_ms": assessment.created_ms,
        "updated_ms": assessment.updated_ms,
    }


def _assessment(row: Row[Any]) -> Assessment:
    return Assessment(
        id=row.id,
        trace=row.trace_id,
        name=row.name,
        kind=AssessmentKind(row.kind),
        value=json.loads(row.value),
        serialized=row.serialized,
        source_type=row.source_type,
        source_id=row.source_id,
        span=row.span,
        rationale=row.rationale,
        error=row.error,
        metadata=row.details,
        valid=row.valid,
        overrides=row.overrides,
        created_ms=row.created_ms,
        updated_ms=row.updated_ms,
    )


def _unknown(id: str, trace: str) -> NotFound:
    return NotFound(f"Assessment with ID '{id}' not found for trace '{trace}'")
