"""Finding traces. The caller owns every transaction."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from mlwright.errors import UsageError
from mlwright.model.filter_subjects import TRACES
from mlwright.model.filters import Kind, Order, parse_filter, parse_order
from mlwright.model.traces import NAME_TAG
from mlwright.stages.tracking.experiments import experiment_number
from mlwright.stages.tracking.trace_conditions import ATTRIBUTES, to_expressions
from mlwright.stages.tracking.trace_tables import trace_metadata, trace_tags, traces

_LAST = 1 << 62


def search_traces(
    tx: Connection,
    experiment_ids: Sequence[str],
    filter: str | None,
    *,
    order_by: Sequence[str],
    most: int,
    token: str | None,
) -> tuple[list[str], str | None]:
    """Find traces of experiments that meet a filter; ties are broken by the latest beginning.

    Args:
        tx: a transaction.
        experiment_ids: where to search.
        filter: conditions joined by AND.
        order_by: keys, each with ``ASC`` or ``DESC`` behind it if wanted.
        most: traces a page.
        token: that of the page before.

    Returns:
        Ids of traces, and the token of the page after them, None at the end.

    Raises:
        UsageError: an id, the filter, the order or the token cannot be used.
    """
    conditions = parse_filter(filter, TRACES)
    orders = parse_order(order_by, TRACES)
    start = _start(token)
    numbers = [experiment_number(each) for each in experiment_ids]
    query = select(traces.c.id).where(
        traces.c.experiment.in_([each for each in numbers if 0 <= each <= _LAST])
    )
    query = query.where(*to_expressions(tx, conditions))
    query = query.order_by(*_ordering(orders)).offset(start).limit(most + 1)
    ids = list(tx.execute(query).scalars())
    return ids[:most], _token(start + most) if len(ids) > most else None


def _ordering(orders: Sequence[Order]) -> list[ColumnElement[Any]]:
    clauses: list[ColumnElement[Any]] = []
    for each in orders:
        column = _column(each)
        # What lacks the key comes last either way.
        clauses += [column.is_(None), column.asc() if each.ascending else column.desc()]
    return [*clauses, traces.c.started_ms.desc(), traces.c.id.asc()]


def _column(order: Order) -> ColumnElement[Any]:
    if order.kind is Kind.ATTRIBUTE:
        return ATTRIBUTES[order.key]
    if order.kind is Kind.TAG and order.key == NAME_TAG:
        return traces.c.name
    table = trace_tags if order.kind is Kind.TAG else trace_metadata
    return (
        select(table.c.value)
        .where(table.c.trace == traces.c.number, table.c.key == order.key)
        .scalar_subquery()
    )


def _start(token: str | None) -> int:
    if not token:
        return 0
    try:
        start = json.loads(base64.b64decode(token, validate=True))["offset"]
        if not isinstance(start, int) or not 0 <= start < _LAST:
            raise ValueError(token)
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError) as fault:
        raise UsageError("the page token is none that a search returned", where="page_token") from fault
    return start


def _token(start: int) -> str:
    return base64.b64encode(json.dumps({"offset": start}).encode()).decode("ascii")
