"""Experiments in the database: runs that belong together. The caller owns every transaction."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from mlwright.errors import AlreadyExists, Conflict, NotFound, UsageError
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.tracking import Experiment, Lifecycle
from mlwright.stages.tracking.names import check_experiment_name, check_key, check_length, check_root
from mlwright.stages.tracking.tables import experiment_tags, experiments, runs

DEFAULT_EXPERIMENT: Final = "0"
"""Runs of clients that name no experiment are in this one. It is there from the first migration on."""

DEFAULT_NAME: Final = "Default"
ROOT: Final = "mlflow-artifacts:/"
"""Where artifacts are kept unless a client chose another place: with us."""

_TAG_LIMIT: Final = 1 << 20
_AT_ONCE: Final = 5000
_LARGEST: Final = 2**63 - 1


def insert(tx: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert that can say what to do about rows that are there already, in either database."""
    return postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)


def experiment_number(id: str) -> int:
    """The id as a number; the empty one is that of the experiment ``Default``.

    Raises:
        UsageError: it is no whole number.
    """
    try:
        return int(id or DEFAULT_EXPERIMENT)
    except ValueError:
        raise UsageError(
            f"Invalid experiment ID '{id}'. Experiment ID must be a valid integer.",
            next_command="mlwright runs",
        ) from None


def find_experiment(tx: Connection, id: str, *, active: bool = False) -> int:
    """The number of an experiment, deleted ones included.

    Args:
        tx: a transaction.
        id: the experiment's id.
        active: refuse one that is deleted.

    Raises:
        UsageError: the id is no number, or the experiment is deleted and must not be.
        NotFound: there is no such experiment.
    """
    number, deleted_at = _look_up(tx, id)
    if active and deleted_at is not None:
        raise UsageError(
            f"The experiment {number} must be in the 'active' state. Current state is deleted.",
            why="what is deleted is kept as it is until it is restored or collected",
        )
    return number


def named_experiment(tx: Connection, name: str) -> Experiment:
    """The experiment of a name, deleted ones included.

    Raises:
        NotFound: there is no such experiment.
    """
    number = tx.execute(select(experiments.c.id).where(experiments.c.name == name)).scalar_one_or_none()
    if number is None:
        raise NotFound(f"Could not find experiment with name '{name}'", next_command="mlwright runs")
    return read_experiments(tx, [number])[0]


def read_experiments(tx: Connection, ids: Sequence[int]) -> list[Experiment]:
    """The experiments of these numbers in the order given; numbers of none are passed over."""
    found: dict[int, Experiment] = {}
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        texts: dict[int, dict[str, str]] = defaultdict(dict)
        tagged = select(experiment_tags).where(experiment_tags.c.experiment.in_(some))
        for row in tx.execute(tagged.order_by(experiment_tags.c.experiment, experiment_tags.c.key)):
            texts[row.experiment][row.key] = row.value
        for row in tx.execute(select(experiments).where(experiments.c.id.in_(some))):
            found[row.id] = Experiment(
                id=str(row.id),
                name=row.name,
                artifact_root=row.artifact_root,
                lifecycle=Lifecycle.ACTIVE if row.deleted_at is None else Lifecycle.DELETED,
                created=from_micros(row.created_at),
                updated=from_micros(row.updated_at),
                tags=texts.get(row.id, {}),
            )
    return [found[each] for each in ids if each in found]


