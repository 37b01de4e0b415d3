"""Runs of our own pipelines: the words of the platform over the tables of every run. The caller owns transactions."""

import json
import os
import platform
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, select, update

from mlwright.model.ids import Digest, RunId
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.tracking import (
    Dataset,
    DatasetInput,
    DatasetVersion,
    Environment,
    Metric,
    Run,
    RunRecord,
    RunStatus,
)
from mlwright.stages.tracking.experiments import ensure_experiment, insert
from mlwright.stages.tracking.history import append_metrics, read_history
from mlwright.stages.tracking.inputs import add_inputs
from mlwright.stages.tracking.records import read_records
from mlwright.stages.tracking.runs import add_run, find_run, write_params, write_tags
from mlwright.stages.tracking.tables import environments, experiments, runs

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 31, tzinfo=UTC)

_ROWS: Final = "mlwright.rows"
_CONTRACT: Final = "mlwright.contract"
_THEIRS: Final = "mlflow."
"""Tags that clients of the MLflow protocol keep for themselves begin so; their pages hide them, and so do ours."""


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
        at: the instant it started; kept to the millisecond.
        actor: who or what started it.
        pid: the process that does the work; this one unless given.
        host: the machine that the process is on; this one unless given.
    """
    run = new_run_id(at)
    started_ms = to_micros(at) // 1000
    add_run(
        tx,
        run,
        experiment=ensure_experiment(tx, experiment, at),
        name=name,
        started_ms=started_ms,
        actor=actor,
        # What the pages of MLflow show beside a run.
        values={"mlflow.user": actor, "mlflow.source.name": name, "mlflow.source.type": "LOCAL"},
        pid=os.getpid() if pid is None else pid,
        host=platform.node() if host is None else host,
    )
    return Run(
        id=run,
        experiment=experiment,
        name=name,
        status=RunStatus.RUNNING,
        started=from_micros(started_ms * 1000),
        ended=None,
        actor=actor,
    )


def log_params(tx: Connection, run: RunId, values: Mapping[str, str]) -> None:
    """Record params. A param never changes: the same value again is accepted, another value is not.

    Raises:
        NotFound: there is no such run.
        UsageError: a param has another value already; none of the values was recorded.
    """
    write_params(tx, find_run(tx, run).number, values)


def log_metrics(tx: Connection, run: RunId, values: Sequence[Metric]) -> None:
    """Append metrics to the run's history, and keep the latest of each key at hand.

    The latest is the one of the highest step, then of the latest instant, then the one logged last. NaN and
    the infinities are kept as they are.

    Raises:
        NotFound: there is no such run.
    """
    append_metrics(tx, find_run(tx, run).number, values)


def set_tags(tx: Connection, run: RunId, values: Mapping[str, str]) -> None:
    """Set tags; a tag that is there gets the new value.

    Raises:
        NotFound: there is no such run.
    """
    write_tags(tx, find_run(tx, run).number, values)


def add_datasets(tx: Connection, run: RunId, used: Iterable[DatasetVersion]) -> None:
    """Record which data the run used; the same version again changes nothing.

    Raises:
        NotFound: there is no such run.
    """
    add_inputs(tx, find_run(tx, run), [_to_input(each) for each in used])


def set_environment(tx: Connection, run: RunId, environment: Environment) -> None:
    """Record what the run runs on; a second call replaces the first.

    Raises:
        NotFound: there is no such run.
    """
    upsert = insert(tx, environments).values(run=find_run(tx, run).number, environment=asdict(environment))
    tx.execute(
        upsert.on_conflict_do_update(
            index_elements=["run"], set_={"environment": upsert.excluded.environment}
        )
    )


def end_run(tx: Connection, run: RunId, status: RunStatus, at: datetime, error: str | None = None) -> None:
    """End a run; ending it again replaces status, instant and error.

    Raises:
        NotFound: there is no such run.
    """
    found = update(runs).where(runs.c.number == find_run(tx, run).number)
    tx.execute(found.values(status=status.value, ended_ms=to_micros(at) // 1000, error=error))


def get_run(tx: Connection, run: RunId) -> Run:
    """One run with everything recorded about it.

    Raises:
        NotFound: there is no such run; the error names a near one.
    """
    return _read(tx, [find_run(tx, run).number])[0]


def list_runs(
    tx: Connection, *, experiment: str | None = None, limit: int = 100, status: RunStatus | None = None
) -> list[Run]:
    """The newest runs first, at most ``limit`` of them, without those that were deleted."""
    query = (
        select(runs.c.number)
        .where(runs.c.deleted_at.is_(None))
        .order_by(runs.c.started_ms.desc(), runs.c.number.desc())
        .limit(limit)
    )
    if experiment is not None:
        named = select(experiments.c.id).where(experiments.c.name == experiment)
        query = query.where(runs.c.experiment == named.scalar_subquery())
    if status is not None:
        query = query.where(runs.c.status == status.value)
    return _read(tx, tx.execute(query).scalars().all())


def metric_history(tx: Connection, run: RunId, key: str) -> list[Metric]:
    """Every value of one metric, by step, then instant, then the order of logging; empty when there is none.

    Raises:
        NotFound: there is no such run.
    """
    found = read_history(tx, find_run(tx, run).number, key)
    points = zip(found.steps.tolist(), found.at_ms.tolist(), found.values.tolist(), strict=True)
    return [Metric(key=key, value=value, step=step, at_ms=at_ms) for step, at_ms, value in points]


def mark_interrupted(
    tx: Connection, at: datetime, alive: Callable[[int], bool], host: str | None = None
) -> list[RunId]:
    """Give runs whose process is gone the status KILLED, and return them, oldest first.

    Only runs of this machine are judged: nothing is known here about the processes of another one. Runs of
    clients have no process that is known here, and are never touched.

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
            runs.c.pid.is_not(None),
            runs.c.host == (platform.node() if host is None else host),
        )
        .order_by(runs.c.started_ms, runs.c.number)
    )
    gone = [RunId(row.id) for row in tx.execute(query).all() if not alive(row.pid)]
    for run in gone:
        end_run(tx, run, RunStatus.KILLED, at, "the process ended without ending the run")
    return gone


