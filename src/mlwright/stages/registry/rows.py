"""Rows of the registry as values: models and versions with their tags and aliases."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeVar

from sqlalchemy import Connection, Table, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Row

from mlwright.errors import NotFound
from mlwright.model.ids import Digest, ModelName, RunId
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.plain import plain
from mlwright.model.registry import (
    Evaluation,
    Field,
    ModelVersion,
    RegisteredModel,
    Signature,
    VersionStage,
    VersionStatus,
)
from mlwright.stages.registry.tables import aliases, model_tags, models, version_tags, versions

T = TypeVar("T")

Found = Row[tuple[object, ...]]

# SQLite takes 32,766 values in a statement, and a key of a version is two of them.
_KEYS_A_QUERY = 10_000


def insert(tx: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert that can say what to do on a conflict, in the words of the database."""
    return postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)


def set_tag(tx: Connection, table: Table, key: str, value: str, **owner: object) -> None:
    """Set one tag in a table of tags; one that is there gets the new value."""
    upsert = insert(tx, table).values(**owner, key=key, value=value)
    tx.execute(upsert.on_conflict_do_update(index_elements=[*owner, "key"], set_={"value": value}))


def lock_model(tx: Connection, model: ModelName) -> int:
    """Have other writers of this model wait, and return the highest number that it ever gave; see ``require_model``."""
    # SQLite has no FOR UPDATE and needs none: its writing transaction is alone.
    query = select(models.c.latest).where(models.c.name == model).with_for_update()
    latest: int | None = tx.execute(query).scalar_one_or_none()
    if latest is None:
        require_model(tx, model)
    return latest or 0


def require_model(tx: Connection, model: ModelName) -> None:
    """See to it that there is such a model.

    Raises:
        NotFound: there is none; the error names a near one.
    """
    if tx.execute(select(models.c.name).where(models.c.name == model)).first() is None:
        known = tx.execute(select(models.c.name)).scalars()
        raise NotFound.named("model", model, known, next_command="mlwright models")


def read_models(tx: Connection, names: Sequence[str]) -> list[RegisteredModel]:
    """The models of these names with tags and aliases, in the order given; names that nobody has are left out."""
    found: dict[str, Found] = {}
    tags: dict[str, dict[str, str]] = defaultdict(dict)
    named: dict[str, dict[str, int]] = defaultdict(dict)
    for part in _parts(names):
        for row in tx.execute(select(models).where(models.c.name.in_(part))):
            found[row.name] = row
        for row in tx.execute(
            select(model_tags).where(model_tags.c.model.in_(part)).order_by(model_tags.c.key)
        ):
            tags[row.model][row.key] = row.value
        for row in tx.execute(select(aliases).where(aliases.c.model.in_(part)).order_by(aliases.c.alias)):
            named[row.model][row.alias] = row.version
    return [
        RegisteredModel(
            name=ModelName(name),
            created=from_micros(found[name].created_at),
            updated=from_micros(found[name].updated_at or found[name].created_at),
            description=found[name].description,
            tags=tags[name],
            aliases=named[name],
        )
        for name in names
        if name in found
    ]


def read_versions(tx: Connection, keys: Sequence[tuple[str, int]]) -> list[ModelVersion]:
    """The versions of these models and numbers, in the order given; those that nobody made are left out."""
    found: dict[tuple[str, int], Found] = {}
    for part in _parts(keys):
        query = select(versions).where(tuple_(versions.c.model, versions.c.version).in_(part))
        found |= {(row.model, row.version): row for row in tx.execute(query)}
    return with_details(tx, [found[key] for key in keys if key in found])


def with_details(tx: Connection, found: Sequence[Found]) -> list[ModelVersion]:
    """Rows of versions as values, with tags and aliases."""
    tags: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    named: dict[tuple[str, int], list[str]] = defaultdict(list)
    for part in _parts([(row.model, row.version) for row in found]):
        tagged = select(version_tags).where(tuple_(version_tags.c.model, version_tags.c.version).in_(part))
        for row in tx.execute(tagged.order_by(version_tags.c.key)):
            tags[row.model, row.version][row.key] = row.value
        pointing = select(aliases).where(tuple_(aliases.c.model, aliases.c.version).in_(part))
        for row in tx.execute(pointing.order_by(aliases.c.alias)):
            named[row.model, row.version].append(row.alias)
    return [_version(row, tags[row.model, row.version], named[row.model, row.version]) for row in found]


def evaluation_out(evaluation: Evaluation) -> dict[str, object]:
    """An evaluation as the column keeps it."""
    return {
        "metrics": plain(evaluation.metrics),
        "rows": evaluation.rows,
        "start_at": to_micros(evaluation.start),
        "end_at": to_micros(evaluation.end),
        "holdout": evaluation.holdout,
    }


def _parts(keys: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(keys), _KEYS_A_QUERY):
        yield keys[first : first + _KEYS_A_QUERY]


def _version(row: Found, tags: dict[str, str], named: list[str]) -> ModelVersion:
    return ModelVersion(
        model=ModelName(row.model),
        version=row.version,
        digest=None if row.digest is None else Digest(row.digest),
        run=None if row.run is None else RunId(row.run),
        created=from_micros(row.created_at),
        signature=None if row.signature is None else _signature(row.signature),
        flavor=row.flavor,
        trained_from=None if row.trained_from_at is None else from_micros(row.trained_from_at),
        trained_to=None if row.trained_to_at is None else from_micros(row.trained_to_at),
        evaluation=None if row.evaluation is None else _evaluation(row.evaluation),
        tags=tags,
        aliases=tuple(named),
        updated=from_micros(row.updated_at or row.created_at),
        source=row.source,
        location=row.location,
        status=VersionStatus(row.status),
        status_message=row.status_message,
        description=row.description,
        stage=VersionStage(row.stage),
        actor=row.actor,
        run_link=row.run_link,
        logged_model=row.logged_model,
    )


def _signature(stored: dict[str, list[dict[str, object]]]) -> Signature:
    return Signature(
        inputs=tuple(map(_field, stored["inputs"])), outputs=tuple(map(_field, stored["outputs"]))
    )


def _field(stored: dict[str, object]) -> Field:
    shape = stored.get("shape", ())  # versions of older programs have none, and JSON has no tuples
    assert isinstance(shape, list | tuple)
    return Field(**{**stored, "shape": tuple(shape)})  # type: ignore[arg-type]


def _evaluation(stored: dict[str, object]) -> Evaluation:
    metrics, holdout = stored["metrics"], stored["holdout"]
    assert isinstance(metrics, dict)
    return Evaluation(
        metrics={key: float(value) for key, value in metrics.items()},
        rows=int(str(stored["rows"])),
        start=from_micros(int(str(stored["start_at"]))),
        end=from_micros(int(str(stored["end_at"]))),
        holdout=None if holdout is None else Digest(str(holdout)),
    )
