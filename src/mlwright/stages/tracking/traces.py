"""Traces in the database: received span by span, reported as a whole, tagged, linked, deleted. The caller owns every
transaction.

A client sends each span as it ends, and the trace when its root span has ended; either may come first. What the client
says of the trace is kept as it says it; until then the trace is what its spans say.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, select, update
from sqlalchemy.engine import Row

from mlwright.errors import NotFound
from mlwright.model.traces import (
    ARTIFACT_TAG,
    NAME_TAG,
    SPANS_HERE,
    SPANS_TAG,
    Span,
    TraceInfo,
    TraceState,
)
from mlwright.stages.tracking import spans as spans_text
from mlwright.stages.tracking.assessments import add_assessment, read_assessments
from mlwright.stages.tracking.experiments import find_experiment, insert
from mlwright.stages.tracking.names import TEXT_LIMIT, check_key, check_length
from mlwright.stages.tracking.tables import experiments
from mlwright.stages.tracking.trace_tables import (
    assessments,
    spans,
    trace_metadata,
    trace_prompts,
    trace_runs,
    trace_tags,
    traces,
)

REPORTED: Final = "mlflow.trace.infoFinalized"
_AT_ONCE: Final = 500
_SUMS: Final = ("mlflow.trace.tokenUsage", "mlflow.trace.cost")
_OPEN: Final = (TraceState.IN_PROGRESS.value, TraceState.UNSPECIFIED.value)


def find_trace(tx: Connection, id: str) -> int:
    """The number of a trace.

    Raises:
        NotFound: there is no such trace.
    """
    number = tx.execute(select(traces.c.number).where(traces.c.id == id)).scalar_one_or_none()
    if number is None:
        raise NotFound(f"Trace with ID '{id}' not found.")
    return int(number)


def report_trace(tx: Connection, info: TraceInfo) -> None:
    """Record what a client says of a trace; its spans may have come before, and may come after.

    Args:
        tx: a writing transaction.
        info: the trace; assessments without an id get one.

    Raises:
        NotFound: there is no such experiment.
        UsageError: the experiment is deleted, or a tag cannot be one.
    """
    experiment = find_experiment(tx, info.experiment_id, active=True)
    row = {
        "experiment": experiment,
        "state": info.state.value,
        "started_ms": info.started_ms,
        "duration_ms": info.duration_ms,
        "client_request": info.client_request,
        "reported": True,
    }
    said = {"name": info.tags.get(NAME_TAG), "request_preview": info.request_preview}
    said["response_preview"] = info.response_preview
    row |= {key: value for key, value in said.items() if value is not None}
    tx.execute(
        insert(tx, traces).values(id=info.id, **row).on_conflict_do_update(index_elements=["id"], set_=row)
    )
    number = find_trace(tx, info.id)
    tags = {key: value for key, value in info.tags.items() if key != NAME_TAG}
    _put(tx, trace_tags, number, {**tags, ARTIFACT_TAG: _artifact_root(tx, experiment, info.id)})
    _put(tx, trace_metadata, number, {**info.metadata, REPORTED: "true"})
    known = {each.id for each in read_assessments(tx, [number]).get(number, ())}
    for each in info.assessments:
        if each.id not in known:
            add_assessment(tx, number, each)


def receive_spans(
    tx: Connection, experiment_id: str, received: Sequence[Span], tags: Mapping[str, Mapping[str, str]]
) -> None:
    """Keep spans, which may belong to several traces, and bring their traces up to date. A known span is replaced.

    Args:
        tx: a writing transaction.
        experiment_id: where traces go that are new.
        received: the spans.
        tags: tags of traces, by the trace's id.

    Raises:
        NotFound: there is no such experiment.
        UsageError: it is deleted.
    """
    by_trace: dict[str, list[Span]] = defaultdict(list)
    for each in received:
        by_trace[each.trace].append(each)
    known = {row.id: row for row in _rows(tx, list(by_trace))}
    for trace, those in by_trace.items():
        said = spans_text.gather(those)
        row = known.get(trace)
        if row is None:
            experiment = find_experiment(tx, experiment_id, active=True)
            row, fresh = _begin(tx, trace, experiment, said)
        else:
            fresh = False
        _put_spans(tx, row.number, those)
        if not fresh:
            _bring_up_to_date(tx, row, said)
        gathered = _sums_of_all(tx, trace, said, fresh=fresh)
        _add_missing(tx, row, gathered)
        name = said.tags.get(NAME_TAG)
        if name is not None:
            tx.execute(update(traces).where(traces.c.number == row.number).values(name=name))
        wanted = {**tags.get(trace, {}), **said.tags}
        kept = {
            key: value for key, value in wanted.items() if key != NAME_TAG and not key.startswith("mlflow.")
        }
        _put(tx, trace_tags, row.number, {**kept, SPANS_TAG: SPANS_HERE})


def read_traces(tx: Connection, ids: Sequence[str]) -> list[TraceInfo]:
    """The traces of these ids in the order given; ids of none are passed over."""
    rows = {row.id: row for row in _rows(tx, ids)}
    numbers = [row.number for row in rows.values()]
    tags = _texts(tx, trace_tags, numbers)
    meta = _texts(tx, trace_metadata, numbers)
    judged = read_assessments(tx, numbers)
    found = []
    for id in dict.fromkeys(ids):
        if (row := rows.get(id)) is not None:
            named = {NAME_TAG: row.name} if row.name is not None else {}
            found.append(
                TraceInfo(
                    id=row.id,
                    experiment_id=str(row.experiment),
                    state=TraceState(row.state),
                    started_ms=row.started_ms,
                    duration_ms=row.duration_ms,
                    client_request=row.client_request,
                    request_preview=row.request_preview,
                    response_preview=row.response_preview,
                    tags={**tags.get(row.number, {}), **named},
                    metadata=meta.get(row.number, {}),
                    assessments=judged.get(row.number, ()),
                )
            )
    return found


def read_spans(tx: Connection, ids: Sequence[str]) -> dict[str, tuple[Span, ...]]:
    """The spans of traces, by the trace's id: those without a parent first, then by their beginning."""
    found: dict[str, list[Span]] = defaultdict(list)
    for start in range(0, len(ids), _AT_ONCE):
        query = select(traces.c.id, spans.c.content).join(spans, spans.c.trace == traces.c.number)
        for id, content in tx.execute(query.where(traces.c.id.in_(ids[start : start + _AT_ONCE]))):
            found[id].append(spans_text.from_text(id, content))
    return {id: spans_text.in_order(those) for id, those in found.items()}


