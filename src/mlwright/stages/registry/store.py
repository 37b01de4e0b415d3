"""Models, versions and aliases in the database, as our own journeys use them. The caller owns every transaction."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from mlwright.errors import NotFound, UsageError
from mlwright.model.ids import Digest, ModelName, RunId
from mlwright.model.instants import to_micros
from mlwright.model.plain import plain
from mlwright.model.registry import Evaluation, ModelVersion, Signature, parse_model_ref
from mlwright.stages.registry.models import ensure_model
from mlwright.stages.registry.names import LATEST, check_alias
from mlwright.stages.registry.outbox import announce_alias, announce_version
from mlwright.stages.registry.rows import (
    evaluation_out,
    insert,
    lock_model,
    read_models,
    read_versions,
    require_model,
    set_tag,
    with_details,
)
from mlwright.stages.registry.tables import aliases, models, version_tags, versions
from mlwright.stages.registry.versions import find_version, newest_number

__all__ = [
    "create_version",
    "delete_alias",
    "get_version",
    "list_models",
    "list_versions",
    "read_models",
    "read_versions",
    "resolve",
    "set_alias",
    "tag_version",
]


def create_version(
    tx: Connection,
    model: ModelName,
    digest: Digest,
    *,
    run: RunId | None,
    at: datetime,
    signature: Signature,
    flavor: str,
    trained_from: datetime | None = None,
    trained_to: datetime | None = None,
    evaluation: Evaluation | None = None,
    tags: Mapping[str, str] | None = None,
    actor: str | None = None,
) -> ModelVersion:
    """Register a model folder under the model's next number: 1, 2, 3 …, never given twice.

    The same digest again gives the version that exists; nothing about it changes.

    Args:
        tx: a writing transaction.
        model: the model's name; made when new.
        digest: the folder's digest in the artifact store.
        run, at: the run that made it, and the present instant.
        signature, flavor: what the model takes and gives, and the engine that loads it.
        trained_from, trained_to: the event times it was trained on, without the end.
        evaluation: how its recipe did on rows it had not seen.
        tags, actor: free words about this version, and who registered it.

    Raises:
        UsageError: the name could not be used in a reference such as ``name/3`` or ``name@alias``.
    """
    ensure_model(tx, model, at)
    latest = lock_model(tx, model)
    existing = _version_of(tx, model, digest)
    if existing is not None:
        return get_version(tx, model, existing)
    version, now = latest + 1, to_micros(at)
    tx.execute(update(models).where(models.c.name == model).values(latest=version, updated_at=now))
    tx.execute(
        versions.insert().values(
            model=model,
            version=version,
            digest=digest,
            run=run,
            created_at=now,
            updated_at=now,
            actor=actor,
            signature=plain(signature),
            flavor=flavor,
            trained_from_at=None if trained_from is None else to_micros(trained_from),
            trained_to_at=None if trained_to is None else to_micros(trained_to),
            evaluation=None if evaluation is None else evaluation_out(evaluation),
        )
    )
    for key, value in (tags or {}).items():
        set_tag(tx, version_tags, key, value, model=model, version=version)
    made = get_version(tx, model, version)
    announce_version(tx, made, at)
    return made


def set_alias(
    tx: Connection, model: ModelName, alias: str, version: int, *, at: datetime | None = None
) -> int | None:
    """Point an alias at a version, at once for every reader, and return the version it pointed at before.

    Args:
        tx: a writing transaction.
        model, alias, version: which alias is to point where.
        at: the present instant; webhooks are told where it is given.

    Raises:
        NotFound: there is no such model or version.
        UsageError: the alias could not be used in a reference such as ``name@alias``, or is reserved.
    """
    check_alias(alias)
    get_version(tx, model, version)
    # Two writers queue here, so that each learns what the other had set.
    lock_model(tx, model)
    before = _alias(tx, model, alias)
    upsert = insert(tx, aliases).values(model=model, alias=alias, version=version)
    tx.execute(upsert.on_conflict_do_update(index_elements=["model", "alias"], set_={"version": version}))
    if at is not None:
        announce_alias(tx, model, alias, version, at)
    return before


def delete_alias(tx: Connection, model: ModelName, alias: str, *, at: datetime | None = None) -> int:
    """Remove an alias and return the version it pointed at; webhooks are told where the instant is given.

    Raises:
        NotFound: the model has no such alias.
    """
    require_model(tx, model)
    lock_model(tx, model)
    before = _require_alias(tx, model, alias)
    tx.execute(delete(aliases).where(aliases.c.model == model, aliases.c.alias == alias))
    if at is not None:
        announce_alias(tx, model, alias, None, at)
    return before


def tag_version(tx: Connection, model: ModelName, version: int, key: str, value: str) -> None:
    """Set one tag of a version; a tag that is there gets the new value.

    Raises:
        NotFound: there is no such model or version.
    """
    get_version(tx, model, version)
    set_tag(tx, version_tags, key, value, model=model, version=version)


def get_version(tx: Connection, model: ModelName, version: int) -> ModelVersion:
    """One version of a model.

    Raises:
        NotFound: there is no such model or version.
    """
    return find_version(tx, model, version)


def resolve(tx: Connection, ref: str) -> ModelVersion:
    """The version that ``name``, ``name/3`` or ``name@alias`` means; a plain name is the newest version.

    Raises:
        UsageError: the reference has none of these forms.
        NotFound: there is no such model, version or alias; the error names a near one.
    """
    try:
        model, version, alias = parse_model_ref(ref)
    except ValueError as fault:
        raise UsageError(str(fault), next_command="mlwright models") from fault
    require_model(tx, model)
    if alias is not None and alias.lower() != LATEST:
        version = _require_alias(tx, model, alias)
    if version is None:
        version = newest_number(tx, model)
    if version is None:
        raise NotFound(f"model {model!r} has no version yet", next_command="mlwright models")
    return get_version(tx, model, version)


def list_models(tx: Connection) -> list[ModelName]:
    """The names of all models, in order."""
    return [ModelName(name) for name in tx.execute(select(models.c.name).order_by(models.c.name)).scalars()]


def list_versions(tx: Connection, model: ModelName) -> list[ModelVersion]:
    """All versions of a model, the newest first.

    Raises:
        NotFound: there is no such model.
    """
    require_model(tx, model)
    query = select(versions).where(versions.c.model == model).order_by(versions.c.version.desc())
    return with_details(tx, tx.execute(query).all())


def _version_of(tx: Connection, model: ModelName, digest: Digest) -> int | None:
    # Copies and proved versions may share a folder; the first is the one that was made from it.
    same = select(versions.c.version).where(versions.c.model == model, versions.c.digest == digest)
    number: int | None = tx.execute(same.order_by(versions.c.version).limit(1)).scalar_one_or_none()
    return number


def _alias(tx: Connection, model: ModelName, alias: str) -> int | None:
    query = select(aliases.c.version).where(aliases.c.model == model, aliases.c.alias == alias)
    version: int | None = tx.execute(query).scalar_one_or_none()
    return version


def _require_alias(tx: Connection, model: ModelName, alias: str) -> int:
    version = _alias(tx, model, alias)
    if version is None:
        known = tx.execute(select(aliases.c.alias).where(aliases.c.model == model)).scalars()
        raise NotFound.named(f"alias of {model}", alias, known, next_command=f"mlwright models {model}")
    return version
