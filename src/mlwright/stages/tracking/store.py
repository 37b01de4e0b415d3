"""Experiments and runs in the database. The caller owns every transaction."""

import os
import platform
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, Table, and_, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Row

from mlwright.errors import Conflict, Fault, NotFound
from mlwright.model.ids import Digest, RunId
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.tracking import DatasetVersion, Environment, Metric, Run, RunStatus
from mlwright.stages.tracking.tables import (
    datasets,
    environments,
    experiments,
    latest_metrics,
    metrics,
    params,
    runs,
    tags,
)

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_run_id(at: datetime) -> RunId:
    """Make an id that sorts by time: a ULID (github.com/ulid/spec) of 26 letters and digits.

    48 bits hold the milliseconds since 1970; the first 10 of the 80 random bits hold the microseconds within
    them (as method 3 of RFC 9562 section 6.2 does for UUIDs), so that ids of one process sort as they were
    made.
    """
    milliseconds, micros = divmod(to_micros(at), 1000)
    number = milliseconds << 80 | micros << 70 | secrets.randbits(70)
    return RunId("".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5)))


def create_run(
    tx: Connection,
    *,
    experiment: str,
    name: str,
    at: datetime,
    actor: str,
    pid: int | None = None,
    host: str | None = None,
) -> Run:
    """Begin a run, in an experiment that is made when it is new.

    Args:
        tx: a writing transaction.
        experiment: the experiment's name.
        name: the run's name; need not be unique.
        at: the instant it started.
        actor: who or what started it.
        pid: the process that does the work; this one unless given.
        host: the machine that the process is on; this one unless given.
    """
    started = to_micros(at)
    tx.execute(_insert(tx, experiments).values(name=experiment, created_at=started).on_conflict_do_nothing())
    run = new_run_id(at)
    tx.execute(
        _insert(tx, runs).values(
            id=run,
            experiment=experiment,
            name=name,
            status=RunStatus.RUNNING.value,
            started_at=started,
            actor=actor,
            pid=os.getpid() if pid is None else pid,
            host=platform.node() if host is None else host,
        )
    )
    return Run(
        id=run,
        experiment=experiment,
        name=name,
        status=RunStatus.RUNNING,
        started=at,
        ended=None,
        actor=actor,
    )


def log_params(tx: Connection, run: RunId, values: Mapping[str, str]) -> None:
    """Record params. A param never changes: the same value again is accepted, another value is not.

    Raises:
        NotFound: there is no such run.
        Conflict: a param has another value already; none of the values was recorded.
    """
    _require(tx, run, lock=True)
    if not values:
        return
    known = select(params.c.key, params.c.value).where(params.c.run == run, params.c.key.in_(values))
    before: dict[str, str] = {row.key: row.value for row in tx.execute(known)}
    faults = [
        Fault(where=key, what=f"is {before[key]!r} already and cannot become {value!r}")
        for key, value in values.items()
        if before.get(key, value) != value
    ]
    if faults:
        raise Conflict(
            f"params of run {run} cannot change", faults=faults, next_command=f"mlwright runs {run}"
        )
    rows = [{"run": run, "key": key, "value": value} for key, value in values.items() if key not in before]
    if rows:
        tx.execute(_insert(tx, params).on_conflict_do_nothing(), rows)


def log_metrics(tx: Connection, run: RunId, values: Sequence[Metric]) -> None:
    """Append metrics to the run's history, and keep the latest of each key at hand.

    The latest is the one of the highest step, then of the latest instant, then the one logged last. NaN and
    the infinities are kept as they are.

    Raises:
        NotFound: there is no such run.
    """
    _require(tx, run)
    rows = [
        {"run": run, "key": each.key, "step": each.step, "at": to_micros(each.at), "value": each.value}
        for each in values
    ]
    if not rows:
        return
    tx.execute(_insert(tx, metrics), rows)
    last: dict[str, dict[str, object]] = {}
    for row in sorted(rows, key=lambda row: (row["step"], row["at"])):
        last[str(row["key"])] = row
    upsert = _insert(tx, latest_metrics)
    new, old = upsert.excluded, latest_metrics.c
    tx.execute(
        upsert.on_conflict_do_update(
            index_elements=["run", "key"],
            set_={"step": new.step, "at": new.at, "value": new.value},
            where=or_(new.step > old.step, and_(new.step == old.step, new.at >= old.at)),
        ),
        # In one order always, so that two writers of the same run cannot wait for each other in a ring.
        [last[key] for key in sorted(last)],
    )


def set_tags(tx: Connection, run: RunId, values: Mapping[str, str]) -> None:
    """Set tags; a tag that is there gets the new value.

    Raises:
        NotFound: there is no such run.
    """
    _require(tx, run)
    if values:
        upsert = _insert(tx, tags)
        tx.execute(
            upsert.on_conflict_do_update(
                index_elements=["run", "key"], set_={"value": upsert.excluded.value}
            ),
            [{"run": run, "key": key, "value": values[key]} for key in sorted(values)],
        )


def add_datasets(tx: Connection, run: RunId, used: Iterable[DatasetVersion]) -> None:
    """Record which data the run used; the same version again changes nothing.

    Raises:
        NotFound: there is no such run.
    """
    _require(tx, run)
    rows = [{"run": run, **asdict(each)} for each in sorted(used, key=lambda each: (each.name, each.digest))]
    if rows:
        tx.execute(_insert(tx, datasets).on_conflict_do_nothing(), rows)


