"""The same stages on a real PostgreSQL server, with writers at the same time."""

import asyncio
import glob
import importlib
import json
import math
import os
import pwd
import re
import runpy
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, func, inspect, select
from sqlalchemy.exc import InternalError

import mlwright.stages
from mlwright.adapters.clock.replay import ReplayClock
from mlwright.adapters.sql.engine import open_engine, reading
from mlwright.adapters.sql.migrate import SHIPPED, current_revision, migrate
from mlwright.doors.http.mlflow.app import build_app
from mlwright.errors import DatabaseNewer, DatabaseUnavailable, StorageError, UsageError
from mlwright.model.ids import Digest, ModelName, RunId
from mlwright.model.ledger import Decision, Edge, Node
from mlwright.model.registry import Evaluation, Field, Signature
from mlwright.model.tracking import DatasetVersion, Environment, Metric, RunStatus
from mlwright.stages.ledger import store as ledger
from mlwright.stages.ledger.tables import audit
from mlwright.stages.registry import store as registry
from mlwright.stages.tracking import store as tracking
from mlwright.stages.tracking.runs import find_run
from mlwright.wiring.tracking import open_tracking

pytestmark = pytest.mark.verify
AT = datetime(2013, 4, 1, tzinfo=UTC)
DELAY = ModelName("flight-delay")
WRITERS = 6
SIGNATURE = Signature(inputs=(Field(name="hour", type="long"),), outputs=(Field(name="late", type="double"),))
NEXT = """
import sqlalchemy as sa
from alembic import op
revision = "9999"
down_revision = "{head}"
def upgrade():
    op.create_table("later", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("UPDATE ledger_marks SET value = 'changed'")
    {last}
"""


def find_program(name):
    """On PATH, or where Debian and its relatives keep the server's own programs: the newest version."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: float(path.split("/")[4]))
    return shutil.which(name) or (found[-1] if found else None)


def unprivileged():
    """PostgreSQL refuses to run as root: the arguments that make subprocess become somebody else."""
    if os.geteuid() != 0:
        return {}
    known = {each.pw_name for each in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in known else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}


@pytest.fixture(scope="session")
def server():
    """A server of our own on a free port, thrown away afterwards; the URL without the database's name."""
    initdb, pg_ctl = find_program("initdb"), find_program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("no PostgreSQL is installed: ./dev verify installs it")
    somebody = unprivileged()
    with tempfile.TemporaryDirectory(prefix="mlwright-pg-", ignore_cleanup_errors=True) as name:
        if somebody:
            os.chown(name, somebody["user"], somebody["group"])
        data, log = f"{name}/data", f"{name}/log"
        make = [initdb, "-D", data, "-U", "mlwright", "--auth=trust", "--encoding=UTF8", "--no-sync"]
        subprocess.run(make, check=True, capture_output=True, **somebody)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = f"-p {port} -h 127.0.0.1 -k {name} -F"
        start = [pg_ctl, "-D", data, "-l", log, "-o", options, "-w", "start"]
        # The server keeps what it inherits open, so its output must not be a pipe that we wait for.
        done = subprocess.run(start, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **somebody)
        assert done.returncode == 0, Path(log).read_text() if Path(log).exists() else "pg_ctl failed"
        try:
            yield f"postgresql://mlwright@127.0.0.1:{port}"
        finally:
            stop = [pg_ctl, "-D", data, "-m", "immediate", "-w", "stop"]
            subprocess.run(stop, check=True, capture_output=True, **somebody)


@pytest.fixture
def url(server, request):
    """A database of its own for each test."""
    name = f"t{abs(hash(request.node.nodeid))}"
    admin = create_engine(
        f"{server.replace('postgresql:', 'postgresql+psycopg:')}/postgres", isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    admin.dispose()
    return f"{server}/{name}"


@pytest.fixture
def empty(url):
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(empty, tmp_path):
    migrate(empty, backups=tmp_path, at=AT)
    return empty


def at_once(work):
    """Run the same work in several threads that start together, and gather what each returned."""
    together = threading.Barrier(WRITERS)

    def start(writer):
        together.wait()
        return work(writer)

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(start, range(WRITERS)))


def register(tx, name):
    return registry.create_version(
        tx, DELAY, Digest(f"blake3:{name}"), run=None, at=AT, signature=SIGNATURE, flavor="sklearn"
    )


