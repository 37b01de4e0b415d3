"""Finding logged models: by attributes, params, tags, and by what was measured of them on which data set."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    FromClause,
    Subquery,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    or_,
    select,
    type_coerce,
)
from sqlalchemy import String as Text

from mlwright.errors import UsageError
from mlwright.model.filters import Condition, Kind, Value
from mlwright.model.searching import MeasuredOn, ModelOrder, query_digest
from mlwright.model.tracking import LoggedModelStatus
from mlwright.stages.tracking.model_tables import (
    logged_model_metrics,
    logged_model_params,
    logged_model_tags,
    logged_models,
)
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

_COLUMNS: Final[dict[str, tuple[ColumnElement[Any], type]]] = {
    "name": (logged_models.c.name, str),
    "model_id": (logged_models.c.id, str),
    "model_type": (logged_models.c.model_type, str),
    "status": (logged_models.c.status, str),
    "status_message": (logged_models.c.status_message, str),
    "source_run_id": (logged_models.c.source_run, str),
    "experiment_id": (cast(logged_models.c.experiment, Text), str),
    "artifact_location": (logged_models.c.artifact_root, str),
    "creation_timestamp": (logged_models.c.created_ms, int),
    "last_updated_timestamp": (logged_models.c.updated_ms, int),
}
_STATUS: Final = {
    "PENDING": LoggedModelStatus.PENDING.value,
    "READY": LoggedModelStatus.READY.value,
    "FAILED": LoggedModelStatus.FAILED.value,
}
"""Clients see the short words; on the wire are the long ones."""


def search_logged_models(
    tx: Connection,
    experiments: Sequence[int],
    conditions: Sequence[Condition],
    orders: Sequence[ModelOrder],
    *,
    datasets: Sequence[MeasuredOn] = (),
    limit: int,
    token: str | None = None,
) -> tuple[list[str], str | None]:
    """Find a page of logged models that are not deleted, and the token of the page after it, None at the end.

    Ordered by the orders, and then by the latest creation and the id; what lacks a key comes last whichever way. By a
    metric, the one measured last counts.

    Args:
        tx: a transaction.
        experiments: numbers of experiments.
        conditions: what every model must meet.
        orders: what to order by.
        datasets: conditions on metrics mean those measured on one of these; without such a condition, any metric on
            one of these must be there.
        limit: models on the page.
        token: of the page before.

    Returns:
        Ids of logged models.

    Raises:
        UsageError: the token is not of this search, or there are more than 30,000 experiments.
    """
    if len(experiments) > MOST_LISTED:
        raise UsageError(
            f"{len(experiments):,} experiments at once", why=f"at most {MOST_LISTED:,} are taken"
        )
    query = query_digest(sorted(experiments), conditions, orders, datasets)
    keys, joined = _keys(orders)
    marks = read_marks(token, query, keys)
    clauses = [_clause(tx, each, datasets) for each in conditions]
    if datasets and not any(each.kind is Kind.METRIC for each in conditions):
        clauses.append(exists().where(logged_model_metrics.c.model == logged_models.c.id, _on_any(datasets)))
    found = sort_by(select(logged_models.c.id).select_from(joined), keys).where(
        logged_models.c.experiment.in_(experiments), logged_models.c.deleted_at.is_(None), *clauses
    )
    if marks is not None:
        found = found.where(after(keys, marks))
    return cut_page(tx.execute(found.limit(limit + 1)).all(), limit, query)


def _keys(orders: Sequence[ModelOrder]) -> tuple[list[SortKey], FromClause]:
    keys: list[SortKey] = []
    joined: FromClause = logged_models
    column: ColumnElement[Any]
    kind: type
    for each in orders:
        if each.order.kind is Kind.METRIC:
            latest = _latest(each)
            joined = joined.outerjoin(latest, and_(latest.c.model == logged_models.c.id, latest.c.place == 1))
            column, kind = latest.c.value, float
        else:
            column, kind = _COLUMNS[each.order.key]
        keys.append(SortKey(case((column.is_(None), 1), else_=0), int))
        keys.append(SortKey(column, kind, each.order.ascending))
    named = {each.order.key for each in orders if each.order.kind is Kind.ATTRIBUTE}
    if "creation_timestamp" not in named:
        keys.append(SortKey(logged_models.c.created_ms, int, ascending=False))
    if "model_id" not in named:
        keys.append(SortKey(logged_models.c.id, str))
    return keys, joined


def _latest(order: ModelOrder) -> Subquery:
    """The values of a metric by model; place 1 is the one that counts."""
    of = logged_model_metrics.c
    place = func.row_number().over(
        partition_by=of.model, order_by=(of.at_ms.desc(), of.step.desc(), of.run.asc(), of.dataset.asc())
    )
    found = select(of.model, type_coerce(of.value, Double).label("value"), place.label("place"))
    found = found.where(of.key == order.order.key)
    return (found if order.on is None else found.where(_on(order.on))).subquery()


def _on(measured: MeasuredOn) -> Clause:
    found: Clause = logged_model_metrics.c.dataset == measured.dataset
    if measured.digest:
        found = and_(found, logged_model_metrics.c.dataset_digest == measured.digest)
    return found


def _on_any(datasets: Sequence[MeasuredOn]) -> Clause:
    return or_(false(), *map(_on, datasets))


def _clause(tx: Connection, condition: Condition, datasets: Sequence[MeasuredOn]) -> Clause:
    comparator, value = condition.comparator, condition.value
    if condition.kind is Kind.ATTRIBUTE:
        if condition.key == "status" and comparator in {"=", "!=", "IN", "NOT IN"}:
            value = _statuses(value)
        return compare(tx, _COLUMNS[condition.key][0], comparator, value)
    if condition.kind is Kind.METRIC:
        of = logged_model_metrics.c
        number = float(value) if isinstance(value, int | float) else 0.0
        met = compare(tx, type_coerce(of.value, Double), comparator, number)
        if comparator == "!=":
            met = or_(met, of.value.is_(None))
        mine = exists().where(of.model == logged_models.c.id, of.key == condition.key, met)
        return mine.where(_on_any(datasets)) if datasets else mine
    texts = (logged_model_params if condition.kind is Kind.PARAM else logged_model_tags).c
    mine = exists().where(texts.model == logged_models.c.id, texts.key == condition.key)
    return mine.where(compare(tx, texts.value, comparator, value))


def _statuses(value: Value) -> Value:
    if isinstance(value, tuple):
        return tuple(_STATUS.get(each, each) for each in value)
    return _STATUS.get(value, value) if isinstance(value, str) else value
