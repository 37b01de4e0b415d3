"""The exam of foreign stores, sat by the readers of MLflow: a folder, a database, a server."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from mlwright.adapters.mlflow.moving import open_mlflow_store
from mlwright.adapters.mlflow.rest import MlflowRest
from mlwright.adapters.mlflow.sink_folder import MlflowFolderSink
from mlwright.adapters.mlflow.sink_server import MlflowServerSink
from mlwright.adapters.mlflow.store_server import MlflowServerStore
from mlwright.model.moving import ForeignExperiment, ForeignRun
from mlwright.model.tracking import RunStatus
from mlwright.ports.foreign_store import ForeignStore
from mlwright.ports.run_sink import RunSink
from mlwright.testing.conformance.foreign_stores import LOSS, ForeignStoreConformance
from mlwright.testing.fakes.foreign_store import history

FIRST = ForeignRun(
    id="b" * 32,
    experiment="churn",
    name="first",
    status=RunStatus.FINISHED,
    started_ms=1000,
    ended_ms=2000,
    params={"depth": "3"},
)
SECOND = replace(
    FIRST,
    id="a" * 32,
    params={"depth": "4"},
    parent=FIRST.id,
    tags={"mlflow.parentRunId": FIRST.id},
    started_ms=900,
)


def fill(sink: RunSink) -> None:
    """Two runs, the child begun before its parent."""
    experiment = ForeignExperiment(name="churn")
    for run in (FIRST, SECOND):
        sink.begin(run, experiment)
        sink.log(run.id, history("loss", LOSS if run is FIRST else [1.0]))
        sink.put_file(run.id, "a/note.txt", 5, lambda: BytesIO(b"hello"))
        sink.end(run)


class TestMlflowFolder(ForeignStoreConformance):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        fill(MlflowFolderSink(tmp_path / "mlruns"))
        return tmp_path

    @pytest.fixture
    def store(self, place: Path) -> ForeignStore:
        return open_mlflow_store("mlruns", {}, start=place)

    @pytest.fixture
    def again(self, place: Path) -> ForeignStore:
        return open_mlflow_store("mlruns", {}, start=place)

    @pytest.fixture
    def damaged(self, place: Path) -> ForeignStore:
        (place / "mlruns" / "1" / FIRST.id / "meta.yaml").write_text("run_id: [")
        return open_mlflow_store("mlruns", {}, start=place)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> ForeignStore:
        return Late(lambda: open_mlflow_store("none", {}, start=tmp_path))


class Late:
    """A store that refuses when it is opened, which here is when it is first asked."""

    def __init__(self, opens: Callable[[], ForeignStore]) -> None:
        self._opens = opens

    def about(self) -> object:
        return self._opens().about()

    def runs(self) -> object:
        return self._opens().runs()


class TestMlflowServer(ForeignStoreConformance):
    """A server that is our own, in this process."""

    @pytest.fixture
    def rest(self, wire: httpx.BaseTransport) -> Iterator[MlflowRest]:
        made = MlflowRest("http://127.0.0.1:8500", {}, transport=wire)
        fill(MlflowServerSink(made))
        yield made
        made.close()

    @pytest.fixture
    def store(self, rest: MlflowRest) -> ForeignStore:
        return MlflowServerStore(rest)

    @pytest.fixture
    def again(self, rest: MlflowRest) -> ForeignStore:
        return MlflowServerStore(rest)

    @pytest.fixture
    def damaged(self, rest: MlflowRest) -> ForeignStore:
        """A server does not show damage; but it may refuse a call, here that for files."""

        def handle(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("artifacts/list"):
                return httpx.Response(500, json={"error_code": "INTERNAL_ERROR", "message": "no"})
            return rest._http._transport.handle_request(request)

        transport = httpx.MockTransport(handle)
        return MlflowServerStore(MlflowRest("http://127.0.0.1:8500", {}, transport=transport))

    @pytest.fixture
    def broken(self) -> ForeignStore:
        def refuse(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("nobody", request=request)

        return MlflowServerStore(
            MlflowRest("http://h", {}, transport=httpx.MockTransport(refuse), sleep=lambda _: None)
        )


SCHEMA = """
    CREATE TABLE experiments (experiment_id INTEGER, name TEXT, lifecycle_stage TEXT);
    CREATE TABLE runs (run_uuid TEXT, name TEXT, user_id TEXT, status TEXT, start_time BIGINT, end_time BIGINT,
                       lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER);
    CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
    CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
    CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, step BIGINT, is_nan BOOLEAN, run_uuid TEXT);
    INSERT INTO experiments VALUES (1, 'churn', 'active');
    INSERT INTO runs VALUES ('b', 'first', 'ada', 'FINISHED', 5, 6, 'active', 'artifacts/b', 1),
                            ('a', 'child', 'ada', 'FINISHED', 1, 2, 'active', 'artifacts/a', 1);
    INSERT INTO params VALUES ('depth', '3', 'b'), ('depth', '4', 'a');
    INSERT INTO tags VALUES ('mlflow.parentRunId', 'b', 'a');
    INSERT INTO metrics VALUES ('loss', 0, 7, 2, 1, 'b'), ('loss', 1.0, 5, 0, 0, 'b'), ('loss', 0.5, 6, 1, 0, 'b');
"""


class TestMlflowDatabase(ForeignStoreConformance):
    """What ``tests/verify`` reads is a real one."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        database = sqlite3.connect(tmp_path / "mlflow.db")
        database.executescript(SCHEMA)
        database.close()
        (tmp_path / "artifacts" / "b").mkdir(parents=True)
        (tmp_path / "artifacts" / "b" / "note.txt").write_text("hello")
        return tmp_path

    @pytest.fixture
    def store(self, place: Path) -> ForeignStore:
        return open_mlflow_store("sqlite:///mlflow.db", {}, start=place)

    @pytest.fixture
    def again(self, place: Path) -> ForeignStore:
        return open_mlflow_store("mlflow.db", {}, start=place)

    @pytest.fixture
    def damaged(self, place: Path) -> ForeignStore:
        (place / "artifacts" / "b" / "link").symlink_to("/etc/hosts")
        return open_mlflow_store("mlflow.db", {}, start=place)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> ForeignStore:
        return Late(lambda: open_mlflow_store("none.db", {}, start=tmp_path))