def scripts_after(tmp_path, engine, last="pass"):
    scripts = tmp_path / "scripts"
    shutil.copytree(SHIPPED, scripts)
    (scripts / "v9999_next.py").write_text(NEXT.format(head=current_revision(engine), last=last))
    return scripts


def test_migrations_lead_to_the_tables_of_the_stages(engine, tmp_path):
    union = MetaData()
    for path in sorted(Path(mlwright.stages.__path__[0]).glob("*/*tables.py")):
        importlib.import_module(f"mlwright.stages.{path.parent.name}.{path.stem}")
    for path in sorted(Path(mlwright.stages.__path__[0]).glob("*/tables.py")):
        module = importlib.import_module(f"mlwright.stages.{path.parent.name}.tables")
        for table in module.metadata.tables.values():
            table.to_metadata(union)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), union) == []
    assert migrate(engine, backups=tmp_path, at=AT).changed is False


def test_a_database_of_the_first_release_comes_over_whole(empty, tmp_path):
    first = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "sql" / "first_schema.py"))
    first["make_first"](empty, tmp_path)
    migrate(empty, backups=tmp_path, at=AT)
    with empty.begin() as tx:
        a, b = (tracking.get_run(tx, RunId(each)) for each in "AB")
        assert (a.experiment, a.started, a.error) == ("delay", first["seconds"](1), "ValueError: no")
        assert a.params == {"depth": "3", "länge": "x" * 10_000}
        assert a.environment == Environment(**first["ENVIRONMENT"])
        assert [each.contract for run in (a, b) for each in run.datasets] == ["flights@1", "flights@2"]
        values = [repr(each.value) for each in tracking.metric_history(tx, RunId("A"), "loss")]
        assert values == [repr(each) for each in reversed(first["LOSSES"])]
        assert len(tracking.metric_history(tx, RunId("B"), "auc")) == first["POINTS"]
        assert registry.resolve(tx, "delay@champion").digest == "blake3:cc"
        # Numbers go on behind those that were moved.
        made = tracking.create_run(tx, experiment="new", name="n", at=AT, actor="ada")
        assert find_run(tx, made.id).number == 4
        keys = inspect(tx).get_pk_constraint("tracking_runs")["name"]
    assert keys == "tracking_runs_pkey"


def test_processes_that_start_together_migrate_once(url, tmp_path):
    def start(writer):
        engine = open_engine(url)
        changed = migrate(engine, backups=tmp_path, at=AT).changed
        engine.dispose()
        return changed

    assert sorted(at_once(start)) == [False] * (WRITERS - 1) + [True]


def test_an_upgrade_says_that_no_backup_was_taken_and_a_newer_database_is_refused(engine, tmp_path):
    report = migrate(engine, backups=tmp_path, at=AT, scripts=scripts_after(tmp_path, engine))
    assert (report.after, report.backup) == ("9999", None)
    assert "pg_dump" in report.note
    with pytest.raises(DatabaseNewer, match="9999"):
        migrate(engine, backups=tmp_path, at=AT)


def test_a_migration_that_fails_leaves_the_old_state(engine, tmp_path):
    head, tables = current_revision(engine), inspect(engine).get_table_names()
    with engine.begin() as tx:
        ledger.set_mark(tx, "watched:delay", "before")
    scripts = scripts_after(tmp_path, engine, "raise RuntimeError('no')")
    with pytest.raises(StorageError, match="undone"):
        migrate(engine, backups=tmp_path, at=AT, scripts=scripts)
    assert current_revision(engine) == head
    assert inspect(engine).get_table_names() == tables
    with engine.begin() as tx:
        assert ledger.get_mark(tx, "watched:delay") == "before"


