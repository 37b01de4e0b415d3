"""From ours to MLflow's folder layout, its database and a server, and back: what comes out is what went in."""

import hashlib
import math
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlwright.adapters.mlflow.moving import open_mlflow_store
from mlwright.adapters.mlflow.order import parents_first
from mlwright.adapters.mlflow.places import logged_model_in, path_in_run
from mlwright.adapters.mlflow.sink_folder import MlflowFolderSink
from mlwright.errors import Conflict, DataError, MissingExtra, NotFound, ServerUnavailable, UsageError
from mlwright.model.ids import ModelName
from mlwright.model.registry import Field, Signature
from mlwright.model.tracking import Dataset, DatasetInput, Lifecycle, Metric, ModelOutput, RunStatus
from mlwright.stages.registry import store as registry
from mlwright.testing.fakes.run_sink import MemoryRunSink
from mlwright.wiring.moving import open_sink
from mlwright.wiring.tracking import open_tracking


@pytest.fixture
def filled(tracking) -> Any:
    """A store with everything that moves."""
    experiment = tracking.experiments.create("churn", tags={"mlflow.note.content": "why"})
    run = tracking.runs.create(experiment, name="first", actor="ada", started_ms=1000, tags={"team": "größe"})
    tracking.runs.log_params(run.id, {"depth": "3", "train/lr": "0.1"})
    points = [
        Metric(key="loss", value=value, step=step, at_ms=1000 + step)
        for step, value in enumerate((1.0, math.nan, math.inf, -math.inf, 0.25))
    ]
    tracking.metrics.log_batch(run.id, metrics=points)
    data = Dataset(name="rows", digest="d1", source_type="local", source="{}", schema="{}", profile="{}")
    tracking.runs.log_inputs(run.id, [DatasetInput(dataset=data, tags={"mlflow.data.context": "train"})])
    _, folder = tracking.artifacts.place_of_run(run.id)
    tracking.artifacts.put_bytes(f"{folder}/model/MLmodel", b"flavors: {}")
    tracking.artifacts.put_bytes(f"{folder}/größe 1.txt", b"")
    logged = tracking.logged_models.create(experiment, name="model", source_run=run.id, params={"p": "1"})
    _, place = tracking.artifacts.place_of_logged_model(logged.id)
    tracking.artifacts.put_bytes(f"{place}/MLmodel", b"flavors: {}")
    tracking.runs.log_outputs(run.id, [ModelOutput(model=logged.id, step=4)])
    inner = tracking.runs.create(experiment, name="inner", tags={"mlflow.parentRunId": run.id})
    tracking.runs.update(run.id, status=RunStatus.FINISHED, ended_ms=2000)
    tracking.runs.delete(inner.id)
    tracking.models.create("churn", description="who leaves", tags={"owner": "ada"})
    tracking.versions.register("churn", f"runs:/{run.id}/model", run=run.id, description="first")
    tracking.versions.register("churn", f"models:/{logged.id}", logged_model=logged.id)
    tracking.models.set_alias("churn", "champion", 2)
    return tracking


@pytest.fixture
def other(tmp_path: Path, empty_database: Path) -> Iterator[Any]:
    (tmp_path / "other").mkdir()
    shutil.copy(empty_database, tmp_path / "other" / "db")
    with open_tracking(
        database=f"sqlite:///{tmp_path / 'other' / 'db'}",
        artifacts=str(tmp_path / "other" / "artifacts"),
        state=tmp_path / "other",
    ) as opened:
        yield opened