def create_experiment(
    tx: Connection,
    name: str,
    at: datetime,
    *,
    artifact_root: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> int:
    """Make an experiment, and return its number.

    Args:
        tx: a writing transaction.
        name: its name; no other experiment, deleted ones included, may have it.
        at: the present instant.
        artifact_root: where artifacts of its runs go, unless with us.
        tags: its first tags.

    Raises:
        UsageError: the name, the place or a tag cannot be one.
        AlreadyExists: another experiment has the name.
    """
    check_experiment_name(name)
    if artifact_root:
        check_root(artifact_root)
    number = _add(tx, name, at, artifact_root)
    if number is None:
        raise AlreadyExists(
            f"Experiment(name={name}) already exists.",
            why="the name of a deleted experiment stays taken until it is collected",
        )
    write_experiment_tags(tx, number, tags or {})
    return number


def ensure_experiment(tx: Connection, name: str, at: datetime) -> int:
    """The number of the experiment of a name, which is made when it is new, and restored when it is deleted."""
    known = select(experiments.c.id, experiments.c.deleted_at).where(experiments.c.name == name)
    row = tx.execute(known).one_or_none()
    if row is None:
        number = _add(tx, name, at, None)
        # Another writer made it in the same instant.
        return tx.execute(known).one().id if number is None else number
    if row.deleted_at is not None:
        # Its runs stay deleted; but a new run must not be lost in a deleted experiment.
        tx.execute(update(experiments).where(experiments.c.id == row.id).values(deleted_at=None))
    return int(row.id)


def rename_experiment(tx: Connection, id: str, name: str, at: datetime) -> None:
    """Give an experiment another name.

    Raises:
        UsageError: the id or the name cannot be one.
        NotFound: there is no such experiment.
        Conflict: it is deleted.
        AlreadyExists: another experiment has the name.
    """
    check_experiment_name(name)
    number, deleted_at = _look_up(tx, id)
    if deleted_at is not None:
        raise Conflict("Cannot rename a non-active experiment.", where=f"experiment {id}")
    try:
        with tx.begin_nested():
            tx.execute(
                update(experiments)
                .where(experiments.c.id == number)
                .values(name=name, updated_at=to_micros(at))
            )
    except IntegrityError as fault:
        raise AlreadyExists(f"Experiment(name={name}) already exists.") from fault


def delete_experiment(tx: Connection, id: str, at: datetime) -> None:
    """Mark an experiment and all of its runs as deleted.

    Raises:
        UsageError: the id is no number.
        NotFound: there is no such experiment, or it is deleted already.
    """
    number, deleted_at = _look_up(tx, id)
    if deleted_at is not None:
        raise _unknown(number)
    _mark(tx, number, at, deleted_at=to_micros(at))


def restore_experiment(tx: Connection, id: str, at: datetime) -> None:
    """Take back the deletion of an experiment and of all of its runs.

    Raises:
        UsageError: the id is no number.
        NotFound: there is no such experiment, or it is not deleted.
    """
    number, deleted_at = _look_up(tx, id)
    if deleted_at is None:
        raise _unknown(number)
    _mark(tx, number, at, deleted_at=None)


def write_experiment_tags(tx: Connection, number: int, values: Mapping[str, str]) -> None:
    """Set tags; a tag that is there gets the new value.

    Raises:
        UsageError: a key cannot be one, or a value is too long.
    """
    for key, value in values.items():
        check_key("key", key)
        check_length("value", value, _TAG_LIMIT)
    if values:
        upsert = insert(tx, experiment_tags)
        tx.execute(
            upsert.on_conflict_do_update(
                index_elements=["experiment", "key"], set_={"value": upsert.excluded.value}
            ),
            [{"experiment": number, "key": key, "value": values[key]} for key in sorted(values)],
        )


def remove_experiment_tag(tx: Connection, number: int, key: str) -> None:
    """Remove a tag.

    Raises:
        NotFound: the experiment has no such tag.
    """
    tag = delete(experiment_tags).where(experiment_tags.c.experiment == number, experiment_tags.c.key == key)
    if tx.execute(tag).rowcount == 0:
        raise NotFound(f"No tag with name: {key} in experiment with id {number}")


def _add(tx: Connection, name: str, at: datetime, artifact_root: str | None) -> int | None:
    micros = to_micros(at)
    number = tx.execute(
        insert(tx, experiments)
        .values(name=name, artifact_root=artifact_root or "", created_at=micros, updated_at=micros)
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(experiments.c.id)
    ).scalar_one_or_none()
    if number is not None and not artifact_root:
        own = update(experiments).where(experiments.c.id == number)
        tx.execute(own.values(artifact_root=f"{ROOT}{number}"))
    return number


def _look_up(tx: Connection, id: str) -> tuple[int, int | None]:
    number = experiment_number(id)
    row = None
    if -_LARGEST <= number <= _LARGEST:
        query = select(experiments.c.id, experiments.c.deleted_at).where(experiments.c.id == number)
        row = tx.execute(query).one_or_none()
    if row is None:
        raise _unknown(number)
    return row.id, row.deleted_at


def _unknown(number: int) -> NotFound:
    return NotFound(f"No Experiment with id={number} exists", next_command="mlwright runs")


def _mark(tx: Connection, number: int, at: datetime, *, deleted_at: int | None) -> None:
    tx.execute(
        update(experiments)
        .where(experiments.c.id == number)
        .values(deleted_at=deleted_at, updated_at=to_micros(at))
    )
    tx.execute(update(runs).where(runs.c.experiment == number).values(deleted_at=deleted_at))
