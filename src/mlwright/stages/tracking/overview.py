"""What pages show and no call of the protocol asks for: how many runs, which keys they use."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Table, func, select

from mlwright.stages.tracking.tables import latest_metrics, params, runs, tags

_THEIRS = "mlflow."


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCount:
    """How many runs of an experiment are there, how many of them deleted, and when the latest began."""

    active: int = 0
    deleted: int = 0
    latest_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysInUse:
    """Keys of metrics, params and tags that runs have; the most used first, then by name."""

    metrics: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def count_runs(tx: Connection, experiments: Sequence[int]) -> dict[int, RunCount]:
    """The runs of each experiment, counted."""
    query = (
        select(
            runs.c.experiment,
            func.count().label("all"),
            func.count(runs.c.deleted_at).label("deleted"),
            func.max(runs.c.started_ms).label("latest"),
        )
        .where(runs.c.experiment.in_(experiments))
        .group_by(runs.c.experiment)
    )
    found = dict.fromkeys(experiments, RunCount())
    for experiment, total, deleted, latest in tx.execute(query):
        found[experiment] = RunCount(active=total - deleted, deleted=deleted, latest_ms=latest)
    return found


def keys_in_use(tx: Connection, experiment: int, most: int) -> KeysInUse:
    """The keys that the latest runs of an experiment have: looking at all of them would take as long as a search.

    Args:
        tx: a transaction.
        experiment: its number.
        most: how many of the latest runs are looked at.
    """
    latest = (
        select(runs.c.number)
        .where(runs.c.experiment == experiment)
        .order_by(runs.c.started_ms.desc())
        .limit(most)
    )
    numbers = list(tx.execute(latest).scalars())

    def keys(table: Table) -> tuple[str, ...]:
        query = (
            select(table.c.key)
            .where(table.c.run.in_(numbers))
            .group_by(table.c.key)
            .order_by(func.count().desc(), table.c.key)
        )
        return tuple(tx.execute(query).scalars())

    own = tuple(each for each in keys(tags) if not each.startswith(_THEIRS))
    return KeysInUse(metrics=keys(latest_metrics), params=keys(params), tags=own)
