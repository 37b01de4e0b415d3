"""The same stages on a real PostgreSQL server, with writers at the same time."""

import glob
import importlib
import math
import os
import pwd
import runpy
import shutil
import socket
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, func, inspect, select
from sqlalchemy.exc import InternalError

import mlwright.stages
from mlwright.adapters.sql.engine import open_engine, reading
from mlwright.adapters.sql.migrate import SHIPPED, current_revision, migrate
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