def _read(tx: Connection, numbers: Sequence[int]) -> list[Run]:
    found = read_records(tx, numbers)
    more = (
        select(runs.c.id, runs.c.error, experiments.c.name, environments.c.environment)
        .join_from(runs, experiments, runs.c.experiment == experiments.c.id)
        .outerjoin(environments, environments.c.run == runs.c.number)
        .where(runs.c.number.in_(numbers))
    )
    of = {row.id: row for row in tx.execute(more)}
    return [_to_run(each, of[each.id].name, of[each.id].environment, of[each.id].error) for each in found]


def _to_run(
    record: RunRecord, experiment: str, environment: dict[str, object] | None, error: str | None
) -> Run:
    return Run(
        id=record.id,
        experiment=experiment,
        name=record.name,
        status=record.status,
        started=_instant(record.started_ms),
        ended=None if record.ended_ms is None else _instant(record.ended_ms),
        actor=record.actor,
        params=record.params,
        metrics={each.key: each.value for each in record.metrics},
        tags={key: value for key, value in record.tags.items() if not key.startswith(_THEIRS)},
        datasets=tuple(sorted(map(_to_version, record.inputs), key=lambda each: (each.name, each.digest))),
        environment=None if environment is None else Environment(**environment),  # type: ignore[arg-type]
        error=error,
    )


def _instant(milliseconds: int) -> datetime:
    """The instant, or the first or last one that there is: a client may have counted in another unit."""
    try:
        return from_micros(milliseconds * 1000)
    except OverflowError:
        return _LAST if milliseconds > 0 else _FIRST


def _to_input(used: DatasetVersion) -> DatasetInput:
    return DatasetInput(
        dataset=Dataset(
            name=used.name,
            digest=used.digest,
            source_type="mlwright",
            source=json.dumps({"contract": used.contract}),
            profile=json.dumps({"num_rows": used.rows}),
        ),
        tags={_ROWS: str(used.rows), _CONTRACT: used.contract},
    )


def _to_version(used: DatasetInput) -> DatasetVersion:
    rows = used.tags.get(_ROWS, "")
    return DatasetVersion(
        name=used.dataset.name,
        digest=Digest(used.dataset.digest),
        rows=int(rows) if rows.isdecimal() else _rows_in(used.dataset.profile),
        contract=used.tags.get(_CONTRACT, ""),
    )


def _rows_in(profile: str | None) -> int:
    """How many rows a client said that its data set has; 0 where it did not say."""
    try:
        said = json.loads(profile or "{}")
    except (ValueError, RecursionError):
        return 0
    rows = said.get("num_rows") if isinstance(said, dict) else None
    return rows if isinstance(rows, int) else 0
