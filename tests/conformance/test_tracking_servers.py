"""The exam of tracking servers: the fake, an MLflow server over HTTP, its SQLite file, its mlruns folder."""

import socket
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from mlwright.adapters.mlflow.opening import open_mlflow
from mlwright.model.running import RunFact, ServerFacts
from mlwright.ports.tracking_server import TrackingServer
from mlwright.testing.conformance.tracking_server import RUNS, SEEN, VERSIONS, TrackingServerConformance
from mlwright.testing.fakes.mlflow_wire import MlflowWire
from mlwright.testing.fakes.tracking_server import MemoryTrackingServer


class TestMemoryTrackingServer(TrackingServerConformance):
    @pytest.fixture
    def server(self) -> MemoryTrackingServer:
        return MemoryTrackingServer(ServerFacts(source="memory", seen=SEEN, runs=RUNS, versions=VERSIONS))

    @pytest.fixture
    def broken(self) -> MemoryTrackingServer:
        return MemoryTrackingServer(broken=True)


class TestMlflowServer(TrackingServerConformance):
    """Lists are cut after two entries, so that every list takes several pages."""

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[TrackingServer]:
        with MlflowWire(RUNS, VERSIONS, page=2) as wire:
            yield open_mlflow(wire.uri, {}, start=tmp_path)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Iterator[TrackingServer]:
        with socket.socket() as unheard:  # bound, and nobody listens
            unheard.bind(("127.0.0.1", 0))
            yield open_mlflow(f"http://127.0.0.1:{unheard.getsockname()[1]}", {}, start=tmp_path)