def told(tracking) -> dict[str, Any]:
    """Everything that a client could see, without what a move adds."""

    def plain(tags):
        return {key: value for key, value in tags.items() if not key.startswith("mlwright.")}

    found: dict[str, Any] = {}
    for run in tracking.leaving._store.runs():
        files = tracking.leaving._store.files(run.id)
        found[run.id] = (
            run.experiment,
            run.name,
            run.status,
            run.started_ms,
            run.ended_ms,
            run.actor,
            run.params,
            plain(run.tags),
            run.inputs,
            run.outputs,
            run.parent,
            run.deleted,
            [
                (each.key, each.steps.tolist(), each.at_ms.tolist(), list(map(str, each.values.tolist())))
                for each in tracking.leaving._store.histories(run.id)
            ],
            [(each.path, digest(tracking, run.id, each.path)) for each in files],
        )
    for logged in tracking.leaving._store.logged_models():
        files = tracking.leaving._store.files(logged.id)
        found[logged.id] = (
            logged.name,
            logged.source_run,
            logged.status,
            logged.params,
            plain(logged.tags),
            [(each.path, digest(tracking, logged.id, each.path)) for each in files],
        )
    for model in tracking.leaving._store.models():
        found[model.name] = (
            model.description,
            model.tags,
            model.aliases,
            [
                (each.version, each.run, each.path, each.logged_model, each.description, plain(each.tags))
                for each in model.versions
            ],
        )
    return found


def digest(tracking, owner: str, path: str) -> str:
    with tracking.leaving._store.open(owner, path) as file:
        return hashlib.sha256(file.read()).hexdigest()


def test_through_a_folder_nothing_changes(filled, other, tmp_path) -> None:
    folder = tmp_path / "mlruns"
    for expected in ((5, 3), (0, 0)):
        report = filled.leaving.carry(MlflowFolderSink(folder), tool="mlflow", target="mlruns")
        assert (report.count("points"), report.count("artifacts")) == expected
        assert report.left_out == ()
    store = open_mlflow_store(str(folder), {}, start=tmp_path)
    carried = other.moving.carry(store)
    assert [each for each in carried.left_out if each.what != "a folder"] == []
    assert told(other) == told(filled)
    assert other.experiments.get_by_name("churn").tags["mlflow.note.content"] == "why"


def test_a_deleted_run_comes_back_deleted(filled, other, tmp_path) -> None:
    filled.leaving.carry(MlflowFolderSink(tmp_path / "m"), tool="mlflow", target="m")
    other.moving.carry(open_mlflow_store("m", {}, start=tmp_path))
    states = {each.name: each.deleted for each in other.leaving._store.runs()}
    assert states == {"first": False, "inner": True}
    assert other.experiments.get_by_name("churn").lifecycle is Lifecycle.ACTIVE


def test_the_memory_sink_gets_everything(filled) -> None:
    sink = MemoryRunSink()
    seen = []
    report = filled.leaving.carry(sink, tool="memory", target="memory", on_progress=seen.append)
    assert (report.count("runs"), report.count("points"), report.count("artifacts")) == (2, 5, 3)
    assert (len(sink.ended), len(sink.logged_models), sink.models["churn"].aliases) == (2, 1, {"champion": 2})
    assert seen[-1].runs == seen[-1].of == 2
    again = filled.leaving.carry(sink, tool="memory", target="memory")
    assert (again.count("points"), again.count("artifacts"), again.count("model versions")) == (0, 0, 0)


def test_only_some_experiments_leave(filled) -> None:
    other = filled.experiments.create("other")
    filled.runs.create(other)
    sink = MemoryRunSink()
    filled.leaving.carry(sink, tool="memory", target="memory", experiments=["other"])
    assert [run.experiment for run in sink.runs.values()] == ["other"]
    assert sink.models == {}
    with pytest.raises(NotFound, match="did you mean 'other'"):
        filled.leaving.carry(sink, tool="memory", target="memory", experiments=["othr"])


