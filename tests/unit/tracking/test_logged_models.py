"""Logged models: what a run logs before anybody registers it."""

import json
import math
from datetime import timedelta

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from mlwright.doors.http.mlflow.call import Asked
from mlwright.doors.http.mlflow.encoding import encode
from mlwright.doors.http.mlflow.logged_models import CALLS
from mlwright.errors import BadRequest, NotFound, UsageError
from mlwright.model.ids import RunId
from mlwright.model.tracking import LoggedModelStatus, Metric
from mlwright.platform.tracking.book import Book
from mlwright.platform.tracking.facade import TrackingPlatform
from mlwright.stages.ledger.tables import metadata as ledger_metadata
from mlwright.stages.tracking.experiments import create_experiment, delete_experiment
from mlwright.stages.tracking.logged_models import read_logged_models
from mlwright.stages.tracking.runs import add_run
from mlwright.stages.tracking.tables import metadata
from mlwright.testing.fakes.artifacts import MemoryArtifactStore
from mlwright.testing.fakes.clock import ManualClock

RUN, OTHER = RunId("a" * 32), RunId("b" * 32)
AT = 1_700_000_000_000


@pytest.fixture
def tracking(tmp_path):
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    metadata.create_all(engine)
    ledger_metadata.create_all(engine)
    book = Book(engine=engine, artifacts=MemoryArtifactStore(), clock=ManualClock(), state=tmp_path)
    with engine.begin() as tx:
        create_experiment(tx, "delay", at=book.clock.now())
        create_experiment(tx, "elsewhere", at=book.clock.now(), artifact_root="s3://bucket/x")
        for run in (RUN, OTHER):
            add_run(tx, run, experiment=1, name="n", started_ms=0, actor="ada", values={})
    platform = TrackingPlatform(book)
    yield platform
    platform.close()


def ask(tracking, method, path="", body=None, **query):
    """The answer of a call below ``logged-models``, as the client parses it."""
    segments = f"2.0/mlflow/logged-models/{path}".strip("/").split("/")
    for call in CALLS:
        parts = call.path.split("/")
        if call.method == method and len(parts) == len(segments):
            pairs = list(zip(parts, segments, strict=True))
            if all(part == segment or part.startswith("{") for part, segment in pairs):
                asked = Asked(
                    path={part[1:-1]: segment for part, segment in pairs if part.startswith("{")},
                    query={key: [value] for key, value in query.items()},
                    body=json.dumps(body).encode() if body is not None else b"",
                )
                assert call.writes == (method != "GET")
                return json.loads(encode(call.handler(tracking, asked)))
    raise AssertionError(f"no call {method} {path}")


def create(tracking, **given):
    return ask(tracking, "POST", body={"experiment_id": "1", "name": "trees", **given})["model"]


def measure(tracking, model, run=RUN, **given):
    metric = Metric(**{"key": "auc", "value": 0.5, "step": 0, "at_ms": AT, "model": model, **given})
    tracking.metrics.log_batch(run, metrics=[metric])


def measured(tracking, model):
    return ask(tracking, "GET", model)["model"]["data"].get("metrics", [])


def test_a_model_is_made_finished_and_found(tracking):
    made = create(
        tracking,
        source_run_id=RUN,
        model_type="sklearn",
        params=[{"key": "depth", "value": "3"}],
        tags=[{"key": "team", "value": "delay"}],
    )
    id = made["info"]["model_id"]
    created = tracking.book.now_ms()
    assert made == {
        "info": {
            "model_id": id,
            "experiment_id": "1",
            "name": "trees",
            "creation_timestamp_ms": created,
            "last_updated_timestamp_ms": created,
            "artifact_uri": f"mlflow-artifacts:/1/models/{id}/artifacts",
            "status": "LOGGED_MODEL_PENDING",
            "model_type": "sklearn",
            "source_run_id": RUN,
            "tags": [{"key": "team", "value": "delay"}],
        },
        "data": {"params": [{"key": "depth", "value": "3"}]},
    }
    tracking.book.clock.advance(timedelta(seconds=1))
    done = ask(tracking, "PATCH", id, {"model_id": id, "status": "LOGGED_MODEL_READY"})["model"]["info"]
    assert (done["status"], done["last_updated_timestamp_ms"]) == ("LOGGED_MODEL_READY", created + 1000)
    assert ask(tracking, "GET", id)["model"]["info"] == done
    assert (
        ask(tracking, "PATCH", id, {"status": 3})["model"]["info"]["status"] == "LOGGED_MODEL_UPLOAD_FAILED"
    )
    failed = tracking.logged_models.finish(id, LoggedModelStatus.FAILED, "the disk is full")
    assert failed.status_message == "the disk is full"