def ms(at: datetime | None) -> int | None:
    return None if at is None else round((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)


def tags(run: RunFact) -> dict[str, str]:
    kept = {"mlflow.source.name": run.pipeline, "mlflow.source.git.commit": run.commit}
    return {name: value for name, value in kept.items() if value}


# The columns that are read, of the tables that MLflow 3.17 makes (tests/verify reads a real one).
SCHEMA = """
    CREATE TABLE experiments (experiment_id INTEGER, name TEXT, lifecycle_stage TEXT);
    CREATE TABLE runs (run_uuid TEXT, name TEXT, status TEXT, start_time BIGINT, end_time BIGINT,
                       lifecycle_stage TEXT, experiment_id INTEGER);
    CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
    CREATE TABLE latest_metrics (key TEXT, value FLOAT, run_uuid TEXT);
    CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
    CREATE TABLE inputs (source_type TEXT, source_id TEXT, destination_type TEXT, destination_id TEXT);
    CREATE TABLE registered_models (name TEXT, description TEXT);
    CREATE TABLE model_versions (name TEXT, version INTEGER, creation_time BIGINT, run_id TEXT,
                                 current_stage TEXT, description TEXT);
    CREATE TABLE registered_model_aliases (alias TEXT, version INTEGER, name TEXT);
"""


class TestMlflowDatabase(TrackingServerConformance):
    @pytest.fixture
    def server(self, tmp_path: Path) -> TrackingServer:
        with sqlite3.connect(tmp_path / "mlflow.db") as database:
            database.executescript(SCHEMA)
            names = sorted({run.experiment for run in RUNS})
            database.executemany("INSERT INTO experiments VALUES (?, ?, 'active')", enumerate(names))
            for run in RUNS:
                row = (run.id, "", run.status, ms(run.started), ms(run.ended), names.index(run.experiment))
                database.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, 'active', ?)", row)
                keys = [(key, run.id) for key in run.params]
                database.executemany("INSERT INTO params VALUES (?, '1', ?)", keys)
                keys = [(key, run.id) for key in run.metrics]
                database.executemany("INSERT INTO latest_metrics VALUES (?, 0.5, ?)", keys)
                kept = [(key, value, run.id) for key, value in tags(run).items()]
                database.executemany("INSERT INTO tags VALUES (?, ?, ?)", kept)
                used = [(f"d{number}", run.id) for number in range(run.datasets)]
                database.executemany("INSERT INTO inputs VALUES ('DATASET', ?, 'RUN', ?)", used)
            models = [(name,) for name in sorted({each.model for each in VERSIONS})]
            database.executemany("INSERT INTO registered_models VALUES (?, NULL)", models)
            for each in VERSIONS:
                said = "what it is for" if each.described else None
                row = (each.model, int(each.version), ms(each.created), each.run or None, "None", said)
                database.execute("INSERT INTO model_versions VALUES (?, ?, ?, ?, ?, ?)", row)
                named = [(alias, int(each.version), each.model) for alias in each.aliases]
                database.executemany("INSERT INTO registered_model_aliases VALUES (?, ?, ?)", named)
        database.close()
        return open_mlflow("sqlite:///mlflow.db", {}, start=tmp_path)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> TrackingServer:
        (tmp_path / "torn.db").write_bytes(b"SQLite format 3\0 and then nothing")
        return open_mlflow("sqlite:///torn.db", {}, start=tmp_path)

    def test_a_missing_file_is_not_made(self, tmp_path: Path) -> None:
        with pytest.raises(Exception, match="no such file"):
            open_mlflow("sqlite:///gone.db", {}, start=tmp_path).facts(SEEN)
        assert not (tmp_path / "gone.db").exists()

    def test_a_view_that_never_ends_is_given_up(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setattr("mlwright.adapters.mlflow.database._PATIENCE_S", 0.1)
        with sqlite3.connect(tmp_path / "evil.db") as database:
            database.executescript(
                "CREATE TABLE experiments (experiment_id, name, lifecycle_stage);"
                "CREATE VIEW runs AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"
                " i AS run_uuid, i AS name, i AS status, i AS start_time, i AS end_time,"
                " 'active' AS lifecycle_stage, i AS experiment_id FROM n;"
                "INSERT INTO experiments VALUES (0, 'x', 'active');"
            )
        database.close()
        with pytest.raises(Exception, match="interrupted"):
            open_mlflow("sqlite:///evil.db", {}, start=tmp_path).facts(SEEN)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


class TestMlflowFolder(TrackingServerConformance):
    @pytest.fixture
    def server(self, tmp_path: Path) -> TrackingServer:
        root, names = tmp_path / "mlruns", sorted({run.experiment for run in RUNS})
        for number, name in enumerate(names):
            meta = {"experiment_id": str(number), "name": name, "lifecycle_stage": "active"}
            write(root / str(number) / "meta.yaml", yaml.safe_dump(meta))
        status = {"RUNNING": 1, "FINISHED": 3, "FAILED": 4}
        for run in RUNS:
            folder = root / str(names.index(run.experiment)) / run.id
            meta = {"run_id": run.id, "status": status[run.status], "lifecycle_stage": "active"}
            meta |= {"start_time": ms(run.started), "end_time": ms(run.ended)}
            write(folder / "meta.yaml", yaml.safe_dump(meta))
            for key in run.params:
                write(folder / "params" / key, "1")
            for key in run.metrics:
                write(folder / "metrics" / key, "0 0.5 0\n")
            for key, value in tags(run).items():
                write(folder / "tags" / key, value)
            for number in range(run.datasets):
                write(folder / "inputs" / f"i{number}" / "meta.yaml", "source_type: DATASET\n")
        for each in VERSIONS:
            model = root / "models" / each.model
            write(model / "meta.yaml", yaml.safe_dump({"name": each.model}))
            meta = {"name": each.model, "version": each.version, "creation_timestamp": ms(each.created)}
            meta |= {"run_id": each.run, "description": "what it is for" if each.described else None}
            write(model / f"version-{each.version}" / "meta.yaml", yaml.safe_dump(meta))
            for alias in each.aliases:
                write(model / "aliases" / alias, each.version)
        return open_mlflow("file:mlruns", {}, start=tmp_path)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> TrackingServer:
        (tmp_path / "empty").mkdir()
        return open_mlflow("file:empty", {}, start=tmp_path)

    def test_nothing_behind_a_link_is_read(self, server: TrackingServer, tmp_path: Path) -> None:
        before = server.facts(SEEN)
        (tmp_path / "secret").write_text("s3cret")
        run = next((tmp_path / "mlruns").glob(f"*/{RUNS[0].id}"))
        (run / "tags" / "mlflow.source.name").unlink()
        (run / "tags" / "mlflow.source.name").symlink_to(tmp_path / "secret")
        (run / "params" / "loop").symlink_to(tmp_path / "mlruns")
        after = server.facts(SEEN)
        assert "s3cret" not in repr(after)
        assert [each.params for each in after.runs] == [each.params for each in before.runs]
