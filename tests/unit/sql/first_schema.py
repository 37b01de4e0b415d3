"""A database as the first release left it, with something of everything in it."""

import json
import math
import shutil
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from mlwright.adapters.sql.migrate import SHIPPED, migrate

AT = datetime(2013, 4, 1, tzinfo=UTC)
MICROS = 1_364_774_400_000_000
ENVIRONMENT = {
    "python": "3.11.7",
    "system": "Linux",
    "packages": {"numpy": "2.4.0"},
    "lock_digest": None,
    "git_commit": "abc",
    "git_branch": None,
    "git_dirty": True,
    "code_digest": "blake3:00",
    "seed": 7,
}
LOSSES = [math.inf, -math.inf, math.nan, 0.25, 5e-324, -3.5]
"""Logged with falling steps."""
POINTS = 40_000
"""More than two blocks hold."""
RUN = (
    "INSERT INTO tracking_runs (id, experiment, name, status, started_at, ended_at, actor, error, pid, host) VALUES"
    " (:id, :experiment, :name, :status, :started_at, :ended_at, :actor, :error, :pid, :host)"
)
METRIC = 'INSERT INTO tracking_metrics (run, key, step, "at", value) VALUES (:run, :key, :step, :at, :value)'


def make_first(engine, folder):
    """Run the first migration alone, and write rows as the first release wrote them."""
    scripts = folder / "first"
    scripts.mkdir()
    shutil.copy(SHIPPED / "v0001_first_tables.py", scripts)
    migrate(engine, backups=folder, at=AT, scripts=scripts)
    with engine.begin() as tx:
        for name, at in (("delay", MICROS), ("Default", MICROS + 5), ("Frühling", MICROS + 9)):
            tx.execute(
                text("INSERT INTO tracking_experiments (name, created_at) VALUES (:n, :a)"),
                {"n": name, "a": at},
            )
        runs = [
            _run("B", "delay", 2, "RUNNING"),
            _run("A", "delay", 1, "FAILED"),
            _run("C", "Default", 3, "FINISHED"),
        ]
        tx.execute(text(RUN), runs)
        _measure(tx)
        _describe(tx)
        _register(tx)


def _run(id, experiment, second, status):
    started = MICROS + second * 1_000_000 + 999
    ended = None if status == "RUNNING" else started + 1_500_500
    return {
        "id": id,
        "experiment": experiment,
        "name": f"train {id}",
        "status": status,
        "started_at": started,
        "ended_at": ended,
        "actor": "ada",
        "error": "ValueError: no" if status == "FAILED" else None,
        "pid": 100,
        "host": "here",
    }


def _measure(tx):
    steps = range(len(LOSSES) - 1, -1, -1)
    rows = [
        {
            "run": "A",
            "key": "loss",
            "step": step,
            "at": MICROS + 7,
            "value": None if math.isnan(value) else value,
        }
        for step, value in zip(steps, LOSSES, strict=True)
    ]
    rows += [
        {"run": "B", "key": "auc", "step": step, "at": MICROS + step * 1000, "value": step / 8}
        for step in range(POINTS)
    ]
    rows.append({"run": "B", "key": "nothing", "step": 0, "at": MICROS, "value": None})
    tx.execute(text(METRIC), rows)
    latest = [rows[0], rows[-2], rows[-1]]
    tx.execute(text(METRIC.replace("tracking_metrics", "tracking_latest_metrics")), latest)


def _describe(tx):
    for table, key, value in (
        ("params", "depth", "3"),
        ("params", "länge", "x" * 10_000),
        ("tags", "gate.1", "passed: ünicode"),
        ("tags", "mlflow.user", "somebody else"),
    ):
        tx.execute(
            text(f"INSERT INTO tracking_{table} (run, key, value) VALUES ('A', :key, :value)"),
            {"key": key, "value": value},
        )
    for run, contract in (("A", "flights@1"), ("B", "flights@2"), ("C", "flights@1")):
        tx.execute(
            text(
                "INSERT INTO tracking_datasets (run, name, digest, rows, contract)"
                " VALUES (:run, 'flights', 'blake3:aa', 10, :contract)"
            ),
            {"run": run, "contract": contract},
        )
    tx.execute(
        text("INSERT INTO tracking_environments (run, environment) VALUES ('A', :it)"),
        {"it": json.dumps(ENVIRONMENT)},
    )


def _register(tx):
    tx.execute(text("INSERT INTO registry_models (name, created_at, latest) VALUES ('delay', 1, 1)"))
    tx.execute(
        text(
            "INSERT INTO registry_versions (model, version, digest, run, created_at, signature, flavor)"
            " VALUES ('delay', 1, 'blake3:cc', 'A', :at, :signature, 'sklearn')"
        ),
        {"at": MICROS, "signature": '{"inputs": [], "outputs": []}'},
    )
    tx.execute(text("INSERT INTO registry_aliases (model, alias, version) VALUES ('delay', 'champion', 1)"))
    tx.execute(
        text("INSERT INTO registry_version_tags (model, version, key, value) VALUES ('delay', 1, 'a', 'b')")
    )


def seconds(count):
    return AT + timedelta(seconds=count)
