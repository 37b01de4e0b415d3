"""Models, versions and aliases in the database. The caller owns every transaction."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Table, delete, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Row

from mlwright.errors import NotFound, UsageError
from mlwright.model.ids import Digest, ModelName, RunId
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.plain import plain
from mlwright.model.registry import Evaluation, Field, ModelVersion, Signature, parse_model_ref
from mlwright.stages.registry.tables import aliases, models, version_tags, versions

_NAME = re.compile(r"[^\s/@:\x00-\x1f]([^/@:\x00-\x1f]*[^\s/@:\x00-\x1f])?")


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
) -> ModelVersion:
    """Register a model folder under the model's next number: 1, 2, 3 …, never given twice.

    The same digest again gives the version that exists; nothing about it changes.

    Args:
        tx: a writing transaction.
        model: the model's name; made when new.
        digest: the folder's digest in the artifact store.
        run: the run that made it.
        at: the present instant.
        signature, flavor: what the model takes and gives, and the engine that loads it.
        trained_from, trained_to: the event times it was trained on, without the end.
        evaluation: how its recipe did on rows it had not seen.
        tags: free words about this version.

    Raises:
        UsageError: the name could not be used in a reference such as ``name/3`` or ``name@alias``.
    """
    _check_name("model", model)
    tx.execute(
        _insert(tx, models).values(name=model, created_at=to_micros(at), latest=0).on_conflict_do_nothing()
    )
    latest = _lock(tx, model)
    same = select(versions.c.version).where(versions.c.model == model, versions.c.digest == digest)
    existing: int | None = tx.execute(same).scalar_one_or_none()
    if existing is not None:
        return get_version(tx, model, existing)
    version = latest + 1
    tx.execute(update(models).where(models.c.name == model).values(latest=version))
    tx.execute(
        _insert(tx, versions).values(
            model=model,
            version=version,
            digest=digest,
            run=run,
            created_at=to_micros(at),
            signature=plain(signature),
            flavor=flavor,
            trained_from_at=None if trained_from is None else to_micros(trained_from),
            trained_to_at=None if trained_to is None else to_micros(trained_to),
            evaluation=None if evaluation is None else _evaluation_out(evaluation),
        )
    )
    for key, value in (tags or {}).items():
        tx.execute(_insert(tx, version_tags).values(model=model, version=version, key=key, value=value))
    return get_version(tx, model, version)


def set_alias(tx: Connection, model: ModelName, alias: str, version: int) -> int | None:
    """Point an alias at a version, at once for every reader, and return the version it pointed at before.

    Raises:
        NotFound: there is no such model or version.
        UsageError: the alias could not be used in a reference such as ``name@alias``.
    """
    _check_name("alias", alias)
    get_version(tx, model, version)
    # Two writers queue here, so that each learns what the other had set.
    _lock(tx, model)
    before = _alias(tx, model, alias)
    upsert = _insert(tx, aliases).values(model=model, alias=alias, version=version)
    tx.execute(upsert.on_conflict_do_update(index_elements=["model", "alias"], set_={"version": version}))
    return before


def delete_alias(tx: Connection, model: ModelName, alias: str) -> int:
    """Remove an alias and return the version it pointed at.

    Raises:
        NotFound: the model has no such alias.
    """
    _require_model(tx, model)
    _lock(tx, model)
    before = _require_alias(tx, model, alias)
    tx.execute(delete(aliases).where(aliases.c.model == model, aliases.c.alias == alias))
    return before


def tag_version(tx: Connection, model: ModelName, version: int, key: str, value: str) -> None:
    """Set one tag of a version; a tag that is there gets the new value.

    Raises:
        NotFound: there is no such model or version.
    """
    get_version(tx, model, version)
    upsert = _insert(tx, version_tags).values(model=model, version=version, key=key, value=value)
    tx.execute(
        upsert.on_conflict_do_update(index_elements=["model", "version", "key"], set_={"value": value})
    )


def get_version(tx: Connection, model: ModelName, version: int) -> ModelVersion:
    """One version of a model.

    Raises:
        NotFound: there is no such model or version.
    """
    _require_model(tx, model)
    query = select(versions).where(versions.c.model == model, versions.c.version == version)
    found = tx.execute(query).all()
    if not found:
        newest = tx.execute(select(models.c.latest).where(models.c.name == model)).scalar_one()
        raise NotFound(
            f"model {model!r} has no version {version}; the newest is {newest}",
            next_command=f"mlwright models {model}",
        )
    return _with_details(tx, found)[0]


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
    _require_model(tx, model)
    if alias is not None:
        version = _require_alias(tx, model, alias)
    if version is None:
        version = tx.execute(select(models.c.latest).where(models.c.name == model)).scalar_one()
    return get_version(tx, model, version)


def list_models(tx: Connection) -> list[ModelName]:
    """The names of all models, in order."""
    return [ModelName(name) for name in tx.execute(select(models.c.name).order_by(models.c.name)).scalars()]


def list_versions(tx: Connection, model: ModelName) -> list[ModelVersion]:
    """All versions of a model, the newest first.

    Raises:
        NotFound: there is no such model.
    """
    _require_model(tx, model)
    query = select(versions).where(versions.c.model == model).order_by(versions.c.version.desc())
    return _with_details(tx, tx.execute(query).all())


def _insert(tx: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)


def _lock(tx: Connection, model: ModelName) -> int:
    # SQLite has no FOR UPDATE and needs none: its writing transaction is alone.
    query = select(models.c.latest).where(models.c.name == model).with_for_update()
    latest: int = tx.execute(query).scalar_one()
    return latest


def _check_name(kind: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a{'n' if kind == 'alias' else ''} {kind}",
            why="'/', '@', ':' and control characters have a meaning elsewhere; spaces may only be inside",
        )


def _require_model(tx: Connection, model: ModelName) -> None:
    if tx.execute(select(models.c.name).where(models.c.name == model)).first() is None:
        raise NotFound.named("model", model, list_models(tx), next_command="mlwright models")


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


def _evaluation_out(evaluation: Evaluation) -> dict[str, object]:
    return {
        "metrics": plain(evaluation.metrics),
        "rows": evaluation.rows,
        "start_at": to_micros(evaluation.start),
        "end_at": to_micros(evaluation.end),
        "holdout": evaluation.holdout,
    }


def _with_details(tx: Connection, found: Sequence[Row[tuple[object, ...]]]) -> list[ModelVersion]:
    keys = [(row.model, row.version) for row in found]
    tags: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    tagged = select(version_tags).where(tuple_(version_tags.c.model, version_tags.c.version).in_(keys))
    for row in tx.execute(tagged.order_by(version_tags.c.key)):
        tags[row.model, row.version][row.key] = row.value
    named: dict[tuple[str, int], list[str]] = defaultdict(list)
    pointing = select(aliases).where(tuple_(aliases.c.model, aliases.c.version).in_(keys))
    for row in tx.execute(pointing.order_by(aliases.c.alias)):
        named[row.model, row.version].append(row.alias)
    return [_version(row, tags[row.model, row.version], named[row.model, row.version]) for row in found]


def _version(row: Row[tuple[object, ...]], tags: dict[str, str], named: list[str]) -> ModelVersion:
    evaluation = None
    if row.evaluation is not None:
        stored = row.evaluation
        evaluation = Evaluation(
            metrics={key: float(value) for key, value in stored["metrics"].items()},
            rows=stored["rows"],
            start=from_micros(stored["start_at"]),
            end=from_micros(stored["end_at"]),
            holdout=None if stored["holdout"] is None else Digest(stored["holdout"]),
        )
    return ModelVersion(
        model=ModelName(row.model),
        version=row.version,
        digest=Digest(row.digest),
        run=None if row.run is None else RunId(row.run),
        created=from_micros(row.created_at),
        signature=Signature(
            inputs=tuple(Field(**each) for each in row.signature["inputs"]),
            outputs=tuple(Field(**each) for each in row.signature["outputs"]),
        ),
        flavor=row.flavor,
        trained_from=None if row.trained_from_at is None else from_micros(row.trained_from_at),
        trained_to=None if row.trained_to_at is None else from_micros(row.trained_to_at),
        evaluation=evaluation,
        tags=tags,
        aliases=tuple(named),
    )