def read_span_texts(tx: Connection, id: str) -> list[str]:
    """The spans of one trace as MLflow's trace files hold them, each a text of JSON, in their order."""
    query = select(spans.c.content, spans.c.parent).join(traces, traces.c.number == spans.c.trace)
    rows = tx.execute(query.where(traces.c.id == id).order_by(spans.c.started_ns, spans.c.id)).all()
    return [row.content for row in sorted(rows, key=lambda row: row.parent is not None)]


def set_trace_tag(tx: Connection, id: str, key: str, value: str) -> None:
    """Set a tag of a trace.

    Raises:
        NotFound: there is no such trace.
        UsageError: the key or the value cannot be one.
    """
    number = find_trace(tx, id)
    check_key("key", key)
    check_length("value", value, TEXT_LIMIT)
    if key == NAME_TAG:
        tx.execute(update(traces).where(traces.c.number == number).values(name=value))
    else:
        _put(tx, trace_tags, number, {key: value})


def remove_trace_tag(tx: Connection, id: str, key: str) -> None:
    """Remove a tag of a trace.

    Raises:
        NotFound: there is no such trace, or it has no such tag.
    """
    number = find_trace(tx, id)
    if key == NAME_TAG:
        named = (traces.c.number == number, traces.c.name.is_not(None))
        gone = tx.execute(update(traces).where(*named).values(name=None)).rowcount
    else:
        mine = (trace_tags.c.trace == number, trace_tags.c.key == key)
        gone = tx.execute(delete(trace_tags).where(*mine)).rowcount
    if gone == 0:
        raise NotFound(f"No trace tag with key '{key}' for trace with ID '{id}'")


def choose_traces(
    tx: Connection, experiment_id: str, *, until_ms: int | None, most: int | None, ids: Sequence[str]
) -> list[int]:
    """The numbers of traces of an experiment, the oldest first, that meet every condition given."""
    query = select(traces.c.number).where(traces.c.experiment == find_experiment(tx, experiment_id))
    if until_ms is not None:
        query = query.where(traces.c.started_ms <= until_ms)
    if ids:
        query = query.where(traces.c.id.in_(ids))
    query = query.order_by(traces.c.started_ms, traces.c.id)
    return list(tx.execute(query.limit(most) if most is not None else query).scalars())


def delete_traces(tx: Connection, numbers: Sequence[int]) -> None:
    """Delete traces with all that hangs on them; files that a client put beside them stay."""
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        for table in (spans, assessments, trace_tags, trace_metadata, trace_runs, trace_prompts):
            tx.execute(delete(table).where(table.c.trace.in_(some)))
        tx.execute(delete(traces).where(traces.c.number.in_(some)))