def set_environment(tx: Connection, run: RunId, environment: Environment) -> None:
    """Record what the run runs on; a second call replaces the first.

    Raises:
        NotFound: there is no such run.
    """
    _require(tx, run)
    tx.execute(delete(environments).where(environments.c.run == run))
    tx.execute(_insert(tx, environments).values(run=run, environment=asdict(environment)))


def end_run(tx: Connection, run: RunId, status: RunStatus, at: datetime, error: str | None = None) -> None:
    """End a run; ending it again replaces status, instant and error.

    Raises:
        NotFound: there is no such run.
    """
    _require(tx, run)
    tx.execute(
        update(runs).where(runs.c.id == run).values(status=status.value, ended_at=to_micros(at), error=error)
    )


def get_run(tx: Connection, run: RunId) -> Run:
    """One run with everything recorded about it.

    Raises:
        NotFound: there is no such run; the error names a near one.
    """
    _require(tx, run)
    return _with_details(tx, tx.execute(select(runs).where(runs.c.id == run)).all())[0]


def list_runs(
    tx: Connection, *, experiment: str | None = None, limit: int = 100, status: RunStatus | None = None
) -> list[Run]:
    """The newest runs first, at most ``limit`` of them, with everything recorded about them."""
    query = select(runs).order_by(runs.c.started_at.desc(), runs.c.id.desc()).limit(limit)
    if experiment is not None:
        query = query.where(runs.c.experiment == experiment)
    if status is not None:
        query = query.where(runs.c.status == status.value)
    return _with_details(tx, tx.execute(query).all())


def metric_history(tx: Connection, run: RunId, key: str) -> list[Metric]:
    """Every value of one metric, by step, then instant, then the order of logging; empty when there is none.

    Raises:
        NotFound: there is no such run.
    """
    _require(tx, run)
    query = (
        select(metrics.c.step, metrics.c.at, metrics.c.value)
        .where(metrics.c.run == run, metrics.c.key == key)
        .order_by(metrics.c.step, metrics.c.at, metrics.c.number)
    )
    return [
        Metric(key=key, value=row.value, step=row.step, at=from_micros(row.at)) for row in tx.execute(query)
    ]


def mark_interrupted(
    tx: Connection, at: datetime, alive: Callable[[int], bool], host: str | None = None
) -> list[RunId]:
    """Give runs whose process is gone the status KILLED, and return them, oldest first.

    Only runs of this machine are judged: nothing is known here about the processes of another one.

    Args:
        tx: a writing transaction.
        at: the instant to record as their end.
        alive: whether a process id belongs to a living process that could be doing the run. A process that
            has just started should say False for its own id: in a container its predecessor often had it.
        host: the machine whose runs to judge; this one unless given.
    """
    query = (
        select(runs.c.id, runs.c.pid)
        .where(
            runs.c.status == RunStatus.RUNNING.value,
            runs.c.host == (platform.node() if host is None else host),
        )
        .order_by(runs.c.started_at, runs.c.id)
    )
    gone = [RunId(row.id) for row in tx.execute(query).all() if not alive(row.pid)]
    for run in gone:
        end_run(tx, run, RunStatus.KILLED, at, "the process ended without ending the run")
    return gone


def _insert(tx: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)


def _require(tx: Connection, run: RunId, *, lock: bool = False) -> None:
    query = select(runs.c.id).where(runs.c.id == run)
    if lock:
        # Writers of the same run queue here. Rows that only refer to the run do not wait (NO KEY UPDATE), and
        # SQLite has and needs no such words.
        query = query.with_for_update(key_share=True)
    if tx.execute(query).first() is None:
        recent = tx.execute(select(runs.c.id).order_by(runs.c.started_at.desc()).limit(200)).scalars()
        raise NotFound.named("run", run, recent, next_command="mlwright runs")


def _with_details(tx: Connection, found: Sequence[Row[tuple[object, ...]]]) -> list[Run]:
    ids = [row.id for row in found]

    def texts(table: Table) -> dict[str, dict[str, str]]:
        result: dict[str, dict[str, str]] = defaultdict(dict)
        for row in tx.execute(select(table).where(table.c.run.in_(ids)).order_by(table.c.key)):
            result[row.run][row.key] = row.value
        return result

    param_of, tag_of = texts(params), texts(tags)
    metric_of: dict[str, dict[str, float]] = defaultdict(dict)
    latest = select(latest_metrics).where(latest_metrics.c.run.in_(ids)).order_by(latest_metrics.c.key)
    for row in tx.execute(latest):
        metric_of[row.run][row.key] = row.value
    datasets_of: dict[str, list[DatasetVersion]] = defaultdict(list)
    used = select(datasets).where(datasets.c.run.in_(ids)).order_by(datasets.c.name, datasets.c.digest)
    for row in tx.execute(used):
        datasets_of[row.run].append(
            DatasetVersion(name=row.name, digest=Digest(row.digest), rows=row.rows, contract=row.contract)
        )
    environment_of = {
        row.run: Environment(**row.environment)
        for row in tx.execute(select(environments).where(environments.c.run.in_(ids)))
    }
    return [
        Run(
            id=RunId(row.id),
            experiment=row.experiment,
            name=row.name,
            status=RunStatus(row.status),
            started=from_micros(row.started_at),
            ended=None if row.ended_at is None else from_micros(row.ended_at),
            actor=row.actor,
            params=param_of[row.id],
            metrics=metric_of[row.id],
            tags=tag_of[row.id],
            datasets=tuple(datasets_of[row.id]),
            environment=environment_of.get(row.id),
            error=row.error,
        )
        for row in found
    ]