def test_a_run_comes_back_with_everything_recorded_about_it(engine):
    environment = Environment(
        python="3.11.7",
        system="Linux",
        packages={"numpy": "2.4.0"},
        lock_digest=None,
        git_commit=None,
        git_branch=None,
        git_dirty=None,
        code_digest=Digest("blake3:00"),
        seed=7,
    )
    flights = DatasetVersion(name="flights", digest=Digest("blake3:aa"), rows=10, contract="flights@1")
    values = [1.0, math.inf, -math.inf, math.nan, 0.1, 5e-324]
    with engine.begin() as tx:
        run = tracking.create_run(tx, experiment="delay", name="train", at=AT, actor="ada").id
        tracking.log_params(tx, run, {"depth": "3"})
        measured = [Metric(key="loss", value=value, step=step, at_ms=0) for step, value in enumerate(values)]
        tracking.log_metrics(tx, run, measured[::-1])
        tracking.set_tags(tx, run, {"team": "a"})
        tracking.set_tags(tx, run, {"team": "b"})
        tracking.add_datasets(tx, run, [flights])
        tracking.add_datasets(tx, run, [flights])
        tracking.set_environment(tx, run, environment)
        tracking.end_run(tx, run, RunStatus.FINISHED, AT + timedelta(milliseconds=1))
    with reading(engine).begin() as tx:
        [found] = tracking.list_runs(tx, experiment="delay", status=RunStatus.FINISHED)
        assert found == tracking.get_run(tx, run)
        assert [repr(each.value) for each in tracking.metric_history(tx, run, "loss")] == [*map(repr, values)]
    assert (found.params, found.tags, found.metrics) == ({"depth": "3"}, {"team": "b"}, {"loss": 5e-324})
    assert (found.datasets, found.environment) == ((flights,), environment)
    assert found.ended == AT + timedelta(milliseconds=1)


def test_evidence_with_nan_is_kept(engine):
    evaluation = Evaluation(
        metrics={"auc": 0.7, "lift": math.inf}, rows=10, start=AT - timedelta(days=1), end=AT
    )
    decision = Decision(
        id="d",
        at=AT,
        kind="retrain",
        subject="s",
        outcome="o",
        reasons=("r",),
        evidence={"auc": [0.1, math.nan]},
    )
    with engine.begin() as tx:
        made = registry.create_version(
            tx,
            DELAY,
            Digest("blake3:1"),
            run=RunId("r"),
            at=AT,
            signature=SIGNATURE,
            flavor="sklearn",
            evaluation=evaluation,
            tags={"a": "1"},
        )
        ledger.add_decision(tx, decision)
        ledger.append_audit(tx, AT, "ada", "model.register", made.ref, {"lift": math.inf, "é": [1.5, None]})
    with reading(engine).begin() as tx:
        found = registry.resolve(tx, "flight-delay")
        assert (found.evaluation, found.tags) == (evaluation, {"a": "1"})
        assert ledger.list_decisions(tx)[0].evidence == {"auc": [0.1, "NaN"]}
        assert ledger.verify_chain(tx) is None


def test_writers_of_one_model_get_numbers_without_gaps(engine):
    def write(writer):
        numbers = []
        for count in range(10):
            with engine.begin() as tx:
                # Every second folder is one that all writers register.
                version = register(tx, f"shared-{count}" if count % 2 else f"{writer}-{count}").version
                registry.set_alias(tx, DELAY, "champion", version)
                numbers.append(version)
        return numbers

    given = [number for numbers in at_once(write) for number in numbers]
    with engine.begin() as tx:
        kept = [each.version for each in registry.list_versions(tx, DELAY)]
    assert sorted(set(given)) == sorted(kept) == list(range(1, WRITERS * 5 + 5 + 1))


def test_an_alias_tells_each_writer_what_the_one_before_had_set(engine):
    with engine.begin() as tx:
        for number in range(WRITERS):
            register(tx, number)

    def move(writer):
        with engine.begin() as tx:
            return registry.set_alias(tx, DELAY, "champion", writer + 1)

    before = at_once(move)
    with engine.begin() as tx:
        last = registry.resolve(tx, "flight-delay@champion").version
    # Each set value is seen once: by the next writer, or at the end.
    assert sorted([*(each or 0 for each in before), last]) == list(range(WRITERS + 1))


def test_writers_do_not_break_the_audit_chain(engine):
    def write(writer):
        for count in range(15):
            with engine.begin() as tx:
                ledger.append_audit(tx, AT, f"writer-{writer}", "count", str(count), {"n": count})

    at_once(write)
    with reading(engine).begin() as tx:
        assert ledger.verify_chain(tx) is None
        assert tx.execute(select(func.count()).select_from(audit)).scalar_one() == WRITERS * 15


