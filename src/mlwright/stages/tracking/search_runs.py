"""Finding runs: a filter and an order over attributes, latest metrics, params, tags and data sets.

There are two ways. For few runs, each run is looked at: its rows lie together. Where the experiments hold a good part
of all runs, SQLite (which knows no statistics) is led the other way: the indexes by value give the set of runs of each
condition, and the order as well, so that the search ends with the page. PostgreSQL finds its own way.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    FromClause,
    Select,
    Table,
    and_,
    case,
    exists,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
    type_coerce,
)

from mlwright.errors import UsageError
from mlwright.model.filters import Condition, Kind, Order
from mlwright.model.searching import Mark, View, query_digest
from mlwright.stages.tracking.search_terms import (
    MOST_LISTED,
    Clause,
    SortKey,
    after,
    compare,
    cut_page,
    read_marks,
    sort_by,
)
from mlwright.stages.tracking.tables import (
    INDEXED_TEXT,
    datasets,
    inputs,
    latest_metrics,
    params,
    runs,
    tags,
)

_CONTEXT: Final = "mlflow.data.context"

_COLUMNS: Final[dict[str, ColumnElement[Any]]] = {
    "run_id": runs.c.id,
    "run_name": runs.c.name,
    "status": runs.c.status,
    "user_id": runs.c.actor,
    "artifact_uri": runs.c.artifact_root,
    "start_time": runs.c.started_ms,
    "end_time": runs.c.ended_ms,
    "duration": runs.c.ended_ms - runs.c.started_ms,
}
_NUMBERS: Final = frozenset({"start_time", "end_time", "duration"})
_OPEN: Final = frozenset({"end_time", "duration"})
"""What a run that has not ended lacks."""
_TABLES: Final[dict[Kind, Table]] = {Kind.METRIC: latest_metrics, Kind.PARAM: params, Kind.TAG: tags}

_FEW: Final = 300
_SHARE: Final = 6
"""Looking up a row of one run takes about as long as reading six of an index in turn."""

_Ordered: TypeAlias = tuple[Order, FromClause | None]


def search_runs(
    tx: Connection,
    experiments: Sequence[int],
    conditions: Sequence[Condition],
    orders: Sequence[Order],
    *,
    view: View,
    limit: int,
    token: str | None = None,
) -> tuple[list[int], str | None]:
    """Find a page of runs, and the token of the page after it, None at the end.

    Ordered by the orders, and then by the latest beginning and the id. What lacks a key comes last whichever way, and
    NaN right before it. A page goes on after the last run of the one before: runs that come in between do no harm.

    Args:
        tx: a transaction.
        experiments: numbers of experiments; those of none find nothing.
        conditions: what every run must meet.
        orders: what to order by.
        view: whether deleted runs are found.
        limit: runs on the page.
        token: of the page before.

    Returns:
        Numbers of runs.

    Raises:
        UsageError: the token is not of this search, or there are more than 30,000 experiments.
    """
    if len(experiments) > MOST_LISTED:
        raise UsageError(
            f"{len(experiments):,} experiments at once", why=f"at most {MOST_LISTED:,} are taken"
        )
    query = query_digest(sorted(experiments), conditions, orders, view)
    ordered: list[_Ordered] = [(each, _source(each)) for each in orders]
    keys = _keys(ordered)
    marks = read_marks(token, query, keys)
    few = any(each.kind in _TABLES for each in conditions)
    wide = (few or any(each.kind in _TABLES for each in orders)) and _is_wide(tx, experiments)
    inside = _of(runs.c.experiment, experiments)
    clauses = [_in_view(view), *(_clause(tx, each, runs.c.number if wide else None) for each in conditions)]
    # The index of texts does not hold them whole: with a filter, sorting what is found is faster.
    walk = ordered[0][1] if wide and ordered and (ordered[0][0].kind is Kind.METRIC or not few) else None
    if walk is not None:
        rows: list[Any] = []
        if marks is None or marks[0] == 0:
            # Adding 0 keeps SQLite from beginning with what it is added to, and so from sorting all that is found.
            among = [_of(runs.c.experiment + 0, experiments), _in_view(view)]
            among += [_clause(tx, each, walk.c.run + 0) for each in conditions]
            rows += tx.execute(_having(ordered, keys, among, marks).limit(limit + 1))
        if len(rows) <= limit:
            lacking = _lacking(ordered, keys, [inside, *clauses], marks, few=few)
            rows += tx.execute(lacking.limit(limit + 1 - len(rows)))
    else:
        found = select(runs.c.number).select_from(_join(runs, ordered)).where(inside, *clauses)
        rows = list(tx.execute(_from(sort_by(found, keys), keys, marks).limit(limit + 1)))
    return cut_page(rows, limit, query)


def _is_wide(tx: Connection, experiments: Sequence[int]) -> bool:
    if tx.dialect.name != "sqlite":
        return False
    mine = tx.scalar(select(func.count()).where(_of(runs.c.experiment, experiments))) or 0
    if mine < _FEW:
        return False
    return mine * _SHARE >= (tx.scalar(select(func.max(runs.c.number))) or 0)


def _of(column: ColumnElement[Any], experiments: Sequence[int]) -> Clause:
    # With one experiment its index gives the order by time as well.
    return column == experiments[0] if len(experiments) == 1 else column.in_(experiments)


def _in_view(view: View) -> Clause:
    match view:
        case View.ACTIVE_ONLY:
            return runs.c.deleted_at.is_(None)
        case View.DELETED_ONLY:
            return runs.c.deleted_at.is_not(None)
        case View.ALL:
            return true()


def _source(order: Order) -> FromClause | None:
    table = _TABLES.get(order.kind)
    return None if table is None else table.alias()


def _keys(ordered: Sequence[_Ordered]) -> list[SortKey]:
    keys: list[SortKey] = []
    for order, source in ordered:
        if source is None:
            column = _COLUMNS[order.key]
            kind: type = int if order.key in _NUMBERS else str
            if order.key in _OPEN:
                keys.append(SortKey(case((column.is_(None), 1), else_=0), int))
        elif order.kind is Kind.METRIC:
            # As it is stored: NULL is NaN.
            column, kind = type_coerce(source.c.value, Double), float
            keys.append(SortKey(case((source.c.run.is_(None), 2), (column.is_(None), 1), else_=0), int))
        else:
            column, kind = source.c.value, str
            keys.append(SortKey(case((column.is_(None), 1), else_=0), int))
        keys.append(SortKey(column, kind, order.ascending))
    if not any(source is None and order.key == "start_time" for order, source in ordered):
        keys.append(SortKey(runs.c.started_ms, int, ascending=False))
    if not any(source is None and order.key == "run_id" for order, source in ordered):
        keys.append(SortKey(runs.c.id, str))
    return keys


def _from(query: Select[Any], keys: Sequence[SortKey], marks: Sequence[Mark] | None) -> Select[Any]:
    return query if marks is None else query.where(after(keys, marks))


def _having(
    ordered: Sequence[_Ordered],
    keys: Sequence[SortKey],
    clauses: Sequence[Clause],
    marks: Sequence[Mark] | None,
) -> Select[Any]:
    """Runs that have the first of what they are ordered by, in the order of its index."""
    order, source = ordered[0]
    assert source is not None
    mine = source.join(runs, runs.c.number == source.c.run)
    query = select(runs.c.number, literal_column("0").label("lacks")).select_from(_join(mine, ordered[1:]))
    query = query.where(source.c.key == order.key, *clauses)
    if order.kind is Kind.METRIC:
        query = query.where(source.c.value.is_not(None))
    else:
        beginning = _beginning(source.c.value)
        query = query.order_by(beginning.asc() if order.ascending else beginning.desc())
    return _from(sort_by(query, keys[1:]), keys[1:], None if marks is None else marks[1:])


def _lacking(
    ordered: Sequence[_Ordered],
    keys: Sequence[SortKey],
    clauses: Sequence[Clause],
    marks: Sequence[Mark] | None,
    *,
    few: bool,
) -> Select[Any]:
    """Runs that lack the first of what they are ordered by; those with NaN first, if it is a metric."""
    order = ordered[0][0]
    table = _TABLES[order.kind]
    having = select(table.c.run).where(table.c.key == order.key)
    how: ColumnElement[Any] = literal(1)
    if order.kind is Kind.METRIC:
        how = case((runs.c.number.in_(having.where(table.c.value.is_(None))), 1), else_=2)
        having = having.where(table.c.value.is_not(None))
    lacks = not_(having.where(table.c.run == runs.c.number).exists()) if few else runs.c.number.not_in(having)
    found = select(runs.c.number).select_from(_join(runs, ordered[1:])).where(lacks, *clauses)
    if marks is not None and marks[0] == 0:
        marks = None
    keys = [SortKey(how, int), SortKey(literal_column("NULL"), str), *keys[2:]]
    return _from(sort_by(found, keys), keys, marks)


def _join(found: FromClause, ordered: Sequence[_Ordered]) -> FromClause:
    for order, source in ordered:
        if source is not None:
            mine = and_(source.c.run == runs.c.number, source.c.key == order.key)
            found = found.outerjoin(source, mine)
    return found


def _beginning(value: ColumnElement[Any]) -> ColumnElement[Any]:
    # Written as in the index, or it is not used.
    return func.substr(value, literal_column("1"), literal_column(str(INDEXED_TEXT)))


def _clause(tx: Connection, condition: Condition, wide: ColumnElement[int] | None) -> Clause:
    """What a run must meet; with ``wide``, by membership of this column in the set of all runs that meet it."""
    if condition.kind is Kind.ATTRIBUTE:
        return compare(tx, _COLUMNS[condition.key], condition.comparator, condition.value)
    if condition.kind is Kind.DATASET:
        return _dataset_clause(tx, condition)
    table, comparator, value = _TABLES[condition.kind], condition.comparator, condition.value
    mine = exists().where(table.c.run == runs.c.number, table.c.key == condition.key)
    if comparator.startswith("IS "):
        return not_(mine) if comparator == "IS NULL" else mine
    by_index = comparator not in {"!=", "LIKE", "ILIKE"}
    if isinstance(value, int | float):
        met = compare(tx, type_coerce(table.c.value, Double), comparator, float(value))
        if comparator == "!=":
            # NaN, which is stored as NULL, differs from every number.
            met = or_(met, table.c.value.is_(None))
    elif wide is not None and by_index and isinstance(value, str):
        met = _beginning(table.c.value) == value[:INDEXED_TEXT]
        if len(value) >= INDEXED_TEXT:
            met = and_(met, table.c.value == value)
    else:
        met = compare(tx, table.c.value, comparator, value)
    if wide is None or not by_index:
        return mine.where(met)
    return wide.in_(select(table.c.run).where(table.c.key == condition.key, met))


def _dataset_clause(tx: Connection, condition: Condition) -> Clause:
    if condition.key == "context":
        column: ColumnElement[Any] = inputs.c.tags[_CONTEXT].as_string()
    else:
        column = datasets.c[condition.key]
    return exists().where(
        inputs.c.run == runs.c.number,
        inputs.c.dataset == datasets.c.number,
        compare(tx, column, condition.comparator, condition.value),
    )
