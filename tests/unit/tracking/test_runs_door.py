"""Experiments and runs over the wire: what a client of the MLflow protocol sends and reads back."""

import json
import math
import shutil
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from mlwright.adapters.sql.engine import open_engine
from mlwright.adapters.sql.migrate import migrate
from mlwright.doors.http.mlflow.call import Asked
from mlwright.doors.http.mlflow.experiments import CALLS as EXPERIMENTS
from mlwright.doors.http.mlflow.runs import CALLS as RUNS
from mlwright.errors import AlreadyExists, BadRequest, Conflict, NotFound, UsageError
from mlwright.model.ids import RunId
from mlwright.model.tracking import Metric
from mlwright.platform.tracking.book import Book
from mlwright.platform.tracking.facade import TrackingPlatform
from mlwright.stages.ledger import store as ledger
from mlwright.stages.tracking import tables
from mlwright.stages.tracking.history import append_metrics
from mlwright.stages.tracking.runs import find_run
from mlwright.testing.fakes.artifacts import MemoryArtifactStore
from mlwright.testing.fakes.clock import ManualClock

NOW_MS = 1_356_998_400_000
CALLS = {each.path.removeprefix("2.0/mlflow/"): each for each in (*EXPERIMENTS, *RUNS)}


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A database without runs; making one waits for the disk often."""
    file = tmp_path_factory.mktemp("empty") / "a.db"
    engine = open_engine(f"sqlite:///{file}")
    migrate(engine, backups=file.parent, at=ManualClock().now())
    engine.dispose()
    return file


@pytest.fixture
def tracking(tmp_path, empty):
    clock = ManualClock()
    engine = open_engine(f"sqlite:///{shutil.copy(empty, tmp_path)}")
    platform = TrackingPlatform(
        Book(engine=engine, artifacts=MemoryArtifactStore(), clock=clock, state=tmp_path)
    )
    yield platform
    platform.close()


@pytest.fixture
def ask(tracking):
    def ask(name, /, **given):
        call = CALLS[name]
        if call.method == "GET":
            assert not call.writes
            asked = Asked(query={key: [value] for key, value in given.items()})
            return call.handler(tracking, asked)
        assert call.writes
        asked = Asked(body=json.dumps(given).encode())
        return tracking.book.submit(lambda: call.handler(tracking, asked)).result()

    return ask


@pytest.fixture
def run(ask):
    made = ask("runs/create", experiment_id="0", user_id="ada", run_name="first", start_time=5)
    return made["run"]["info"]["run_id"]


def tags_of(ask, run):
    return {each["key"]: each["value"] for each in ask("runs/get", run_id=run)["run"]["data"].get("tags", ())}


def test_an_experiment_is_made_found_renamed_and_tagged(ask):
    id = ask(
        "experiments/create",
        name="délai",
        tags=[{"key": "team", "value": "a"}, {"key": "team", "value": "b"}],
    )["experiment_id"]
    assert id == "1"
    ask("experiments/set-experiment-tag", experiment_id=id, key="mlflow.note.content", value="x" * 20_000)
    ask("experiments/update", experiment_id=id, new_name="delay")
    found = ask("experiments/get-by-name", experiment_name="delay")["experiment"]
    assert found == {
        "experiment_id": "1",
        "name": "delay",
        "artifact_location": "mlflow-artifacts:/1",
        "lifecycle_stage": "active",
        "workspace": "default",
        "creation_time": NOW_MS,
        "last_update_time": NOW_MS,
        "tags": [{"key": "mlflow.note.content", "value": "x" * 20_000}, {"key": "team", "value": "b"}],
    }
    ask("experiments/delete-experiment-tag", experiment_id=id, key="team")
    with pytest.raises(NotFound, match="No tag with name: team in experiment with id 1"):
        ask("experiments/delete-experiment-tag", experiment_id=id, key="team")
    assert len(ask("experiments/get", experiment_id=id)["experiment"]["tags"]) == 1


def test_default_is_there_and_runs_that_name_no_experiment_are_in_it(ask):
    assert ask("experiments/get", experiment_id="0")["experiment"]["name"] == "Default"
    assert ask("runs/create")["run"]["info"]["experiment_id"] == "0"


def test_a_name_is_taken_even_by_a_deleted_experiment(ask):
    ask("experiments/create", name="a")
    ask("experiments/create", name="b")
    ask("experiments/delete", experiment_id="1")
    with pytest.raises(AlreadyExists, match="already exists"):
        ask("experiments/create", name="a")
    with pytest.raises(AlreadyExists, match="already exists"):
        ask("experiments/update", experiment_id="2", new_name="a")
    with pytest.raises(Conflict, match="Cannot rename a non-active experiment"):
        ask("experiments/update", experiment_id="1", new_name="c")
    assert ask("experiments/get", experiment_id="2")["experiment"]["name"] == "b"


@pytest.mark.parametrize(
    ("name", "given", "kind", "said"),
    [
        ("experiments/get", {"experiment_id": "x"}, UsageError, "Experiment ID must be a valid integer"),
        ("experiments/get", {"experiment_id": "7"}, NotFound, "No Experiment with id=7 exists"),
        ("experiments/get", {"experiment_id": "9" * 30}, NotFound, "No Experiment with id="),
        (
            "experiments/get-by-name",
            {"experiment_name": "x"},
            NotFound,
            "Could not find experiment with name 'x'",
        ),
        ("experiments/create", {"name": ""}, UsageError, "Invalid experiment name"),
        ("experiments/create", {"name": "n" * 501}, UsageError, "maximum length of 500"),
        ("experiments/create", {"name": "n", "artifact_location": "runs:/a/b"}, UsageError, "runs:/"),
        ("experiments/create", {"name": "n", "artifact_location": "s3://b/../c"}, UsageError, "'..'"),
        (
            "experiments/create",
            {"name": "n", "tags": [{"key": "a/../b", "value": ""}]},
            UsageError,
            "resolve",
        ),
        ("experiments/delete", {"experiment_id": "7"}, NotFound, "No Experiment with id=7 exists"),
        ("experiments/restore", {"experiment_id": "0"}, NotFound, "No Experiment with id=0 exists"),
        ("experiments/delete", {}, BadRequest, "experiment_id"),
        ("runs/create", {"experiment_id": "7"}, NotFound, "No Experiment with id=7 exists"),
        ("runs/create", {"experiment_id": 7.5}, BadRequest, "experiment_id"),
        ("runs/get", {"run_id": "nothing"}, NotFound, "Run with id=nothing not found"),
        ("runs/get", {}, BadRequest, "Missing value for required parameter 'run_id'"),
        ("runs/update", {"run_id": "nothing"}, NotFound, "Run with id=nothing not found"),
        ("runs/delete", {"run_id": "nothing"}, NotFound, "not found"),
        ("runs/log-inputs", {"run_id": "nothing", "datasets": []}, NotFound, "not found"),
    ],
)
def test_what_cannot_be_is_refused(ask, name, given, kind, said):
    with pytest.raises(kind, match=said):
        ask(name, **given)


def test_a_run_of_a_client_looks_as_the_protocol_has_it(ask, tracking):
    made = ask(
        "runs/create",
        experiment_id="0",
        user_id="ada",
        run_name="first",
        start_time="1700000000123",
        tags=[{"key": "mlflow.user", "value": "ada"}],
    )["run"]
    run = made["info"]["run_id"]
    assert len(run) == 32
    assert int(run, 16) >> 80 == NOW_MS
    info = {
        "run_uuid": run,
        "run_id": run,
        "experiment_id": "0",
        "run_name": "first",
        "user_id": "ada",
        "status": "RUNNING",
        "start_time": 1_700_000_000_123,
        "artifact_uri": f"mlflow-artifacts:/0/{run}/artifacts",
        "lifecycle_stage": "active",
    }
    tags = [{"key": "mlflow.runName", "value": "first"}, {"key": "mlflow.user", "value": "ada"}]
    assert made == {"info": info, "data": {"tags": tags}, "inputs": {}}
    with tracking.book.write() as tx:
        number = find_run(tx, RunId(run)).number
        values = [("a", 0.5), ("b", math.nan), ("c", math.inf), ("d", -math.inf)]
        append_metrics(tx, number, [Metric(key=key, value=value, step=3, at_ms=9) for key, value in values])
    ask("runs/log-parameter", run_id=run, key="depth", value="3")
    data = ask("runs/get", run_id=run)["run"]["data"]
    assert [each["value"] for each in data["metrics"]] == [0.5, "NaN", "Infinity", "-Infinity"]
    assert data["metrics"][0] == {"key": "a", "value": 0.5, "timestamp": 9, "step": 3}
    assert data["params"] == [{"key": "depth", "value": "3"}]
    ended = ask("runs/update", run_id=run, status="FINISHED", end_time=1_700_000_001_000)
    assert ended == {"run_info": {**info, "status": "FINISHED", "end_time": 1_700_000_001_000}}
    # Some clients send the number of the enumeration.
    assert ask("runs/update", run_uuid=run, status=4)["run_info"]["status"] == "FAILED"
    with pytest.raises(BadRequest, match="status"):
        ask("runs/update", run_id=run, status="GONE")


def test_a_run_below_a_place_of_its_own_stays_there(ask):
    root = "s3://bucket/folder?versionId=7"
    id = ask("experiments/create", name="far", artifact_location=root)["experiment_id"]
    info = ask("runs/create", experiment_id=id)["run"]["info"]
    assert info["artifact_uri"] == f"s3://bucket/folder/{info['run_id']}/artifacts?versionId=7"


def test_name_and_tag_are_one(ask, run):
    assert tags_of(ask, run)["mlflow.runName"] == "first"
    ask("runs/set-tag", run_id=run, key="mlflow.runName", value="second")
    assert ask("runs/get", run_id=run)["run"]["info"]["run_name"] == "second"
    ask("runs/update", run_id=run, run_name="third")
    assert tags_of(ask, run)["mlflow.runName"] == "third"
    tagged = ask("runs/create", experiment_id="0", tags=[{"key": "mlflow.runName", "value": "tagged"}])
    assert tagged["run"]["info"]["run_name"] == "tagged"
    trait, animal, number = ask("runs/create", experiment_id="0")["run"]["info"]["run_name"].split("-")
    assert (trait.isalpha(), animal.isalpha()) == (True, True)
    assert int(number) < 1000
    with pytest.raises(UsageError, match="different values"):
        ask(
            "runs/create",
            experiment_id="0",
            run_name="a",
            tags=[{"key": "mlflow.runName", "value": "b"}],
        )


def test_params_do_not_change_and_tags_do(ask, run, tracking):
    ask("runs/log-parameter", run_id=run, key="depth", value="x" * 10_000)
    ask("runs/log-parameter", run_id=run, key="depth", value="x" * 10_000)
    ask("runs/log-parameter", run_id=run, key="none")
    with pytest.raises(UsageError, match=r"Changing param values is not allowed\. Param with key='none'"):
        ask("runs/log-parameter", run_id=run, key="none", value="1")
    with pytest.raises(UsageError, match="Params were already"):
        tracking.runs.log_params(RunId(run), {"new": "1", "none": "2"})
    found = ask("runs/get", run_id=run)["run"]["data"]["params"]
    assert found == [{"key": "depth", "value": "x" * 10_000}, {"key": "none", "value": ""}]
    ask("runs/set-tag", run_id=run, key="note", value="a\x00\"'é\u2028" * 2000)
    assert tags_of(ask, run)["note"] == "a\x00\"'é\u2028" * 2000
    ask("runs/delete-tag", run_id=run, key="note")
    with pytest.raises(NotFound, match=f"No tag with name: note in run with id {run}"):
        ask("runs/delete-tag", run_id=run, key="note")


@pytest.mark.parametrize("key", ["", "a/../b", "/a", ".", "..", "a\\b", "a//b", "ä?", "k" * 251])
@pytest.mark.parametrize("call", ["runs/log-parameter", "runs/set-tag"])
def test_keys_that_would_be_other_names_are_refused(ask, run, call, key):
    with pytest.raises(UsageError):
        ask(call, run_id=run, key=key, value="1")


def test_keys_that_clients_use_are_taken(ask, run):
    for key in ("a/b", "läng.e", "a b:c-d_e", "k" * 250, ".a", "mlflow.note.content"):
        ask("runs/log-parameter", run_id=run, key=key, value="1")
    assert len(ask("runs/get", run_id=run)["run"]["data"]["params"]) == 6


def test_what_is_deleted_cannot_be_written_until_it_is_restored(ask, run, tracking):
    ask("runs/delete", run_id=run)
    assert ask("runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "deleted"
    for name, given in (
        ("runs/log-parameter", {"key": "a", "value": "1"}),
        ("runs/set-tag", {"key": "a", "value": "1"}),
        ("runs/delete-tag", {"key": "mlflow.runName"}),
        ("runs/update", {"status": "FINISHED"}),
        ("runs/log-inputs", {}),
        ("runs/outputs", {"models": []}),
    ):
        with pytest.raises(UsageError, match=r"in the 'active' state\. Current state is deleted"):
            ask(name, run_id=run, **given)
    ask("runs/restore", run_id=run)
    ask("runs/set-tag", run_id=run, key="a", value="1")
    with tracking.book.read() as tx:
        assert [each.action for each in ledger.list_audit(tx, limit=9)] == ["run.restore", "run.delete"]


def test_an_experiment_takes_its_runs_with_it_and_brings_them_back(ask):
    id = ask("experiments/create", name="delay")["experiment_id"]
    run = ask("runs/create", experiment_id=id)["run"]["info"]["run_id"]
    ask("experiments/delete", experiment_id=id)
    assert ask("experiments/get", experiment_id=id)["experiment"]["lifecycle_stage"] == "deleted"
    assert ask("runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "deleted"
    for name, given in (
        ("runs/create", {}),
        ("experiments/set-experiment-tag", {"key": "a", "value": "1"}),
        ("experiments/delete-experiment-tag", {"key": "a"}),
    ):
        with pytest.raises(UsageError, match="must be in the 'active' state"):
            ask(name, experiment_id=id, **given)
    with pytest.raises(NotFound):
        ask("experiments/delete", experiment_id=id)
    ask("experiments/restore", experiment_id=id)
    assert ask("runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "active"


def test_inputs_and_outputs_come_back(ask, run):
    dataset = {"name": "flights", "digest": "d1", "source_type": "local", "source": "{}", "schema": "{}"}
    context = [{"key": "mlflow.data.context", "value": "training"}]
    given = [{"dataset": dataset, "tags": context}, {"dataset": dataset, "tags": []}]
    ask("runs/log-inputs", run_id=run, datasets=given, models=[{"model_id": "m-1"}])
    ask("runs/log-inputs", run_id=run, datasets=given[1:])
    ask("runs/outputs", run_id=run, models=[{"model_id": "m-2", "step": "3"}, {"model_id": "m-2", "step": 3}])
    found = ask("runs/get", run_id=run)["run"]
    assert found["inputs"] == {
        "dataset_inputs": [{"dataset": dataset, "tags": context}],
        "model_inputs": [{"model_id": "m-1"}],
    }
    assert found["outputs"] == {"model_outputs": [{"model_id": "m-2", "step": 3}]}
    with pytest.raises(UsageError, match="Dataset digest cannot be None"):
        ask("runs/log-inputs", run_id=run, datasets=[{"dataset": {"name": "n"}}])


def test_models_of_older_clients_are_listed_in_a_tag(ask, run):
    model = {"artifact_path": "model", "flavors": {}, "utc_time_created": "2013", "run_id": run}
    for _ in range(2):
        ask("runs/log-model", run_id=run, model_json=json.dumps(model))
    assert json.loads(tags_of(ask, run)["mlflow.log-model.history"]) == [model, model]
    with pytest.raises(UsageError, match="missing mandatory fields: flavors"):
        ask(
            "runs/log-model",
            run_id=run,
            model_json='{"artifact_path": "", "utc_time_created": "", "run_id": ""}',
        )
    with pytest.raises(BadRequest, match="not a valid JSON"):
        ask("runs/log-model", run_id=run, model_json="{")


def test_what_was_deleted_long_ago_is_removed_with_all_that_belongs_to_it(ask, run, tracking):
    id = ask("experiments/create", name="gone")["experiment_id"]
    inside = ask("runs/create", experiment_id=id)["run"]["info"]
    for each in (run, inside["run_id"]):
        ask("runs/log-parameter", run_id=each, key="a", value="1")
        ask(
            "runs/log-inputs",
            run_id=each,
            datasets=[{"dataset": {"name": "n", "digest": "d", "source_type": "s", "source": "s"}}],
        )
        tracking.artifacts.put_bytes(f"{'0' if each == run else id}/{each}/artifacts/a.txt", b"12345")
    kept = ask("runs/create", experiment_id="0")["run"]["info"]["run_id"]
    ask("experiments/delete", experiment_id=id)
    ask("experiments/delete", experiment_id="0")
    ask("experiments/restore", experiment_id="0")
    ask("runs/delete", run_id=run)
    tracking.book.clock.advance(timedelta(days=3))
    assert tracking.experiments.collect(timedelta(days=4)).is_empty
    would = tracking.experiments.collect(timedelta(days=2), dry_run=True)
    assert (would.experiments, would.runs) == ((id,), (RunId(run), RunId(inside["run_id"])))
    assert (would.files, would.size, would.elsewhere) == (2, 10, ())
    assert tracking.experiments.collect(timedelta(days=2)) == would
    for name, given in (("runs/get", {"run_id": run}), ("experiments/get", {"experiment_id": id})):
        with pytest.raises(NotFound):
            ask(name, **given)
    assert ask("runs/get", run_id=kept)["run"]["info"]["run_id"] == kept
    with tracking.book.read() as tx:
        for table in (tables.params, tables.inputs):
            assert tx.execute(select(func.count()).select_from(table)).scalar_one() == 0
        assert tx.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        # The data set belongs to its experiment, and stays with it.
        assert tx.execute(select(tables.datasets.c.experiment)).scalars().all() == [0]
    assert tracking.artifacts.list("") == ()
    # The number of an experiment is never given again.
    assert ask("experiments/create", name="gone")["experiment_id"] == "2"