def test_writers_of_one_run_neither_lose_metrics_nor_block_each_other_for_good(engine):
    with engine.begin() as tx:
        run = tracking.create_run(tx, experiment="delay", name="train", at=AT, actor="ada").id
    keys = ["auc", "brier", "loss"]

    def write(writer):
        for count in range(10):
            # Each writer has its own order of keys: rows must still be locked in one order.
            order = keys if writer % 2 else keys[::-1]
            with engine.begin() as tx:
                step = count * WRITERS + writer
                metrics = [Metric(key=key, value=float(step), step=step, at_ms=0) for key in order]
                tracking.log_metrics(tx, run, metrics)
                tracking.set_tags(tx, run, {key: str(step) for key in order})
                nodes = [Node(kind="n", id=key) for key in order]
                ledger.add_edges(tx, [Edge(effect=node, relation="of", cause=nodes[0]) for node in nodes])

    at_once(write)
    with reading(engine).begin() as tx:
        assert tracking.get_run(tx, run).metrics == dict.fromkeys(keys, WRITERS * 10 - 1.0)
        history = tracking.metric_history(tx, run, "auc")
    assert [each.step for each in history] == list(range(WRITERS * 10))


def test_of_writers_with_different_values_of_one_param_one_wins_and_the_others_are_told(engine):
    with engine.begin() as tx:
        run = tracking.create_run(tx, experiment="delay", name="train", at=AT, actor="ada").id

    def write(writer):
        try:
            with engine.begin() as tx:
                tracking.log_metrics(tx, run, [Metric(key=f"m{writer}", value=1.0, step=0, at_ms=0)])
                tracking.log_params(tx, run, {"depth": str(writer)})
        except UsageError:
            return None
        return str(writer)

    [winner] = [each for each in at_once(write) if each is not None]
    with reading(engine).begin() as tx:
        assert tracking.get_run(tx, run).params == {"depth": winner}


def test_lineage_is_walked_both_ways(engine):
    edges = [
        Edge(effect=Node(kind="n", id=effect), relation="from", cause=Node(kind="n", id=cause))
        for effect, cause in ["ba", "cb", "ac", "db"]
    ]
    with engine.begin() as tx:
        ledger.add_edges(tx, edges)
        ledger.add_edges(tx, edges)
        found = ledger.trace(tx, Node(kind="n", id="b"))
    assert set(found.causes) == {edges[0], edges[1], edges[2]}
    assert set(found.effects) == set(edges)


def test_a_reading_transaction_sees_one_snapshot_and_cannot_write(engine):
    with reading(engine).begin() as tx:
        assert registry.list_models(tx) == []
        with engine.begin() as writer:
            register(writer, 1)
        assert registry.list_models(tx) == []
    with reading(engine).begin() as tx, pytest.raises(InternalError, match="read-only"):
        ledger.set_mark(tx, "a", "b")
    with engine.begin() as tx:
        ledger.set_mark(tx, "a", "b")


def test_a_lost_connection_is_explained_and_the_next_transaction_works(engine):
    def lose():
        with engine.begin() as tx:
            me = tx.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            with engine.begin() as other:
                other.exec_driver_sql(f"SELECT pg_terminate_backend({me})")
            ledger.set_mark(tx, "a", "b")

    with pytest.raises(DatabaseUnavailable, match="cannot be used"):
        lose()
    with engine.begin() as tx:
        assert ledger.get_mark(tx, "a") is None


def test_a_database_that_does_not_exist_is_named(server):
    with pytest.raises(DatabaseUnavailable, match="nowhere"):
        open_engine(f"{server}/nowhere")


# Tracking and registry over PostgreSQL, asked through the door


@pytest.fixture
def tracked(url, tmp_path):
    """Opens the façade of tracking over the database, or over another one."""
    opened = []

    def open_it(database=url):
        state, clock = tmp_path / str(len(opened)), ReplayClock(AT)
        opened.append(
            open_tracking(database=database, artifacts=str(tmp_path / "a"), state=state, clock=clock)
        )
        return opened[-1]

    yield open_it
    for each in opened:
        each.close()


def ask(app, method, path, asked=None, query=(), body=b""):
    """One request; its status and its answer."""
    body = json.dumps(asked).encode() if asked is not None else body
    path = path if path.startswith("/") else f"/api/2.0/mlflow/{path}"
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": urlencode(query, doseq=True).encode(),
        "headers": [(b"host", b"127.0.0.1"), (b"content-length", str(len(body)).encode())],
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    text = b"".join(each.get("body", b"") for each in sent[1:])
    return sent[0]["status"], json.loads(text) if text[:1] in (b"{", b"[") else text.decode()


