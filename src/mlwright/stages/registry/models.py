"""Registered models in the database: make, describe, rename, tag, delete. The caller owns every transaction."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, literal, select, update

from mlwright.errors import AlreadyExists, NotFound
from mlwright.model.ids import ModelName
from mlwright.model.instants import to_micros
from mlwright.model.registry import IS_PROMPT, RegisteredModel

# Imported for its tables alone: what is known about a version goes where the version goes.
from mlwright.stages.registry import evidence_tables as evidence_tables
from mlwright.stages.registry.names import check_model_name, check_tag
from mlwright.stages.registry.outbox import announce_model, announce_model_tag
from mlwright.stages.registry.rows import insert, lock_model, read_models, require_model, set_tag
from mlwright.stages.registry.tables import metadata, model_tags, models, versions


def create_model(
    tx: Connection,
    name: ModelName,
    *,
    at: datetime,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> RegisteredModel:
    """Make a model that has no version yet.

    Raises:
        UsageError: the name or a tag is not allowed.
        AlreadyExists: a model or a prompt has the name.
    """
    check_model_name(name)
    for key, value in (tags or {}).items():
        check_tag(key, value)
    values = {"name": name, "created_at": to_micros(at), "latest": 0, "description": description}
    if not new_model(tx, values):
        raise _taken(get_model(tx, name), prompt=IS_PROMPT in (tags or {}))
    for key, value in (tags or {}).items():
        set_tag(tx, model_tags, key, value, model=name)
    model = get_model(tx, name)
    announce_model(tx, model, at)
    return model


def new_model(tx: Connection, values: Mapping[str, object]) -> bool:
    """Add the row of a model; whether there was none of its name."""
    new = insert(tx, models).values(values).on_conflict_do_nothing()
    # Without being asked to, not every driver says how many rows an INSERT made.
    return tx.execute(new.execution_options(preserve_rowcount=True)).rowcount == 1


def ensure_model(tx: Connection, name: ModelName, at: datetime) -> None:
    """Make the model where there is none.

    Raises:
        UsageError: the name is not allowed.
    """
    check_model_name(name)
    values = {"name": name, "created_at": to_micros(at), "latest": 0}
    if new_model(tx, values):
        announce_model(tx, get_model(tx, name), at)


def get_model(tx: Connection, name: ModelName) -> RegisteredModel:
    """One model with its tags and aliases.

    Raises:
        NotFound: there is no such model; the error names a near one.
    """
    found = read_models(tx, [name])
    if not found:
        require_model(tx, name)
        raise NotFound.named("model", name, (), next_command="mlwright models")
    return found[0]


def describe_model(tx: Connection, name: ModelName, description: str | None, at: datetime) -> RegisteredModel:
    """Give a model another description.

    Raises:
        NotFound: there is no such model.
    """
    lock_model(tx, name)
    changed = {"description": description, "updated_at": to_micros(at)}
    tx.execute(update(models).where(models.c.name == name).values(changed))
    return get_model(tx, name)


def touch_model(tx: Connection, name: ModelName, at: datetime) -> None:
    """Note that something about a model changed."""
    tx.execute(update(models).where(models.c.name == name).values(updated_at=to_micros(at)))


def rename_model(tx: Connection, name: ModelName, new_name: ModelName, at: datetime) -> RegisteredModel:
    """Give a model another name; versions, aliases, tags and evidence go with it.

    Raises:
        UsageError: the new name is not allowed.
        NotFound: there is no such model.
        AlreadyExists: another model has the new name.
    """
    check_model_name(new_name, "new_name")
    lock_model(tx, name)
    if tx.execute(select(models.c.name).where(models.c.name == new_name)).first() is not None:
        raise AlreadyExists(
            f"Registered Model (name={new_name}) already exists.", next_command="mlwright models"
        )
    now = to_micros(at)
    # The name is a key that others refer to: copies under the new name first, then those that refer, then the old.
    for table, key, changed in ((models, "name", "updated_at"), (versions, "model", "updated_at")):
        columns = [each.name for each in table.c]
        replaced = {key: new_name, changed: now}
        copied = [
            literal(replaced[each.name], each.type).label(each.name) if each.name in replaced else each
            for each in table.c
        ]
        tx.execute(table.insert().from_select(columns, select(*copied).where(table.c[key] == name)))
    for table in metadata.sorted_tables:
        if table is not versions and "model" in table.c:
            tx.execute(update(table).where(table.c.model == name).values(model=new_name))
    tx.execute(delete(versions).where(versions.c.model == name))
    tx.execute(delete(models).where(models.c.name == name))
    return get_model(tx, new_name)


def delete_model(tx: Connection, name: ModelName) -> None:
    """Remove a model with all its versions, aliases, tags and evidence. Folders stay in the artifact store.

    Raises:
        NotFound: there is no such model.
    """
    lock_model(tx, name)
    for table in reversed(metadata.sorted_tables):
        if "model" in table.c:
            tx.execute(delete(table).where(table.c.model == name))
    tx.execute(delete(models).where(models.c.name == name))


def tag_model(tx: Connection, name: ModelName, key: str, value: str, at: datetime) -> None:
    """Set one tag of a model; a tag that is there gets the new value.

    Raises:
        UsageError: the tag is not allowed.
        NotFound: there is no such model.
    """
    check_tag(key, value)
    require_model(tx, name)
    set_tag(tx, model_tags, key, value, model=name)
    announce_model_tag(tx, name, key, value, at)


def untag_model(tx: Connection, name: ModelName, key: str, at: datetime) -> bool:
    """Remove one tag of a model, and say whether it was there.

    Raises:
        NotFound: there is no such model.
    """
    check_tag(key)
    require_model(tx, name)
    announce_model_tag(tx, name, key, None, at)
    gone = tx.execute(delete(model_tags).where(model_tags.c.model == name, model_tags.c.key == key))
    return bool(gone.rowcount)


def _taken(existing: RegisteredModel, *, prompt: bool) -> AlreadyExists:
    old = "Prompt" if existing.is_prompt else "Registered Model"
    new = "Prompt" if prompt else "Registered Model"
    if old != new:
        return AlreadyExists(
            f"Tried to create a {new.lower()} with name {existing.name!r}, but the name is already taken by a "
            f"{old.lower()}. MLflow does not allow creating a model and a prompt with the same name."
        )
    return AlreadyExists(
        f"{new} (name={existing.name}) already exists.", next_command=f"mlwright models {existing.name}"
    )