def _rows(tx: Connection, ids: Sequence[str]) -> list[Row[Any]]:
    found: list[Row[Any]] = []
    for start in range(0, len(ids), _AT_ONCE):
        found += tx.execute(select(traces).where(traces.c.id.in_(ids[start : start + _AT_ONCE])))
    return found


def _texts(tx: Connection, table: Table, numbers: Sequence[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        for row in tx.execute(
            select(table).where(table.c.trace.in_(some)).order_by(table.c.trace, table.c.key)
        ):
            found[row.trace][row.key] = row.value
    return found


def _put(tx: Connection, table: Table, number: int, values: Mapping[str, str]) -> None:
    upsert = insert(tx, table)
    tx.execute(
        upsert.on_conflict_do_update(index_elements=["trace", "key"], set_={"value": upsert.excluded.value}),
        # Sorted, so that two writers take the locks of the rows in one order.
        [{"trace": number, "key": key, "value": values[key]} for key in sorted(values)],
    )


def _put_spans(tx: Connection, number: int, received: Sequence[Span]) -> None:
    rows = [
        {
            "trace": number,
            "id": each.id,
            "parent": each.parent,
            "name": each.name,
            "kind": spans_text.kind_of(each),
            "status": each.status.value,
            "started_ns": each.started_ns,
            "ended_ns": each.ended_ns,
            "content": spans_text.to_text(each),
        }
        # The last one of an id counts: one statement may not write the same row twice.
        for each in {each.id: each for each in received}.values()
    ]
    upsert = insert(tx, spans)
    changed = {key: upsert.excluded[key] for key in rows[0] if key not in {"trace", "id"}}
    tx.execute(upsert.on_conflict_do_update(index_elements=["trace", "id"], set_=changed), rows)


def _begin(tx: Connection, trace: str, experiment: int, said: spans_text.Gathered) -> tuple[Row[Any], bool]:
    """The row of a trace that was unknown a moment ago, and whether it was still."""
    begun = tx.execute(
        insert(tx, traces)
        .values(
            id=trace,
            experiment=experiment,
            state=(said.state or TraceState.IN_PROGRESS).value,
            started_ms=said.started_ms,
            duration_ms=said.ended_ms - said.started_ms if said.ended_ms is not None else None,
            request_preview=said.request_preview,
            response_preview=said.response_preview,
            reported=False,
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(traces.c.number)
    ).scalar_one_or_none()
    row = _rows(tx, [trace])[0]
    if begun is not None:
        _put(tx, trace_tags, row.number, {ARTIFACT_TAG: _artifact_root(tx, experiment, trace)})
    return row, begun is not None


def _bring_up_to_date(tx: Connection, row: Row[Any], said: spans_text.Gathered) -> None:
    """Move the ends of a trace outwards, end it with its root span, and fill in what nobody has said."""
    change: dict[str, Any] = {}
    if not row.reported:
        ends = [
            row.started_ms + (row.duration_ms or 0),
            *([said.ended_ms] if said.ended_ms is not None else []),
        ]
        change["started_ms"] = min(row.started_ms, said.started_ms)
        change["duration_ms"] = max(ends) - change["started_ms"]
    if said.state is not None and row.state in _OPEN:
        change["state"] = said.state.value
    if row.request_preview is None and said.request_preview is not None:
        change["request_preview"] = said.request_preview
    if row.response_preview is None and said.response_preview is not None:
        change["response_preview"] = said.response_preview
    if change:
        tx.execute(update(traces).where(traces.c.number == row.number).values(**change))


def _sums_of_all(tx: Connection, trace: str, said: spans_text.Gathered, *, fresh: bool) -> dict[str, str]:
    """The metadata that the spans imply, with sums over all spans of the trace.

    They are taken when the root span comes, which ends last: summing up anew with each span would read all of
    them each time.
    """
    if fresh:
        return said.metadata
    without = {key: value for key, value in said.metadata.items() if key not in _SUMS}
    if said.state is None:
        return without
    summed = spans_text.gather(read_spans(tx, [trace])[trace]).metadata
    return {**without, **summed}


def _add_missing(tx: Connection, row: Row[Any], wanted: Mapping[str, str]) -> None:
    known = _texts(tx, trace_metadata, [row.number]).get(row.number, {}) if wanted else {}
    # Sums may grow until the client says its own; the rest stays as the first span said it.
    missing = {
        key: value
        for key, value in wanted.items()
        if key not in known or (key in _SUMS and REPORTED not in known)
    }
    if missing:
        _put(tx, trace_metadata, row.number, missing)


def _artifact_root(tx: Connection, experiment: int, trace: str) -> str:
    root = tx.execute(select(experiments.c.artifact_root).where(experiments.c.id == experiment)).scalar_one()
    return f"{root.rstrip('/')}/traces/{trace}/artifacts"