class Script:
    """Calls of every kind in an order that means something, and all answers."""

    def __init__(self, app) -> None:
        self.app = app
        self.told = []

    def say(self, method, path, asked=None, **given):
        self.told.append((method, path, *ask(self.app, method, path, asked, **given)))
        return self.told[-1][3]

    def post(self, path, **asked):
        return self.say("POST", path, asked)

    def play(self):
        for _ in range(2):  # the second time it is there
            self.post("experiments/create", name="delay", tags=[{"key": "team", "value": "ops"}])
        self.log()
        self.look()
        self.register()
        self.put_files()
        self.trace()
        self.post("experiments/delete", experiment_id="1")
        self.post("runs/set-tag", run_id=self.run, key="a", value="b")
        self.post("experiments/restore", experiment_id="1")
        return self.told

    def log(self):
        self.runs = []
        for number in range(6):
            tags = [
                {"key": "Größe", "value": f"ü{number}"},
                {"key": "mlflow.runName", "value": f"run {number}"},
            ]
            made = self.post(
                "runs/create", experiment_id="1", start_time=1000 + number, user_id="ada", tags=tags
            )
            self.runs.append(made["run"]["info"]["run_id"])
            points = [
                {"key": "loss", "value": value, "timestamp": at, "step": at}
                for at, value in enumerate([1.5 + number, "NaN", "Infinity", -0.0, 1 / (number + 1)])
            ]
            params = [{"key": "depth", "value": str(number)}, {"key": "Text", "value": "x" * 6_000}]
            self.post("runs/log-batch", run_id=self.runs[-1], metrics=points, params=params)
        self.run = run = self.runs[0]
        self.post("runs/log-parameter", run_id=run, key="depth", value="9")
        changed = [{"key": "new", "value": "1"}, {"key": "depth", "value": "9"}]
        self.post("runs/log-batch", run_id=run, params=changed)
        dataset = {"name": "d", "digest": "1", "source_type": "local", "source": "{}", "schema": "{}"}
        uses = [{"dataset": dataset, "tags": [{"key": "mlflow.data.context", "value": "train"}]}]
        self.post("runs/log-inputs", run_id=run, datasets=uses)
        self.post("runs/update", run_id=run, status="FINISHED", end_time=5000)
        self.post("runs/delete", run_id=self.runs[5])
        made = self.post("logged-models", experiment_id="1", name="m", source_run_id=run)
        model = made["model"]["info"]["model_id"]
        on = {"model_id": model, "dataset_name": "d", "dataset_digest": "1"}
        self.post("runs/log-metric", run_id=run, key="auc", value=0.9, timestamp=1, step=1, **on)
        self.post("runs/outputs", run_id=run, models=[{"model_id": model, "step": 3}])
        self.say("PATCH", f"logged-models/{model}", {"model_id": model, "status": "LOGGED_MODEL_READY"})
        self.post(f"logged-models/{model}/params", params=[{"key": "a", "value": "b"}])
        self.say("GET", f"logged-models/{model}")

    def look(self):
        self.say("GET", "runs/get", query={"run_id": self.run})
        asked = {"run_id": self.run, "metric_key": "loss", "max_results": 3}
        self.say("GET", "metrics/get-history", query=asked)
        self.say("GET", "metrics/get-history-bulk", query={"run_id": [self.run], "metric_key": "loss"})
        for filter, order in [
            ("metrics.loss < 0.4 AND params.depth != '5'", ["metrics.loss DESC"]),
            (
                "tags.`Größe` LIKE 'ü%' AND attributes.run_name ILIKE 'RUN%'",
                ["params.depth", "start_time DESC"],
            ),
            ("attributes.run_name LIKE 'RUN%'", []),
            ("dataset.name = 'd' AND dataset.context = 'train'", []),
            ("params.Text LIKE '%xx%' AND status = 'RUNNING'", ["attribute.status", "metrics.nothing"]),
            ('params.depth = "\' OR 1=1 --"', []),
            ("metrics.loss > 'x'", []),
            ("tags.none IS NULL AND tags.`Größe` IS NOT NULL", ["end_time"]),
        ]:
            asked = {"experiment_ids": ["1"], "filter": filter, "order_by": order, "max_results": 2}
            found = self.post("runs/search", **asked)
            while "next_page_token" in found:
                found = self.post("runs/search", **asked, page_token=found["next_page_token"])
        self.post("experiments/search", filter="name LIKE 'del%' AND tags.team = 'ops'", max_results=5)
        order = [{"field_name": "metrics.auc", "ascending": False}]
        filter = "metrics.auc > 0.5 AND params.a = 'b'"
        self.post("logged-models/search", experiment_ids=["1"], filter=filter, order_by=order)

    def register(self):
        for name in ("churn", "Ärger"):
            for _ in range(2):  # the second time it is there
                self.post("registered-models/create", name=name, description="d")
            for number in range(3):
                source = f"mlflow-artifacts:/1/{self.run}/artifacts/v{number}"
                tags = [{"key": "k", "value": str(number)}]
                self.post("model-versions/create", name=name, source=source, run_id=self.run, tags=tags)
            self.post("registered-models/alias", name=name, alias="champion", version="2")
        self.post("model-versions/transition-stage", name="churn", version="1", stage="Production")
        self.say("GET", "registered-models/alias", query={"name": "churn", "alias": "champion"})
        self.say("GET", "registered-models/get", query={"name": "Ärger"})
        asked = {"filter": "name ILIKE '%R%'", "order_by": "name DESC"}
        self.say("GET", "registered-models/search", query=asked)
        filter = f"name = 'churn' AND run_id = '{self.run}' AND tags.k != '1'"
        self.say("GET", "model-versions/search", query={"filter": filter})
        self.post("registered-models/rename", name="churn", new_name="churned")
        self.say("DELETE", "model-versions/delete", {"name": "churned", "version": "3"})
        self.say("DELETE", "registered-models/delete", {"name": "Ärger"})

    def put_files(self):
        files = f"/api/2.0/mlflow-artifacts/artifacts/1/{self.run}/artifacts"
        for name in ("model/MLmodel", "model/data/a", "b.txt", "Z.txt"):
            self.say("PUT", f"{files}/{name}", body=name.encode())
        self.say("PUT", f"{files}/model", body=b"in the way")
        self.say("GET", "artifacts/list", query={"run_id": self.run})
        self.say("GET", "artifacts/list", query={"run_id": self.run, "path": "model"})
        self.say("GET", f"{files}/b.txt")
        self.say("DELETE", f"{files}/model/data")
        self.say("GET", f"{files}/model/data/a")

    def trace(self):
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "1"}}
        for number in range(3):
            info = {"trace_id": f"tr-{number}", "trace_location": place, "state": "OK" if number else "ERROR"}
            info |= {"request_time": f"2013-04-01T00:00:0{number}Z", "tags": {"t": str(number)}}
            self.post("/api/3.0/mlflow/traces", trace={"trace_info": info | {"execution_duration": "0.5s"}})
        filter, order = "tags.t != '1' AND trace.status = 'OK'", ["timestamp_ms DESC"]
        self.post("/api/3.0/mlflow/traces/search", locations=[place], filter=filter, order_by=order)
        said = {"assessment_name": "good", "feedback": {"value": True}}
        said |= {"create_time": "2013-04-01T00:00:00Z", "last_update_time": "2013-04-01T00:00:00Z"}
        said |= {"source": {"source_type": "HUMAN", "source_id": "ada"}}
        self.post("/api/3.0/mlflow/traces/tr-1/assessments", assessment=said)
        self.post("traces/delete-traces", experiment_id="1", request_ids=["tr-0"])
        self.say("GET", "/api/3.0/mlflow/traces/tr-1")


