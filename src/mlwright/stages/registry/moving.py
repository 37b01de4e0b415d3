"""Rows of registered models that come from another tool, under the numbers that they have there.

Webhooks are not told and no proof is asked for: nothing new happened to these models. The caller owns transactions.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select, update

from mlwright.model.ids import ModelName, RunId
from mlwright.model.instants import to_micros
from mlwright.model.moving import ForeignModel, ForeignVersion
from mlwright.model.registry import ModelVersion
from mlwright.stages.registry.models import new_model
from mlwright.stages.registry.names import check_alias, check_model_name, check_tag
from mlwright.stages.registry.rows import insert, lock_model, read_versions, set_tag
from mlwright.stages.registry.tables import aliases, model_tags, models, version_tags, versions


def put_model(tx: Connection, foreign: ForeignModel, at: datetime) -> bool:
    """Make the model where there is none, with description and tags; whether it was made.

    Raises:
        UsageError: the name is not allowed.
    """
    check_model_name(foreign.name)
    values = {
        "name": foreign.name,
        "created_at": to_micros(at),
        "latest": 0,
        "description": foreign.description,
    }
    made = new_model(tx, values)
    if made:
        for key, value in foreign.tags.items():
            check_tag(key, value)
            set_tag(tx, model_tags, key, value, model=foreign.name)
    return made


def find_carried(tx: Connection, model: str, number: int, created_ms: int, mark: str) -> int | None:
    """The number that a version of the source has here; None where it was not carried yet.

    Args:
        tx: any transaction.
        model: its model.
        number: its number in the source.
        created_ms: when it was made there: a version of the same number made at another instant is another one.
        mark: the key of the tag that holds the number of the source.
    """
    first = created_ms * 1000
    same = select(versions.c.version).where(
        versions.c.model == model, versions.c.created_at.between(first, first + 999)
    )
    found = list(tx.execute(same.order_by(versions.c.version)).scalars())
    if number in found:
        return number
    for each in read_versions(tx, [(model, other) for other in found]):
        if each.tags.get(mark) == str(number):
            return each.version
    return None


def put_version(
    tx: Connection,
    model: ModelName,
    foreign: ForeignVersion,
    *,
    source: str,
    location: str | None,
    run: RunId | None,
    logged_model: str | None,
    tags: Mapping[str, str],
    at: datetime,
) -> ModelVersion:
    """Insert a version under its number, or under the model's next one where another version has it.

    Raises:
        UsageError: a tag is not allowed.
    """
    for key, value in tags.items():
        check_tag(key, value)
    latest = lock_model(tx, model)
    number = foreign.version
    if read_versions(tx, [(model, number)]):
        number = latest + 1
    changed = {"latest": max(latest, number), "updated_at": to_micros(at)}
    tx.execute(update(models).where(models.c.name == model).values(changed))
    tx.execute(
        versions.insert().values(
            model=model,
            version=number,
            created_at=foreign.created_ms * 1000,
            updated_at=to_micros(at),
            source=source,
            location=location,
            run=run,
            logged_model=logged_model,
            run_link=foreign.run_link,
            description=foreign.description,
            stage=foreign.stage,
            status=foreign.status,
            status_message=foreign.status_message,
            actor=foreign.actor,
        )
    )
    for key, value in tags.items():
        set_tag(tx, version_tags, key, value, model=model, version=number)
    return read_versions(tx, [(model, number)])[0]


def aliases_of(tx: Connection, model: str) -> dict[str, int]:
    """The aliases of a model with the versions that they point at."""
    query = select(aliases.c.alias, aliases.c.version).where(aliases.c.model == model)
    return {row.alias: row.version for row in tx.execute(query)}


def put_alias(tx: Connection, model: ModelName, alias: str, version: int) -> int | None:
    """Point an alias at a version where the model has no such alias; where it points now if that is elsewhere.

    Raises:
        UsageError: the alias is not allowed, or reserved.
    """
    check_alias(alias)
    lock_model(tx, model)
    new = insert(tx, aliases).values(model=model, alias=alias, version=version).on_conflict_do_nothing()
    if tx.execute(new.execution_options(preserve_rowcount=True)).rowcount == 1:
        return None
    known = aliases_of(tx, model)[alias]
    return None if known == version else known