def test_a_model_without_a_name_is_given_one(tracking):
    names = {create(tracking, name=None)["info"]["name"] for _ in range(3)}
    assert all(names)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"name": "a/b"}, UsageError, "Invalid model name"),
        ({"name": "n" * 501}, UsageError, "exceeds the maximum length of 500"),
        ({"experiment_id": "77"}, NotFound, "77"),
        ({"experiment_id": "x"}, UsageError, "must be a valid integer"),
        ({"tags": [{"key": "", "value": "1"}]}, UsageError, "Missing value"),
        ({"params": [{"key": "a//b", "value": "1"}]}, UsageError, "must not resolve"),
    ],
)
def test_a_model_that_cannot_be_is_refused(tracking, given, error, said):
    with pytest.raises(error, match=said):
        create(tracking, **given)


def test_no_model_is_made_in_a_deleted_experiment(tracking):
    with tracking.book.write() as tx:
        delete_experiment(tx, "1", tracking.book.clock.now())
    with pytest.raises(UsageError, match="deleted"):
        create(tracking)


def test_an_unknown_status_is_refused(tracking):
    id = create(tracking)["info"]["model_id"]
    for said in ({}, {"status": "LOGGED_MODEL_STATUS_UNSPECIFIED"}, {"status": 0}):
        with pytest.raises(BadRequest, match="for parameter 'status'"):
            ask(tracking, "PATCH", id, said)


def test_params_never_change_and_tags_do(tracking):
    id = create(tracking)["info"]["model_id"]
    params = [{"key": f"p{number:03}", "value": str(number)} for number in range(250)]
    ask(tracking, "POST", f"{id}/params", {"model_id": id, "params": params})
    ask(tracking, "POST", f"{id}/params", {"params": params[:3]})
    with pytest.raises(UsageError, match="cannot change") as refused:
        ask(
            tracking,
            "POST",
            f"{id}/params",
            {"params": [{"key": "new", "value": "1"}, {"key": "p007", "value": "x"}]},
        )
    assert [fault.where for fault in refused.value.faults] == ["p007"]
    assert ask(tracking, "GET", id)["model"]["data"]["params"] == params
    ask(tracking, "PATCH", f"{id}/tags", {"tags": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]})
    ask(tracking, "PATCH", f"{id}/tags", {"tags": [{"key": "a", "value": "3"}, {"key": "b", "value": ""}]})
    assert tracking.logged_models.get(id).tags == {"a": "3", "b": ""}
    ask(tracking, "DELETE", f"{id}/tags/a")
    assert tracking.logged_models.get(id).tags == {"b": ""}
    with pytest.raises(NotFound, match="No tag with key 'a'"):
        ask(tracking, "DELETE", f"{id}/tags/a")


def test_a_deleted_model_is_found_only_by_who_asks_for_it(tracking):
    id = create(tracking)["info"]["model_id"]
    ask(tracking, "DELETE", id)
    with pytest.raises(NotFound, match=f"Logged model with ID '{id}' not found"):
        ask(tracking, "GET", id)
    assert ask(tracking, "GET", id, allow_deleted="true")["model"]["info"]["model_id"] == id