def test_a_model_of_our_own_pipeline_takes_its_folder_along(filled, tmp_path) -> None:
    """A version that a pipeline stored has no place among the artifacts of its run."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "MLmodel").write_bytes(b"ours")
    stored = filled.book.artifacts.put_folder(folder)
    signature = Signature(inputs=(Field(name="x", type="double"),), outputs=(Field(name="y", type="double"),))
    with filled.book.write() as tx:
        registry.create_version(
            tx,
            ModelName("ours"),
            stored,
            run=None,
            at=datetime(2026, 1, 1, tzinfo=UTC),
            signature=signature,
            flavor="sklearn",
        )
    sink = MemoryRunSink()
    filled.leaving.carry(sink, tool="memory", target="memory")
    assert sink.files["registry/ours/1", "MLmodel"] == b"ours"


SCHEMA = """
    CREATE TABLE experiments (experiment_id INTEGER, name TEXT, lifecycle_stage TEXT);
    CREATE TABLE runs (run_uuid TEXT, name TEXT, user_id TEXT, status TEXT, start_time BIGINT, end_time BIGINT,
                       lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER);
    CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
    CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
    CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, step BIGINT, is_nan BOOLEAN, run_uuid TEXT);
    INSERT INTO experiments VALUES (0, 'Default', 'active'), (7, 'churn', 'active');
    INSERT INTO runs VALUES ('cccccccccccccccccccccccccccccccc', 'child', 'ada', 'FINISHED', 1, 2, 'active',
                             's3://no-such-bucket-of-mlwright/7/c/artifacts', 7),
                            ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'parent', 'ada', 'RUNNING', 5, NULL, 'active',
                             'mlflow-artifacts:/7/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/artifacts', 7),
                            ('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', NULL, NULL, 'FAILED', 6, 7, 'active',
                             '/elsewhere/on/a/machine/7/b/artifacts', 7);
    INSERT INTO params VALUES ('depth', '3', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
    INSERT INTO tags VALUES ('mlflow.parentRunId', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
                             'cccccccccccccccccccccccccccccccc');
    INSERT INTO metrics VALUES ('loss', 1.5, 10, 1, 0, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'),
                               ('loss', 0, 9, 0, 1, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
"""


@pytest.fixture
def old_database(tmp_path: Path) -> Path:
    """A database of a release that knew no registry, no data sets and no logged models."""
    database = sqlite3.connect(tmp_path / "mlflow.db")
    database.executescript(SCHEMA)
    database.close()
    place = tmp_path / "mlartifacts" / "7" / ("a" * 32) / "artifacts"
    place.mkdir(parents=True)
    (place / "note.txt").write_text("hello")
    (place / "link").symlink_to("/etc/hosts")
    return tmp_path / "mlflow.db"


def test_a_database_of_an_old_release(other, old_database, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = open_mlflow_store("sqlite:///mlflow.db", {}, start=tmp_path)
    report = other.moving.carry(store)
    assert report.count("runs") == 3
    assert report.count("artifacts") == 1
    left = {(each.what, each.where.split(":")[0][:1]) for each in report.left_out}
    assert left == {("artifacts", "c"), ("artifacts", "b"), ("an artifact", "a")}
    assert "cannot be read" in next(each.why for each in report.left_out if each.where.startswith("c"))
    parent = other.runs.get("a" * 32)
    assert [(each.step, str(each.value)) for each in parent.metrics] == [(1, "1.5")]
    assert other.metrics.history("a" * 32, "loss").steps.tolist() == [0, 1]
    assert other.runs.get("c" * 32).tags["mlflow.parentRunId"] == "a" * 32
    assert other.runs.get("b" * 32).name == "unnamed"


def test_the_file_is_not_written_to(other, old_database, tmp_path) -> None:
    before = old_database.read_bytes()
    other.moving.carry(open_mlflow_store("mlflow.db", {}, start=tmp_path))
    assert old_database.read_bytes() == before
    assert not list(tmp_path.glob("mlflow.db-*"))


def test_a_database_of_others(tmp_path) -> None:
    database = sqlite3.connect(tmp_path / "mlflow.db")
    database.execute("CREATE TABLE runs (id INTEGER)")
    database.close()
    with pytest.raises(ServerUnavailable, match="no table experiments"):
        open_mlflow_store("mlflow.db", {}, start=tmp_path)
    (tmp_path / "text.db").write_text("hello" * 1000)
    with pytest.raises(ServerUnavailable, match="readable database"):
        open_mlflow_store("text.db", {}, start=tmp_path)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("htp://host", "did you mean http"),
        ("sqlite:///", "names no file"),
        ("file://host/folder", "no folder of this machine"),
        ("http://[", "cannot be parsed"),
    ],
)
def test_addresses_that_are_none(source, said, tmp_path) -> None:
    with pytest.raises(UsageError, match=said):
        open_mlflow_store(source, {}, start=tmp_path)


@pytest.mark.parametrize("path", ["../../etc/hosts", "/etc/hosts", "", "a/../b", "a\0b"])
def test_no_path_leads_out_of_a_store(old_database, tmp_path, path) -> None:
    store = open_mlflow_store("mlflow.db", {}, start=tmp_path)
    with pytest.raises(DataError):
        store.open("a" * 32, path)


def test_a_folder_with_damage(other, tmp_path) -> None:
    run = tmp_path / "mlruns" / "1" / ("d" * 32)
    (run / "metrics" / "train").mkdir(parents=True)
    (tmp_path / "mlruns" / "1" / "meta.yaml").write_text("experiment_id: '1'\nname: churn\n")
    (run / "meta.yaml").write_text("run_id: x\nstart_time: 5\nstatus: 4\n")
    (run / "metrics" / "train" / "auc").write_text("5 0.5 0\nhello\n6 0.75 1\n7 1e5\n")
    bad = tmp_path / "mlruns" / "1" / ("e" * 32)
    bad.mkdir()
    (bad / "meta.yaml").write_text("a: [")
    store = open_mlflow_store("mlruns", {}, start=tmp_path)
    report = other.moving.carry(store)
    assert {each.what for each in report.left_out} == {"a folder", "points of a metric"}
    found = other.metrics.history("d" * 32, "train/auc")
    assert (found.steps.tolist(), found.values.tolist()) == ([0, 0, 1], [0.5, 1e5, 0.75])
    assert other.runs.get("d" * 32).status is RunStatus.FAILED


def test_parents_first() -> None:
    assert parents_first(["c", "b", "a"], {"c": "b", "b": "a"}) == ["a", "b", "c"]
    assert sorted(parents_first(["x", "y"], {"x": "y", "y": "x"})) == ["x", "y"]
    assert parents_first(["c"], {"c": "gone"}) == ["c"]


@pytest.mark.parametrize(
    ("run", "addresses", "path"),
    [
        ("r1", ("runs:/r1/model",), "model"),
        ("r1", ("mlflow-artifacts:/1/r1/artifacts/a/b/",), "a/b"),
        ("r1", ("s3://b/1/r1/artifacts/gr%C3%B6%C3%9Fe", None), "größe"),
        ("r1", (None, "/x/r1/artifacts/model"), "model"),
        ("r1", ("/x/r2/artifacts/model",), None),
        (None, ("runs:/r1/model",), None),
    ],
)
def test_where_a_model_lies_in_its_run(run, addresses, path) -> None:
    assert path_in_run(run, *addresses) == path


def test_which_logged_model_a_version_is_of() -> None:
    model = "m-" + "0" * 32
    assert logged_model_in(f"models:/{model}") == model
    assert logged_model_in(None, f"mlflow-artifacts:/1/models/{model}/artifacts") == model
    assert logged_model_in("models:/churn/3", "runs:/x/model") is None


def test_a_database_is_made_by_mlflow_or_not_at_all(tmp_path, monkeypatch) -> None:
    with (
        pytest.raises(DataError, match="no such Python"),
        open_sink("sqlite:///new.db", start=tmp_path, python=str(tmp_path / "python")),
    ):
        pass
    (tmp_path / "there.db").write_text("")
    with pytest.raises(Conflict, match="there already"), open_sink("sqlite:///there.db", start=tmp_path):
        pass
    monkeypatch.setattr("mlwright.adapters.mlflow.migrate.find_spec", lambda _: None)
    with pytest.raises(MissingExtra), open_sink("sqlite:///other.db", start=tmp_path):
        pass
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".mlwright-export")] == []
