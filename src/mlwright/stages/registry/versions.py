"""Model versions as clients of the MLflow protocol make and change them. The caller owns every transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Update, delete, func, select, update

from mlwright.errors import NotFound, UsageError
from mlwright.model.ids import Digest, ModelName, RunId
from mlwright.model.instants import to_micros
from mlwright.model.plain import plain
from mlwright.model.registry import ModelVersion, Signature, VersionStage
from mlwright.stages.registry.models import touch_model
from mlwright.stages.registry.names import LATEST, check_alias, check_tag
from mlwright.stages.registry.outbox import announce_version, announce_version_tag
from mlwright.stages.registry.rows import lock_model, read_versions, require_model, set_tag
from mlwright.stages.registry.tables import aliases, metadata, models, version_tags, versions

_ACTIVE: Final = (VersionStage.STAGING, VersionStage.PRODUCTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """What a client says of a version that it registers."""

    model: ModelName
    source: str
    location: str | None = None
    run: RunId | None = None
    logged_model: str | None = None
    run_link: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    actor: str | None = None


def add_version(tx: Connection, new: NewVersion, at: datetime) -> ModelVersion:
    """Register an address under the model's next number; the same address again is a further version.

    Raises:
        NotFound: there is no such model.
        UsageError: a tag is not allowed.
    """
    for key, value in new.tags.items():
        check_tag(key, value)
    number = lock_model(tx, new.model) + 1
    now = to_micros(at)
    tx.execute(update(models).where(models.c.name == new.model).values(latest=number, updated_at=now))
    tx.execute(
        versions.insert().values(
            model=new.model,
            version=number,
            created_at=now,
            updated_at=now,
            source=new.source,
            location=new.location,
            run=new.run,
            logged_model=new.logged_model,
            run_link=new.run_link,
            description=new.description,
            actor=new.actor,
        )
    )
    for key, value in new.tags.items():
        set_tag(tx, version_tags, key, value, model=new.model, version=number)
    version = find_version(tx, new.model, number)
    announce_version(tx, version, at)
    return version


def find_version(tx: Connection, model: ModelName, version: int) -> ModelVersion:
    """One version of a model.

    Raises:
        NotFound: there is no such model or version.
    """
    found = read_versions(tx, [(model, version)])
    if not found:
        require_model(tx, model)
        newest = newest_number(tx, model)
        raise NotFound(
            f"model {model!r} has no version {version}; "
            + (f"the newest is {newest}" if newest else "none was registered yet"),
            next_command=f"mlwright models {model}",
        )
    return found[0]


def newest_number(tx: Connection, model: ModelName) -> int | None:
    """The highest number of a version that is there, or None."""
    number: int | None = tx.execute(
        select(func.max(versions.c.version)).where(versions.c.model == model)
    ).scalar_one()
    return number


def attach_folder(
    tx: Connection, model: ModelName, version: int, digest: Digest, *, signature: Signature, flavor: str
) -> ModelVersion:
    """Note that a version's folder is in the artifact store now; from here on it can be loaded.

    Raises:
        NotFound: there is no such model or version.
    """
    find_version(tx, model, version)
    values = {"digest": digest, "signature": plain(signature), "flavor": flavor}
    tx.execute(_one(model, version).values(values))
    return find_version(tx, model, version)


def describe_version(
    tx: Connection, model: ModelName, version: int, description: str | None, at: datetime
) -> ModelVersion:
    """Give a version another description.

    Raises:
        NotFound: there is no such model or version.
    """
    find_version(tx, model, version)
    tx.execute(_one(model, version).values(description=description, updated_at=to_micros(at)))
    return find_version(tx, model, version)


def move_stage(
    tx: Connection, model: ModelName, version: int, stage: VersionStage, *, archive: bool, at: datetime
) -> tuple[ModelVersion, VersionStage, tuple[int, ...]]:
    """Put a version into one of MLflow's stages.

    Args:
        tx: a writing transaction.
        model, version: which.
        stage: where to.
        archive: move the versions that are in the stage now to ``Archived``.
        at: the present instant.

    Returns:
        The version, the stage it was in, and the numbers of those that were archived.

    Raises:
        UsageError: ``archive`` with a stage that is not ``Staging`` or ``Production``.
        NotFound: there is no such model or version.
    """
    if archive and stage not in _ACTIVE:
        raise UsageError(
            "Model version transition cannot archive existing model versions because "
            f"'{stage}' is not an Active stage. Valid stages are {[str(each) for each in _ACTIVE]}"
        )
    lock_model(tx, model)
    before = find_version(tx, model, version).stage
    now = to_micros(at)
    others: list[int] = []
    if archive:
        query = select(versions.c.version).where(
            versions.c.model == model, versions.c.stage == stage, versions.c.version != version
        )
        others = list(tx.execute(query.order_by(versions.c.version)).scalars())
        for each in others:
            tx.execute(_one(model, each).values(stage=VersionStage.ARCHIVED, updated_at=now))
    tx.execute(_one(model, version).values(stage=stage, updated_at=now))
    touch_model(tx, model, at)
    return find_version(tx, model, version), before, tuple(others)


def delete_version(tx: Connection, model: ModelName, version: int, at: datetime) -> ModelVersion:
    """Remove a version with its aliases, tags and evidence, and return what it was. Its number is not given again.

    Raises:
        NotFound: there is no such model or version.
    """
    lock_model(tx, model)
    gone = find_version(tx, model, version)
    for table in reversed(metadata.sorted_tables):
        if "model" in table.c and "version" in table.c:
            tx.execute(delete(table).where(table.c.model == model, table.c.version == version))
    touch_model(tx, model, at)
    return gone


def set_version_tag(
    tx: Connection, model: ModelName, version: int, key: str, value: str, at: datetime
) -> None:
    """Set one tag of a version; a tag that is there gets the new value.

    Raises:
        UsageError: the tag is not allowed.
        NotFound: there is no such model or version.
    """
    check_tag(key, value)
    find_version(tx, model, version)
    set_tag(tx, version_tags, key, value, model=model, version=version)
    announce_version_tag(tx, model, version, key, value, at)


def delete_version_tag(tx: Connection, model: ModelName, version: int, key: str, at: datetime) -> bool:
    """Remove one tag of a version, and say whether it was there.

    Raises:
        NotFound: there is no such model or version.
    """
    check_tag(key)
    find_version(tx, model, version)
    announce_version_tag(tx, model, version, key, None, at)
    which = version_tags.c.model == model, version_tags.c.version == version, version_tags.c.key == key
    return bool(tx.execute(delete(version_tags).where(*which)).rowcount)


def latest_versions(
    tx: Connection, names: Sequence[str], stages: Sequence[VersionStage] = ()
) -> dict[str, list[ModelVersion]]:
    """The newest version in each stage, by model; of the given stages only, where some are given."""
    newest: list[tuple[str, int]] = []
    query = select(versions.c.model, func.max(versions.c.version)).group_by(
        versions.c.model, versions.c.stage
    )
    if stages:
        query = query.where(versions.c.stage.in_(stages))
    for first in range(0, len(names), 10_000):
        part = query.where(versions.c.model.in_(names[first : first + 10_000]))
        newest += [(name, number) for name, number in tx.execute(part)]
    found: dict[str, list[ModelVersion]] = {name: [] for name in names}
    for version in read_versions(tx, sorted(newest)):
        found[version.model].append(version)
    return found


def version_by_alias(tx: Connection, model: ModelName, alias: str) -> ModelVersion:
    """The version that an alias points at; ``latest`` is the newest.

    Raises:
        NotFound: there is no such model, or it has no version for ``latest``.
        UsageError: it has no such alias; MLflow's clients tell the two apart.
    """
    check_alias(alias, new=False)
    require_model(tx, model)
    if alias.lower() == LATEST:
        newest = newest_number(tx, model)
        if newest is None:
            raise NotFound(
                f"Latest version not found for model {model}.", next_command=f"mlwright models {model}"
            )
        return find_version(tx, model, newest)
    query = select(aliases.c.version).where(aliases.c.model == model, aliases.c.alias == alias)
    number: int | None = tx.execute(query).scalar_one_or_none()
    if number is None:
        raise UsageError(
            f"Registered model alias {alias} not found.", next_command=f"mlwright models {model}"
        )
    return find_version(tx, model, number)


def _one(model: ModelName, version: int) -> Update:
    return update(versions).where(versions.c.model == model, versions.c.version == version)