def test_a_model_that_is_not_there_is_an_error_of_every_call(tracking):
    for method, path, body in (
        ("GET", "m-1", None),
        ("PATCH", "m-1", {"status": "LOGGED_MODEL_READY"}),
        ("DELETE", "m-1", None),
        ("POST", "m-1/params", {"params": [{"key": "a", "value": "1"}]}),
        ("PATCH", "m-1/tags", {"tags": [{"key": "a", "value": "1"}]}),
        ("DELETE", "m-1/tags/a", None),
    ):
        with pytest.raises(NotFound, match="Logged model with ID 'm-1' not found"):
            ask(tracking, method, path, body)


def test_a_model_has_the_latest_of_what_runs_measured_of_it(tracking):
    id = create(tracking)["info"]["model_id"]
    measure(tracking, id, step=2, value=0.7)
    measure(tracking, id, step=1, value=0.9)
    measure(tracking, id, step=2, value=math.nan)
    measure(tracking, id, run=OTHER, value=math.nan)
    measure(tracking, id, dataset="flights", dataset_digest="d1", value=0.6)
    measure(tracking, None, key="loss")
    shared = {"key": "auc", "timestamp": AT, "model_id": id}
    assert measured(tracking, id) == [
        {**shared, "value": 0.7, "step": 2, "run_id": RUN},
        {**shared, "value": "NaN", "step": 0, "run_id": OTHER},
        {
            **shared,
            "value": 0.6,
            "step": 0,
            "run_id": RUN,
            "dataset_name": "flights",
            "dataset_digest": "d1",
        },
    ]
    measure(tracking, id, run=OTHER, value=0.1)
    assert [each["value"] for each in measured(tracking, id)] == [0.7, 0.1, 0.6]
    assert len(tracking.metrics.history(RUN, "auc").steps) == 4


def test_the_latest_of_a_model_does_not_depend_on_the_order_within_a_batch(tracking):
    id = create(tracking)["info"]["model_id"]
    metrics = [
        Metric(key="auc", value=value, step=step, at_ms=AT, model=id)
        for step, value in ((3, 0.3), (9, math.nan), (9, 0.9), (9, 0.8), (5, 0.5))
    ]
    tracking.metrics.log_batch(RUN, metrics=metrics)
    tracking.metrics.log_batch(RUN, metrics=metrics[::-1])
    assert [(each["step"], each["value"]) for each in measured(tracking, id)] == [(9, 0.9)]


def test_models_are_read_in_the_order_asked_for(tracking):
    ids = [create(tracking, name=f"m{number}")["info"]["model_id"] for number in range(5)]
    assert ids == sorted(ids) or len(set(ids)) == 5
    wanted = [ids[3], ids[0], "m-1", ids[4]]
    with tracking.book.read() as tx:
        assert [each.id for each in read_logged_models(tx, wanted)] == [ids[3], ids[0], ids[4]]
        assert read_logged_models(tx, []) == []


@pytest.mark.parametrize(
    ("listed", "versions"),
    [
        ('[{"name": "delay", "version": "3"}, {"name": "late", "version": 1}]', (("delay", 3), ("late", 1))),
        ("[]", ()),
        ("what somebody typed", ()),
        ('[{"name": "delay"}]', ()),
        ("7", ()),
    ],
)
def test_the_versions_of_a_model_are_those_that_the_client_lists(tracking, listed, versions):
    id = create(tracking, tags=[{"key": "mlflow.modelVersions", "value": listed}])["info"]["model_id"]
    assert tracking.logged_models.get(id).versions == versions
    wire = ask(tracking, "GET", id)["model"]["info"].get("registrations", [])
    assert wire == [{"name": name, "version": str(version)} for name, version in versions]


def test_artifacts_lie_below_those_of_the_experiment_wherever_they_are(tracking):
    made = create(tracking, experiment_id="2")["info"]
    assert made["artifact_uri"] == f"s3://bucket/x/models/{made['model_id']}/artifacts"
