"""Experiments with ids, runs with numbers, metric histories in blocks; everything that was recorded moves over."""

import json
import math
import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BLOCK = 16_384
_AT_ONCE = 1000

_OLD = (
    "tracking_experiments",
    "tracking_runs",
    "tracking_datasets",
    "tracking_environments",
    "tracking_latest_metrics",
    "tracking_metrics",
    "tracking_params",
    "tracking_tags",
)


def upgrade() -> None:
    _set_aside()
    _experiments()
    _runs()
    _metrics()
    _texts()
    _datasets()
    _move_experiments()
    _move_runs()
    _move_texts()
    _move_datasets()
    _move_metrics()
    for name in reversed(_OLD):
        op.drop_table(f"old_{name}")


def _set_aside() -> None:
    op.drop_index("ix_tracking_runs_experiment", "tracking_runs")
    op.drop_index("ix_tracking_runs_status", "tracking_runs")
    op.drop_index("ix_tracking_metrics_run", "tracking_metrics")
    for name in _OLD:
        op.rename_table(name, f"old_{name}")
        if op.get_bind().dialect.name == "postgresql":
            # The index of the key keeps its name, which the new table is to have.
            op.execute(f"ALTER TABLE old_{name} RENAME CONSTRAINT {name}_pkey TO old_{name}_pkey")


