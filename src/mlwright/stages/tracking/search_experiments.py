"""Finding experiments, and the data sets that their runs used."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, exists, not_, select, true

from mlwright.errors import UsageError
from mlwright.model.filters import Condition, Kind, Order, Value
from mlwright.model.searching import DatasetUse, View, query_digest
from mlwright.stages.tracking.experiments import experiment_number
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
from mlwright.stages.tracking.tables import datasets, experiment_tags, experiments, inputs

_LARGEST: Final = 2**63 - 1
_CONTEXT: Final = "mlflow.data.context"
_MOST_DATASETS: Final = 1000
"""As MLflow."""

_COLUMNS: Final[dict[str, tuple[ColumnElement[Any], type]]] = {
    "name": (experiments.c.name, str),
    "experiment_id": (experiments.c.id, int),
    "creation_time": (experiments.c.created_at, int),
    "last_update_time": (experiments.c.updated_at, int),
}


def search_experiments(
    tx: Connection,
    conditions: Sequence[Condition],
    orders: Sequence[Order],
    *,
    view: View,
    limit: int,
    token: str | None = None,
) -> tuple[list[int], str | None]:
    """Find a page of experiments, and the token of the page after it, None at the end.

    Without orders the newest come first. A page goes on after the last one of the page before.

    Returns:
        Numbers of experiments.

    Raises:
        UsageError: the token is not of this search, or an id in the filter is no number.
    """
    query = query_digest(conditions, orders, view)
    keys = [SortKey(*_COLUMNS[each.key], each.ascending) for each in orders]
    if not keys:
        keys.append(SortKey(experiments.c.created_at, int, ascending=False))
    if not any(each.key == "experiment_id" for each in orders):
        # As MLflow: ties of an order that was asked for are broken the other way round.
        keys.append(SortKey(experiments.c.id, int, ascending=not orders))
    marks = read_marks(token, query, keys)
    found = sort_by(select(experiments.c.id), keys)
    found = found.where(_in_view(view), *(_clause(tx, each) for each in conditions))
    if marks is not None:
        found = found.where(after(keys, marks))
    return cut_page(tx.execute(found.limit(limit + 1)).all(), limit, query)


def search_datasets(tx: Connection, experiments: Sequence[int]) -> list[DatasetUse]:
    """Find the data sets that runs of experiments used, and as what; at most 1,000."""
    if len(experiments) > MOST_LISTED:
        raise UsageError(
            f"{len(experiments):,} experiments at once", why=f"at most {MOST_LISTED:,} are taken"
        )
    context = inputs.c.tags[_CONTEXT].as_string().label("context")
    found = (
        select(datasets.c.experiment, datasets.c.name, datasets.c.digest, context)
        .join_from(datasets, inputs, inputs.c.dataset == datasets.c.number)
        .where(datasets.c.experiment.in_(experiments))
        .distinct()
        .order_by(datasets.c.experiment, datasets.c.name, datasets.c.digest, context)
        .limit(_MOST_DATASETS)
    )
    return [
        DatasetUse(experiment_id=str(row.experiment), name=row.name, digest=row.digest, context=row.context)
        for row in tx.execute(found)
    ]


def _in_view(view: View) -> Clause:
    match view:
        case View.ACTIVE_ONLY:
            return experiments.c.deleted_at.is_(None)
        case View.DELETED_ONLY:
            return experiments.c.deleted_at.is_not(None)
        case View.ALL:
            return true()


def _clause(tx: Connection, condition: Condition) -> Clause:
    comparator, value = condition.comparator, condition.value
    if condition.kind is Kind.ATTRIBUTE:
        column, kind = _COLUMNS[condition.key]
        if condition.key == "experiment_id":
            return _id_clause(comparator, value)
        # Clients count in milliseconds.
        return compare(tx, column if kind is str else column // 1000, comparator, value)
    mine = exists().where(
        experiment_tags.c.experiment == experiments.c.id, experiment_tags.c.key == condition.key
    )
    if comparator.startswith("IS "):
        return not_(mine) if comparator == "IS NULL" else mine
    return mine.where(compare(tx, experiment_tags.c.value, comparator, value))


def _id_clause(comparator: str, value: Value) -> Clause:
    texts = value if isinstance(value, tuple) else (str(value),)
    numbers = [each for each in map(experiment_number, texts) if 0 <= each <= _LARGEST]
    found = experiments.c.id.in_(numbers)
    return found if comparator in {"=", "IN"} else not_(found)
