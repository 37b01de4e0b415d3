"""Rows of what comes from another tool: experiments, runs and logged models under the ids that they shall have here.

Unlike what clients do, this sets instants, deletions and ids itself. The caller owns every transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from mlwright.model.ids import RunId
from mlwright.model.instants import to_micros
from mlwright.model.moving import ForeignExperiment, ForeignLoggedModel, ForeignRun
from mlwright.stages.tracking.experiments import (
    ROOT,
    ensure_experiment,
    insert,
    write_experiment_tags,
)
from mlwright.stages.tracking.logged_models import write_logged_model_params, write_logged_model_tags
from mlwright.stages.tracking.model_tables import logged_models
from mlwright.stages.tracking.tables import experiment_tags, experiments, params, runs, tags


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRun:
    """A run that is here already, as far as an import has to know it."""

    number: int
    experiment: int
    started_ms: int
    artifact_root: str
    marks: dict[str, str]
    """Those of its tags that were asked for."""


def find_known_run(tx: Connection, run: str, marked: str) -> KnownRun | None:
    """The run of an id with its tags that begin with ``marked``; None where there is none."""
    row = tx.execute(select(runs).where(runs.c.id == run)).one_or_none()
    if row is None:
        return None
    found = select(tags.c.key, tags.c.value).where(
        tags.c.run == row.number, tags.c.key >= marked, tags.c.key < f"{marked}\x7f"
    )
    return KnownRun(
        number=row.number,
        experiment=row.experiment,
        started_ms=row.started_ms,
        artifact_root=row.artifact_root,
        marks={each.key: each.value for each in tx.execute(found)},
    )


def put_experiment(
    tx: Connection, foreign: ForeignExperiment, at: datetime, *, mark: str
) -> tuple[int, bool]:
    """The number of the experiment of that name, made where there is none, and whether it was made.

    One that was deleted here is restored when live runs come into it, unless it came from a source before: then
    somebody deleted it here after that, and it stays deleted.

    Args:
        tx: a writing transaction.
        foreign: the experiment of the source.
        at: the present instant.
        mark: the key of the tag that says where an experiment is from.
    """
    known = select(experiments.c.id, experiments.c.deleted_at).where(experiments.c.name == foreign.name)
    row = tx.execute(known).one_or_none()
    if row is not None:
        if row.deleted_at is not None and not foreign.deleted:
            own = select(experiment_tags.c.key).where(
                experiment_tags.c.experiment == row.id, experiment_tags.c.key == mark
            )
            if tx.execute(own).first() is None:
                ensure_experiment(tx, foreign.name, at)
        return int(row.id), False
    number = ensure_experiment(tx, foreign.name, at)
    write_experiment_tags(tx, number, foreign.tags)
    if foreign.deleted:
        gone = update(experiments).where(experiments.c.id == number)
        tx.execute(gone.values(deleted_at=to_micros(at)))
    return number, True


def put_run(tx: Connection, run: RunId, foreign: ForeignRun, *, experiment: int, at: datetime) -> int:
    """Insert a run, and return its number; what was logged to it follows.

    Args:
        tx: a writing transaction.
        run: the id that it has here, new.
        foreign: the run of the source.
        experiment: the number of its experiment.
        at: the present instant, as that of its deletion where it is deleted.
    """
    number: int = tx.execute(
        insert(tx, runs)
        .values(
            id=run,
            experiment=experiment,
            name=foreign.name,
            status=foreign.status.value,
            started_ms=foreign.started_ms,
            ended_ms=foreign.ended_ms,
            actor=foreign.actor,
            artifact_root=f"{ROOT}{experiment}/{run}/artifacts",
            deleted_at=to_micros(at) if foreign.deleted else None,
        )
        .returning(runs.c.number)
    ).scalar_one()
    return number


def renew_run(tx: Connection, number: int, foreign: ForeignRun, at: datetime) -> None:
    """Bring status, end and name of a run to what they are in the source; a deletion too, but none is taken back."""
    values: dict[str, object] = {
        "name": foreign.name,
        "status": foreign.status.value,
        "ended_ms": foreign.ended_ms,
    }
    tx.execute(update(runs).where(runs.c.number == number).values(values))
    if foreign.deleted:
        kept = update(runs).where(runs.c.number == number, runs.c.deleted_at.is_(None))
        tx.execute(kept.values(deleted_at=to_micros(at)))


def read_params(tx: Connection, number: int) -> dict[str, str]:
    """The params of a run."""
    query = select(params.c.key, params.c.value).where(params.c.run == number)
    return {row.key: row.value for row in tx.execute(query)}


def find_known_model(tx: Connection, id: str) -> tuple[int, str] | None:
    """When the logged model of an id was made (ms), and where its files lie; None where there is none."""
    query = select(logged_models.c.created_ms, logged_models.c.artifact_root).where(logged_models.c.id == id)
    row = tx.execute(query).one_or_none()
    return None if row is None else (row.created_ms, row.artifact_root)


def put_logged_model(
    tx: Connection,
    id: str,
    foreign: ForeignLoggedModel,
    *,
    experiment: int,
    source_run: RunId | None,
    params: Mapping[str, str],
    tags: Mapping[str, str],
    at: datetime,
) -> str:
    """Insert a logged model, or bring status and tags of the one that is there to those of the source.

    Returns:
        Where its files lie.
    """
    root = f"{ROOT}{experiment}/models/{id}/artifacts"
    values: dict[str, object] = {
        "status": foreign.status.value,
        "status_message": foreign.status_message,
        "updated_ms": foreign.updated_ms,
    }
    upsert = insert(tx, logged_models).values(
        id=id,
        experiment=experiment,
        name=foreign.name,
        artifact_root=root,
        source_run=source_run,
        model_type=foreign.model_type,
        created_ms=foreign.created_ms,
        deleted_at=to_micros(at) if foreign.deleted else None,
        **values,
    )
    tx.execute(upsert.on_conflict_do_update(index_elements=["id"], set_=values))
    write_logged_model_params(tx, id, params)
    write_logged_model_tags(tx, id, tags)
    known = find_known_model(tx, id)
    return root if known is None else known[1]


def list_logged_models(tx: Connection) -> list[str]:
    """The ids of all logged models that are not deleted, in the order in which they were made."""
    query = select(logged_models.c.id).where(logged_models.c.deleted_at.is_(None))
    return [str(id) for (id,) in tx.execute(query.order_by(logged_models.c.created_ms, logged_models.c.id))]


def list_runs(tx: Connection) -> list[int]:
    """The numbers of all runs, deleted ones too, in the order in which they were begun."""
    return [int(number) for (number,) in tx.execute(select(runs.c.number).order_by(runs.c.number))]


def list_experiments(tx: Connection) -> list[int]:
    """The numbers of all experiments, deleted ones too."""
    return [int(number) for (number,) in tx.execute(select(experiments.c.id).order_by(experiments.c.id))]


def runs_tagged(tx: Connection, key: str, beginning: str, most: int) -> list[RunId]:
    """Runs whose tag begins with a text, in the order in which they were begun."""
    query = select(runs.c.id).join_from(runs, tags, tags.c.run == runs.c.number)
    found = query.where(tags.c.key == key, tags.c.value >= beginning, tags.c.value < f"{beginning}\x7f")
    return [RunId(id) for (id,) in tx.execute(found.order_by(runs.c.number).limit(most))]