def _experiments() -> None:
    op.create_table(
        "tracking_experiments",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("artifact_root", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tracking_experiment_tags",
        sa.Column("experiment", _NUMBER, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["experiment"], ["tracking_experiments.id"]),
        sa.PrimaryKeyConstraint("experiment", "key"),
    )


def _runs() -> None:
    op.create_table(
        "tracking_runs",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("experiment", _NUMBER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("artifact_root", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("pid", sa.BigInteger(), nullable=True),
        sa.Column("host", sa.String(), nullable=True),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["experiment"], ["tracking_experiments.id"]),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("ix_tracking_runs_experiment", "tracking_runs", ["experiment", "started_ms"])
    op.create_index("ix_tracking_runs_status", "tracking_runs", ["status"])
    op.create_table(
        "tracking_environments",
        sa.Column("run", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("environment", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["tracking_runs.number"]),
        sa.PrimaryKeyConstraint("run"),
    )


def _metrics() -> None:
    op.create_table(
        "tracking_latest_metrics",
        sa.Column("run", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("lowest", sa.Double(), nullable=True),
        sa.Column("highest", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["run"], ["tracking_runs.number"]),
        sa.PrimaryKeyConstraint("run", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tracking_latest_metrics_value", "tracking_latest_metrics", ["key", "value", "run"])
    op.create_table(
        "tracking_history",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("run", _NUMBER, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["tracking_runs.number"]),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_tracking_history_run", "tracking_history", ["run", "key", "number"])


def _texts() -> None:
    op.create_table(
        "tracking_params",
        sa.Column("run", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["tracking_runs.number"]),
        sa.PrimaryKeyConstraint("run", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_tracking_params_value", "tracking_params", ["key", sa.text("substr(value, 1, 200)"), "run"]
    )
    op.create_table(
        "tracking_tags",
        sa.Column("run", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["tracking_runs.number"]),
        sa.PrimaryKeyConstraint("run", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_tracking_tags_value", "tracking_tags", ["key", sa.text("substr(value, 1, 200)"), "run"]
    )


def _datasets() -> None:
    op.create_table(
        "tracking_datasets",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("experiment", _NUMBER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("source_type", sa.String(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=True),
        sa.Column("profile", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["experiment"], ["tracking_experiments.id"]),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("experiment", "name", "digest", name="uq_tracking_datasets_digest"),
    )
    op.create_table(
        "tracking_inputs",
        sa.Column("run", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("dataset", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["tracking_datasets.number"]),
        sa.ForeignKeyConstraint(["run"], ["tracking_runs.number"]),
        sa.PrimaryKeyConstraint("run", "dataset"),
    )
    op.create_index("ix_tracking_inputs_dataset", "tracking_inputs", ["dataset", "run"])


def _named(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *map(sa.column, columns))


_EXPERIMENTS = _named("tracking_experiments", "id", "name", "artifact_root", "created_at", "updated_at")
_NEW_RUN = (
    "number",
    "id",
    "experiment",
    "name",
    "status",
    "started_ms",
    "ended_ms",
    "actor",
    "artifact_root",
)
_RUNS = _named("tracking_runs", *_NEW_RUN, "error", "pid", "host")
_TAGS = _named("tracking_tags", "run", "key", "value")


def _move_experiments() -> None:
    tx = op.get_bind()
    old = _named("old_tracking_experiments", "name", "created_at")
    made = {
        row.name: row.created_at for row in tx.execute(sa.select(old).order_by(old.c.created_at, old.c.name))
    }
    at = (_now() - _EPOCH) // (datetime.resolution)
    # The one for runs that name none has the id 0 in every MLflow store.
    made = {"Default": made.get("Default", at), **made}
    for name, created_at in made.items():
        values = {"name": name, "created_at": created_at, "updated_at": created_at}
        if name == "Default":
            tx.execute(_EXPERIMENTS.insert().values(id=0, artifact_root="mlflow-artifacts:/0", **values))
            continue
        tx.execute(_EXPERIMENTS.insert().values(artifact_root="", **values))
        named = _EXPERIMENTS.c.name == name
        number = tx.execute(sa.select(_EXPERIMENTS.c.id).where(named)).scalar_one()
        root = f"mlflow-artifacts:/{number}"
        tx.execute(_EXPERIMENTS.update().where(named).values(artifact_root=root))


def _now() -> datetime:
    config = op.get_context().config
    at = None if config is None else config.attributes.get("at")
    return at if isinstance(at, datetime) else _EPOCH


def _move_runs() -> None:
    tx = op.get_bind()
    names = ("id", "experiment", "name", "status", "started_at", "ended_at", "actor", "error", "pid", "host")
    old, of = _named("old_tracking_runs", *names), _EXPERIMENTS
    root = sa.cast(of.c.artifact_root, sa.Text) + "/" + sa.cast(old.c.id, sa.Text) + "/artifacts"
    moved = (
        sa.select(
            *(old.c.id, of.c.id, old.c.name, old.c.status),
            *(_to_ms(old.c.started_at), _to_ms(old.c.ended_at)),
            *(old.c.actor, root, old.c.error, old.c.pid, old.c.host),
        )
        .join_from(old, of, old.c.experiment == of.c.name)
        .order_by(old.c.started_at, old.c.id)
    )
    tx.execute(_RUNS.insert().from_select([*_NEW_RUN[1:], "error", "pid", "host"], moved))
    environments = _named("old_tracking_environments", "run", "environment")
    kept = sa.select(_RUNS.c.number, environments.c.environment)
    new = _named("tracking_environments", "run", "environment")
    whole = kept.join_from(environments, _RUNS, environments.c.run == _RUNS.c.id)
    tx.execute(new.insert().from_select(["run", "environment"], whole))


def _to_ms(micros: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.cast(micros, sa.BigInteger) // 1000


def _move_texts() -> None:
    tx = op.get_bind()
    for name in ("tracking_params", "tracking_tags"):
        old, new = _named(f"old_{name}", "run", "key", "value"), _named(name, "run", "key", "value")
        moved = sa.select(_RUNS.c.number, old.c.key, old.c.value)
        whole = moved.join_from(old, _RUNS, old.c.run == _RUNS.c.id)
        tx.execute(new.insert().from_select(["run", "key", "value"], whole))
    shown = {
        "mlflow.runName": _RUNS.c.name,
        "mlflow.user": _RUNS.c.actor,
        "mlflow.source.name": _RUNS.c.name,
        "mlflow.source.type": sa.literal("LOCAL", sa.Text),
    }
    for key, value in shown.items():
        there = sa.exists().where(_TAGS.c.run == _RUNS.c.number, _TAGS.c.key == key)
        added = sa.select(_RUNS.c.number, sa.literal(key, sa.Text), value).where(~there)
        tx.execute(_TAGS.insert().from_select(["run", "key", "value"], added))


def _move_datasets() -> None:
    tx = op.get_bind()
    old = _named("old_tracking_datasets", "run", "name", "digest", "rows", "contract")
    columns = ("experiment", "name", "digest", "source_type", "source", "profile")
    new = _named("tracking_datasets", "number", *columns)
    used = sa.select(_RUNS.c.number, _RUNS.c.experiment, old.c.name, old.c.digest, old.c.rows, old.c.contract)
    rows = tx.execute(
        used.join_from(old, _RUNS, old.c.run == _RUNS.c.id).order_by(_RUNS.c.number, old.c.name, old.c.digest)
    ).all()
    known = {
        (row.experiment, row.name, row.digest): {
            "experiment": row.experiment,
            "name": row.name,
            "digest": row.digest,
            "source_type": "mlwright",
            "source": json.dumps({"contract": row.contract}),
            "profile": json.dumps({"num_rows": row.rows}),
        }
        for row in reversed(rows)
    }
    _insert(new, [known[key] for key in sorted(known)])
    numbers = {
        (row.experiment, row.name, row.digest): row.number
        for row in tx.execute(sa.select(new.c.number, new.c.experiment, new.c.name, new.c.digest))
    }
    inputs = sa.table("tracking_inputs", sa.column("run"), sa.column("dataset"), sa.column("tags", sa.JSON()))
    _insert(
        inputs,
        [
            {
                "run": row.number,
                "dataset": numbers[row.experiment, row.name, row.digest],
                "tags": {"mlwright.rows": str(row.rows), "mlwright.contract": row.contract},
            }
            for row in rows
        ],
    )


def _move_metrics() -> None:
    tx = op.get_bind()
    old = _named("old_tracking_metrics", "number", "run", "key", "step", "at", "value")
    points = (
        sa.select(_RUNS.c.number.label("of"), old.c.key, old.c.step, old.c.at, old.c.value)
        .join_from(old, _RUNS, old.c.run == _RUNS.c.id)
        .order_by(_RUNS.c.number, old.c.key, old.c.number)
        .execution_options(yield_per=10_000)
    )
    history = _named("tracking_history", "run", "key", "points", "data")
    summary = ("run", "key", "step", "at_ms", "value", "points", "lowest", "highest")
    blocks: list[dict[str, object]] = []
    latest: list[dict[str, object]] = []
    for (run, key), several in groupby(tx.execute(points), key=lambda row: (row.of, row.key)):
        rows = [(row.step, row.at, row.value) for row in several]
        latest.append({"run": run, "key": key, **_summary(rows)})
        for start in range(0, len(rows), _BLOCK):
            some = rows[start : start + _BLOCK]
            blocks.append({"run": run, "key": key, "points": len(some), "data": _pack(some)})
        if len(latest) + len(blocks) >= _AT_ONCE:
            _insert(history, blocks)
            _insert(_named("tracking_latest_metrics", *summary), latest)
            blocks, latest = [], []
    _insert(history, blocks)
    _insert(_named("tracking_latest_metrics", *summary), latest)


def _summary(rows: Sequence[tuple[int, int, float | None]]) -> dict[str, object]:
    # Of equals the last that was logged, which is the last in this order.
    step, at, value = max(reversed(rows), key=lambda row: row[:2])
    finite = [value for _, _, value in rows if value is not None and math.isfinite(value)]
    return {
        "step": step,
        "at_ms": at // 1000,
        "value": value,
        "points": len(rows),
        "lowest": min(finite, default=None),
        "highest": max(finite, default=None),
    }


def _pack(rows: Sequence[tuple[int, int, float | None]]) -> bytes:
    count = len(rows)
    steps, instants, values = zip(*rows, strict=True)
    return struct.pack(
        f"<{count}q{count}q{count}d",
        *steps,
        *(at // 1000 for at in instants),
        *(math.nan if value is None else value for value in values),
    )


def _insert(table: sa.TableClause, rows: Iterable[dict[str, object]]) -> None:
    listed = list(rows)
    for start in range(0, len(listed), _AT_ONCE):
        op.get_bind().execute(table.insert(), listed[start : start + _AT_ONCE])