def alike(told):
    """Answers in which names that are made up anew each time are numbered."""
    names: dict[str, str] = {}

    def numbered(found):
        return names.setdefault(found[0], f"name-{len(names)}")

    text = re.sub(r"\b(?:[a-z]+-)?[0-9a-f]{32}\b", numbered, json.dumps(told, sort_keys=True))
    return json.loads(re.sub(r'"next_page_token": "[^"]*"', '"next_page_token": ""', text))


def test_every_call_answers_as_over_sqlite(tracked, tmp_path):
    answers = []
    for opened in (tracked(), tracked(f"sqlite:///{tmp_path / 'other.db'}")):
        app = build_app(opened)
        answers.append(alike(Script(app).play()))
        app.close()
        with opened.book.read() as tx:
            assert ledger.verify_chain(tx) is None
    for here, there in zip(*answers, strict=True):
        assert here == there
    statuses = [status for _, _, status, _ in answers[0]]
    assert set(statuses) == {200, 400, 404}
    assert statuses.count(200) > 70


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ufffe", "x" * 6_001, "٣", "';--"])
def test_texts_that_postgresql_cannot_keep_are_refused(tracked, text):
    app = build_app(tracked())
    try:
        run = ask(app, "POST", "runs/create", {"experiment_id": "0"})[1]["run"]["info"]["run_id"]
        ask(app, "POST", "registered-models/create", {"name": "m"})
        pair = [{"key": "k", "value": text}]
        for path, asked in [
            ("runs/set-tag", {"run_id": run, "key": "k", "value": text}),
            ("runs/set-tag", {"run_id": text, "key": "k", "value": "v"}),
            ("runs/log-batch", {"run_id": run, "params": pair, "tags": pair}),
            ("runs/create", {"experiment_id": "0", "user_id": text, "tags": pair}),
            ("experiments/create", {"name": text}),
            ("logged-models", {"experiment_id": "0", "name": "m", "model_type": text, "params": pair}),
            ("registered-models/set-tag", {"name": "m", "key": "k", "value": text}),
            ("model-versions/create", {"name": "m", "source": "s3://b", "description": text}),
            ("runs/search", {"experiment_ids": ["0"], "filter": f"params.k = '{text}'"}),
        ]:
            status, said = ask(app, "POST", path, asked)
            assert status in (200, 400, 404), (path, said)
            assert "INSERT" not in str(said)
        assert ask(app, "GET", "runs/get", query={"run_id": run})[0] == 200
    finally:
        app.close()


