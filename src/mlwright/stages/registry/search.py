"""Finding registered models and model versions.

Prompts are kept among them, told apart by a tag; they are found only when the filter asks for them.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, Exists, Select, Table, exists, func, not_, select

from mlwright.model.filters import Condition, Kind, Order, Value
from mlwright.model.registry import IS_PROMPT
from mlwright.model.searching import query_digest, read_token, write_token
from mlwright.stages.registry.tables import model_tags, models, version_tags, versions

_Clause: TypeAlias = ColumnElement[bool]

Compare: TypeAlias = Callable[[Connection, ColumnElement[Any], str, Value], _Clause]
"""A comparison of a column as MLflow means it. Searches for runs and for models share one: the platform hands it in."""

_MODEL_COLUMNS: Final[dict[str, ColumnElement[Any]]] = {
    "name": models.c.name,
    "creation_timestamp": models.c.created_at,
    "last_updated_timestamp": func.coalesce(models.c.updated_at, models.c.created_at),
}
_VERSION_COLUMNS: Final[dict[str, ColumnElement[Any]]] = {
    "name": versions.c.model,
    "version_number": versions.c.version,
    "run_id": versions.c.run,
    "source_path": versions.c.source,
    "creation_timestamp": versions.c.created_at,
    "last_updated_timestamp": func.coalesce(versions.c.updated_at, versions.c.created_at),
}
_LATEST_FIRST: Final = (Order(kind=Kind.ATTRIBUTE, key="last_updated_timestamp", ascending=False),)


def search_models(
    tx: Connection,
    conditions: Sequence[Condition],
    orders: Sequence[Order],
    *,
    compare: Compare,
    limit: int,
    token: str | None = None,
) -> tuple[list[str], str | None]:
    """Find a page of registered models, and the token of the page after it, None at the end.

    Ties of the order are broken by the name.

    Returns:
        Names of models.

    Raises:
        UsageError: the token is not of this search.
    """
    found = select(models.c.name).where(
        *_clauses(tx, compare, conditions, _MODEL_COLUMNS, model_tags, model_tags.c.model == models.c.name)
    )
    if not _asks_for_prompts(conditions):
        found = found.where(not_(_prompts(model_tags).where(model_tags.c.model == models.c.name)))
    ordered = _sorting(orders, _MODEL_COLUMNS)
    if not any(each.key == "name" for each in orders):
        ordered.append(models.c.name.asc())
    rows, following = _page(tx, found.order_by(*ordered), limit, token, query_digest("m", conditions, orders))
    return [row[0] for row in rows], following


def search_versions(
    tx: Connection,
    conditions: Sequence[Condition],
    orders: Sequence[Order],
    *,
    compare: Compare,
    limit: int,
    token: str | None = None,
) -> tuple[list[tuple[str, int]], str | None]:
    """Find a page of model versions, and the token of the page after it, None at the end.

    Without orders those changed last come first. Ties are broken by the name, then by the latest version.

    Returns:
        Names and versions.

    Raises:
        UsageError: the token is not of this search.
    """
    mine = (version_tags.c.model == versions.c.model) & (version_tags.c.version == versions.c.version)
    found = select(versions.c.model, versions.c.version).where(
        *_clauses(tx, compare, conditions, _VERSION_COLUMNS, version_tags, mine)
    )
    if not _asks_for_prompts(conditions):
        found = found.where(not_(_prompts(version_tags).where(version_tags.c.model == versions.c.model)))
    orders = orders or _LATEST_FIRST
    ordered = _sorting(orders, _VERSION_COLUMNS)
    if not any(each.key == "name" for each in orders):
        ordered.append(versions.c.model.asc())
    if not any(each.key == "version_number" for each in orders):
        ordered.append(versions.c.version.desc())
    rows, following = _page(tx, found.order_by(*ordered), limit, token, query_digest("v", conditions, orders))
    return [(row[0], row[1]) for row in rows], following


def _asks_for_prompts(conditions: Sequence[Condition]) -> bool:
    for each in conditions:
        if each.kind is Kind.TAG and each.key == IS_PROMPT:
            return (each.comparator, str(each.value).lower()) in {("=", "true"), ("!=", "false")}
    return False


def _prompts(table: Table) -> Exists:
    return exists().where(table.c.key == IS_PROMPT, table.c.value == "true")


def _clauses(
    tx: Connection,
    compare: Compare,
    conditions: Sequence[Condition],
    columns: dict[str, ColumnElement[Any]],
    tags: Table,
    mine: _Clause,
) -> list[_Clause]:
    of_prompts = _asks_for_prompts(conditions)
    found: list[_Clause] = []
    for each in conditions:
        if each.kind is Kind.ATTRIBUTE:
            found.append(compare(tx, columns[each.key], each.comparator, each.value))
        elif each.key != IS_PROMPT or of_prompts:
            # Models and versions that are no prompts lack the tag: asking for those is the rule, and met below.
            tagged = exists().where(mine, tags.c.key == each.key)
            found.append(tagged.where(compare(tx, tags.c.value, each.comparator, each.value)))
    return found


def _sorting(orders: Sequence[Order], columns: dict[str, ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    return [columns[each.key].asc() if each.ascending else columns[each.key].desc() for each in orders]


def _page(
    tx: Connection, found: Select[Any], limit: int, token: str | None, query: str
) -> tuple[list[Any], str | None]:
    (mark,) = read_token(token, query, [int]) if token else (0,)
    start = max(0, mark) if isinstance(mark, int) else 0
    rows = tx.execute(found.offset(start).limit(limit + 1)).all()
    return list(rows[:limit]), write_token(query, [start + limit]) if len(rows) > limit else None
