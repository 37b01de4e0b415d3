"""Runs in the database: begin, end, record params and tags, delete, restore. The caller owns every transaction."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from sqlalchemy import Connection, Executable, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mlwright.errors import Fault, NotFound, UsageError, near_match
from mlwright.model.ids import RunId
from mlwright.model.tracking import RunStatus
from mlwright.stages.tracking.experiments import insert
from mlwright.stages.tracking.names import TEXT_LIMIT, below, check_length, check_pairs, random_name
from mlwright.stages.tracking.tables import experiments, params, runs, tags

RUN_NAME: Final = "mlflow.runName"
"""The tag that is the run's name: who changes one changes both."""
LOGGED_MODELS: Final = "mlflow.log-model.history"
"""The tag in which older clients list the models that a run logged."""

ENDED: Final = frozenset({RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunKey:
    """A run as the other tables know it."""

    number: int
    experiment: int
    deleted: bool


_FIND: Final = select(runs.c.number, runs.c.experiment, runs.c.deleted_at).where(
    runs.c.id == bindparam("run")
)
"""Asked before almost everything else, so it is built once."""


def find_run(tx: Connection, run: RunId, *, active: bool = False) -> RunKey:
    """The number of a run, deleted ones included.

    Args:
        tx: a transaction.
        run: its id.
        active: refuse one that is deleted.

    Raises:
        NotFound: there is no such run; the error names a near one.
        UsageError: the run is deleted and must not be.
    """
    row = tx.execute(_FIND, {"run": run}).one_or_none()
    if row is None:
        recent = tx.execute(select(runs.c.id).order_by(runs.c.number.desc()).limit(200)).scalars()
        near = near_match(run, recent) if run else None
        hint = f"; did you mean {near!r}?" if near else ""
        raise NotFound(f"Run with id={run} not found{hint}", next_command="mlwright runs")
    if active and row.deleted_at is not None:
        raise UsageError(f"The run {run} must be in the 'active' state. Current state is deleted.")
    return RunKey(number=row.number, experiment=row.experiment, deleted=row.deleted_at is not None)


def new_protocol_id(at_ms: int) -> RunId:
    """Make an id for the run of a client: 32 hexadecimal digits, as MLflow's own are, that sort by time.

    It is a UUID of version 7 (RFC 9562 section 5.7) without its dashes.
    """
    random = int.from_bytes(os.urandom(10), "big")
    number = (at_ms & (1 << 48) - 1) << 80 | 7 << 76 | (random >> 68) << 64 | 2 << 62 | random & (1 << 62) - 1
    return RunId(f"{number:032x}")


def add_run(
    tx: Connection,
    run: RunId,
    *,
    experiment: int,
    name: str | None,
    started_ms: int,
    actor: str,
    values: Mapping[str, str],
    pid: int | None = None,
    host: str | None = None,
) -> int:
    """Begin a run, and return its number.

    Args:
        tx: a writing transaction.
        run: its id, new.
        experiment: the number of its experiment, which is not deleted.
        name: its name; that of the tag, or one made up, unless given.
        started_ms: when it began.
        actor: who began it.
        values: its first tags.
        pid: the process that does the work, when it is one of ours.
        host: the machine that the process is on.

    Raises:
        UsageError: a tag cannot be one, or name and tag differ.
    """
    check_pairs("tag", values.items())
    tagged = values.get(RUN_NAME)
    if name and tagged and name != tagged:
        raise UsageError(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values"
            f" (run_name='{name}', mlflow.runName='{tagged}')."
        )
    name = check_length("run_name", name or tagged or random_name(), TEXT_LIMIT)
    root = tx.execute(select(experiments.c.artifact_root).where(experiments.c.id == experiment)).scalar_one()
    number: int = tx.execute(
        insert(tx, runs)
        .values(
            id=run,
            experiment=experiment,
            name=name,
            status=RunStatus.RUNNING.value,
            started_ms=started_ms,
            actor=actor,
            artifact_root=below(root, run, "artifacts"),
            pid=pid,
            host=host,
        )
        .returning(runs.c.number)
    ).scalar_one()
    _put_tags(tx, number, {**values, RUN_NAME: name})
    return number


def change_run(
    tx: Connection,
    number: int,
    *,
    status: RunStatus | None = None,
    ended_ms: int | None = None,
    name: str | None = None,
) -> None:
    """Change what is given of a run."""
    given = {
        "status": None if status is None else status.value,
        "ended_ms": ended_ms,
        "name": name or None,
    }
    values = {key: value for key, value in given.items() if value is not None}
    if values:
        tx.execute(update(runs).where(runs.c.number == number).values(values))
    if name:
        _put_tags(tx, number, {RUN_NAME: name})


def mark_run(tx: Connection, number: int, *, deleted_at: int | None) -> None:
    """Mark a run as deleted at an instant (microseconds), or take that back with None."""
    tx.execute(update(runs).where(runs.c.number == number).values(deleted_at=deleted_at))


def write_params(tx: Connection, number: int, values: Mapping[str, str]) -> None:
    """Record params. A param never changes: the same value again is accepted, another value is not.

    Raises:
        UsageError: a key cannot be one, a value is too long, or a param has another value already; none of the
            values was recorded.
    """
    check_pairs("param", values.items())
    if not values:
        return
    if len(values) > 1:
        _refuse_changes(tx, number, values)
    rows = [{"run": number, "key": key, "value": values[key]} for key in sorted(values)]
    added = tx.execute(
        insert(tx, params).on_conflict_do_nothing().execution_options(preserve_rowcount=True), rows
    )
    if added.rowcount != len(rows):
        # Some were there, or another writer was faster: what is there now must be what was to be written.
        _refuse_changes(tx, number, values)


def write_tags(tx: Connection, number: int, values: Mapping[str, str]) -> None:
    """Set tags; a tag that is there gets the new value. The tag of the run's name changes the name too.

    Raises:
        UsageError: a key cannot be one, or a value is too long.
    """
    check_pairs("tag", values.items())
    if values.get(RUN_NAME):
        tx.execute(update(runs).where(runs.c.number == number).values(name=values[RUN_NAME]))
    elif RUN_NAME in values:
        # As MLflow has it: a run does not lose its name.
        values = {key: value for key, value in values.items() if key != RUN_NAME}
    _put_tags(tx, number, values)


def remove_tag(tx: Connection, number: int, run: RunId, key: str) -> None:
    """Remove a tag.

    Raises:
        NotFound: the run has no such tag.
    """
    if tx.execute(delete(tags).where(tags.c.run == number, tags.c.key == key)).rowcount == 0:
        raise NotFound(f"No tag with name: {key} in run with id {run}")


def drop_tag(tx: Connection, number: int, key: str) -> None:
    """Remove a tag that may be there."""
    tx.execute(delete(tags).where(tags.c.run == number, tags.c.key == key))


def append_model(tx: Connection, number: int, model: Mapping[str, object]) -> None:
    """Add a model to the list that older clients keep in a tag of the run; what is no list there is replaced."""
    query = select(tags.c.value).where(tags.c.run == number, tags.c.key == LOGGED_MODELS)
    before = tx.execute(query).scalar_one_or_none()
    try:
        known = json.loads(before or "[]")
    except (ValueError, RecursionError):  # a tag is whatever a client wrote
        known = []
    listed = [*(known if isinstance(known, list) else []), dict(model)]
    _put_tags(tx, number, {LOGGED_MODELS: check_length("tag value", json.dumps(listed), TEXT_LIMIT)})


def _put_tags(tx: Connection, number: int, values: Mapping[str, str]) -> None:
    if values:
        tx.execute(
            _upsert_of(tx.dialect.name),
            # In one order always, so that two writers of the same run cannot wait for each other in a ring.
            [{"run": number, "key": key, "value": values[key]} for key in sorted(values)],
        )


@cache
def _upsert_of(dialect: str) -> Executable:
    upsert = postgresql.insert(tags) if dialect == "postgresql" else sqlite.insert(tags)
    return upsert.on_conflict_do_update(index_elements=["run", "key"], set_={"value": upsert.excluded.value})


def _refuse_changes(tx: Connection, number: int, values: Mapping[str, str]) -> None:
    known = select(params.c.key, params.c.value).where(params.c.run == number, params.c.key.in_(values))
    before = {key: value for key, value in tx.execute(known).all() if values[key] != value}
    if not before:
        return
    run = tx.execute(select(runs.c.id).where(runs.c.number == number)).scalar_one()
    if len(values) == 1:
        ((key, value),) = values.items()
        what = (
            f"Changing param values is not allowed. Param with key='{key}' was already logged with"
            f" value='{before[key]}' for run ID='{run}'. Attempted logging new value '{value}'."
        )
    else:
        changes = [
            {"key": key, "old_value": old, "new_value": values[key]} for key, old in sorted(before.items())
        ]
        what = (
            "Changing param values is not allowed. Params were already"
            f" logged='{changes}' for run ID='{run}'."
        )
    faults = [
        Fault(where=key, what=f"is {old!r} already and cannot become {values[key]!r}")
        for key, old in sorted(before.items())
    ]
    raise UsageError(what, faults=faults, next_command=f"mlwright runs {run}")