def test_groups_that_wait_for_each_other_in_a_ring_are_all_committed(tracked):
    one, other = tracked(), tracked()
    runs = [one.runs.create("0").id for _ in range(2)]
    meet, held = threading.Barrier(2), threading.Event()

    def log(opened, run, step):
        metric = Metric(key="m", value=float(step), step=step, at_ms=0)
        return lambda: opened.metrics.log_batch(run, metrics=[metric], tags=[("t", str(step))])

    def wait():
        meet.wait(20)  # both hold the first run of theirs by now

    def group(opened, first, second, step):
        opened.book.submit(lambda: held.wait(20))  # what comes behind it is one group
        jobs = [log(opened, first, step), wait, log(opened, second, step + 1), log(opened, first, step + 2)]
        return [opened.book.submit(each) for each in jobs]

    futures = group(one, runs[0], runs[1], 0) + group(other, runs[1], runs[0], 10)
    held.set()
    for each in futures:
        each.result(60)
    for opened in (one, other):
        steps = [sorted(int(step) for step in opened.metrics.history(run, "m").steps) for run in runs]
        assert steps == [[0, 2, 11], [1, 10, 12]]


def test_two_servers_share_a_database_and_lose_nothing_when_one_is_killed(url, tmp_path):
    own = runpy.run_path(str(Path(__file__).parents[1] / "e2e" / "tracking_server.py"))
    options = ["--database", url, "--artifacts", str(tmp_path / "artifacts")]
    folders = [tmp_path / "one", tmp_path / "other"]
    servers = []
    for each in folders:
        each.mkdir()
        servers.append(own["start"](each, *options))
    ports = [each.port for each in servers]
    writers = [own["Writer"](ports[each % 2], f"w{each}", tmp_path / f"ledger-{each}") for each in range(6)]
    try:
        for each in writers:
            each.begin()
        threads = [threading.Thread(target=each.write) for each in writers]
        for each in threads:
            each.start()
        time.sleep(2)
        own["stop"](servers[0])
        servers[0] = own["start"](folders[0], *options, port=ports[0])
        time.sleep(1)
        for each in writers:
            each.stop.set()
        for each in threads:
            each.join(60)
        assert [each.check() > 20 for each in writers] == [True] * 6
        assert [each.refused for each in writers] == [[]] * 6
        assert [each.lost for each in writers[1::2]] == [0] * 3
        assert "Traceback" not in servers[0].said + servers[1].said
    finally:
        for each in writers:
            each.stop.set()
        for each in servers:
            own["stop"](each)
    engine = open_engine(url)
    with reading(engine).begin() as tx:
        assert ledger.verify_chain(tx) is None
    engine.dispose()


def test_the_password_of_the_database_is_told_to_nobody(server):
    with pytest.raises(DatabaseUnavailable) as raised:
        open_engine(f"{server.replace('mlwright@', 'mlwright:hunter2@')}/nowhere")
    assert "hunter2" not in str(raised.value)
