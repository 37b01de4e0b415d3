"""Metrics over the wire: what a client of the MLflow protocol sends and reads back."""

import json
import math

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from mlwright.doors.http.mlflow.call import Asked
from mlwright.doors.http.mlflow.encoding import encode
from mlwright.doors.http.mlflow.metrics import CALLS
from mlwright.errors import BadRequest, MlwrightError, NotFound, UsageError
from mlwright.model.ids import RunId
from mlwright.model.tracking import Metric
from mlwright.platform.tracking.book import Book
from mlwright.platform.tracking.facade import TrackingPlatform
from mlwright.stages.ledger.tables import metadata as ledger_metadata
from mlwright.stages.tracking.experiments import create_experiment
from mlwright.stages.tracking.runs import add_run, find_run, mark_run
from mlwright.stages.tracking.tables import metadata
from mlwright.testing.fakes.artifacts import MemoryArtifactStore
from mlwright.testing.fakes.clock import ManualClock

AT = 1_700_000_000_000
ONE, TWO = "a" * 32, "b" * 32


@pytest.fixture
def tracking(tmp_path):
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    metadata.create_all(engine)
    ledger_metadata.create_all(engine)
    book = Book(engine=engine, artifacts=MemoryArtifactStore(), clock=ManualClock(), state=tmp_path)
    with engine.begin() as tx:
        experiment = create_experiment(tx, "delay", at=book.clock.now())
        for run in (ONE, TWO):
            add_run(
                tx, RunId(run), experiment=int(experiment), name="n", started_ms=0, actor="ada", values={}
            )
    platform = TrackingPlatform(book)
    yield platform
    platform.close()


def ask(tracking, name, body=None, **query):
    """The answer of the call with this name, as the client parses it."""
    (call,) = [each for each in CALLS if each.path.endswith(f"/{name}")]
    assert (call.method == "POST") == call.writes == (body is not None)
    asked = Asked(
        body=body if isinstance(body, bytes) else json.dumps(body or {}).encode(),
        query={key: value if isinstance(value, list) else [str(value)] for key, value in query.items()},
    )
    return json.loads(encode(call.handler(tracking, asked)))


def log(tracking, run=ONE, **given):
    return ask(tracking, "log-metric", {"run_id": run, "key": "loss", "value": 1.0, "timestamp": AT, **given})


def history(tracking, **query):
    return ask(tracking, "get-history", run_id=ONE, **{"metric_key": "loss", **query})


def test_a_metric_that_is_logged_is_in_the_history(tracking):
    assert log(tracking, step=3, value=0.25) == {}
    # Some clients send whole numbers as texts, and the oldest name the run otherwise.
    old = {"run_uuid": ONE, "key": "loss", "value": "1", "timestamp": str(AT + 1), "step": "4"}
    assert ask(tracking, "log-metric", old) == {}
    assert history(tracking) == {
        "metrics": [
            {"key": "loss", "value": 0.25, "timestamp": AT, "step": 3},
            {"key": "loss", "value": 1.0, "timestamp": AT + 1, "step": 4},
        ]
    }


def test_numbers_that_json_lacks_travel_as_words(tracking):
    words = ["NaN", "Infinity", "-Infinity"]
    for step, word in enumerate(words):
        log(tracking, value=word, step=step)
    assert [each["value"] for each in history(tracking)["metrics"]] == words
    values = tracking.metrics.history(RunId(ONE), "loss").values.tolist()
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]


def test_an_unknown_metric_has_no_points_and_an_unknown_run_is_an_error(tracking):
    assert history(tracking) == {}
    with pytest.raises(NotFound, match="Run with id=nobody not found"):
        ask(tracking, "get-history", run_id="nobody", metric_key="loss")


def test_pages_together_are_the_whole_history(tracking):
    steps = list(range(10_000))
    points = [{"key": "loss", "value": step / 3, "timestamp": AT + step, "step": step} for step in steps]
    ask(tracking, "log-batch", {"run_id": ONE, "metrics": points})
    found, token, pages = [], None, 0
    while pages == 0 or token:
        page = history(tracking, max_results=4100, **({"page_token": token} if token else {}))
        found, token, pages = found + page["metrics"], page.get("next_page_token"), pages + 1
    assert found == points
    assert pages == 3
    assert history(tracking)["metrics"] == points


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"max_results": 0}, "Invalid value 0 for parameter 'max_results'"),
        ({"max_results": "many"}, "max_results"),
        ({"page_token": "!"}, "Invalid page token"),
        ({"page_token": "eyJvZmZzZXQiOiAtMX0="}, "Invalid page token"),
        ({"metric_key": ""}, "Missing value for required parameter 'metric_key'"),
        ({"run_id": ""}, "Missing value for required parameter 'run_id'"),
    ],
)
def test_a_page_that_cannot_be_is_refused(tracking, query, said):
    with pytest.raises(UsageError, match=said):
        ask(tracking, "get-history", **{"run_id": ONE, "metric_key": "loss", **query})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"key": ""}, "Missing value for required parameter 'key'"),
        ({"value": None}, "Missing value for required parameter 'value'"),
        ({"value": "high"}, "Invalid value 'high' for parameter 'value'"),
        ({"value": True}, "value"),
        ({"timestamp": None}, "Missing value for required parameter 'timestamp'"),
        ({"timestamp": -1}, "Timestamp must be a nonnegative long"),
        ({"timestamp": 2**63}, "does not fit into 64 bits"),
        ({"step": 2**63}, "does not fit into 64 bits"),
        ({"step": 1.5}, "step"),
        ({"key": "../loss"}, "must not resolve to other names"),
        ({"key": "loss\0"}, "Names may only contain"),
        ({"key": "l" * 251}, "exceeds the maximum length of 250"),
        ({"run_id": ""}, "Missing value for required parameter 'run_id'"),
        ({"dataset_name": "flights"}, "Both dataset_name and dataset_digest"),
    ],
)
def test_a_metric_that_cannot_be_is_refused(tracking, given, said):
    with pytest.raises(UsageError, match=said):
        log(tracking, **given)
    assert history(tracking) == {}


def test_a_body_that_is_no_json_is_refused(tracking):
    for body in (b"{", b'{"value": NaN}', b'{"value": 1e999}', b"[1]", b"\xff"):
        with pytest.raises(BadRequest):
            ask(tracking, "log-metric", body)


def test_nothing_is_logged_to_a_deleted_run_and_its_history_stays(tracking):
    log(tracking)
    with tracking.book.write() as tx:
        mark_run(tx, find_run(tx, RunId(ONE)).number, deleted_at=1)
    for call in (lambda: log(tracking, step=1), lambda: ask(tracking, "log-batch", {"run_id": ONE})):
        with pytest.raises(UsageError, match=r"must be in the 'active' state\. Current state is deleted"):
            call()
    assert len(history(tracking)["metrics"]) == 1


def test_a_batch_records_metrics_params_and_tags(tracking):
    body = {
        "run_id": ONE,
        "metrics": [
            {"key": "loss", "value": "NaN", "timestamp": AT},
            {"key": "acc", "value": 1, "timestamp": AT},
        ],
        "params": [{"key": "depth", "value": "3"}],
        "tags": [{"key": "team", "value": "delay"}],
        "unknown": 1,
    }
    assert ask(tracking, "log-batch", body) == {}
    assert ask(tracking, "log-batch", body) == {}
    record = tracking.runs.get(RunId(ONE))
    assert record.params == {"depth": "3"}
    assert record.tags["team"] == "delay"
    assert [(each.key, each.step) for each in record.metrics] == [("acc", 0), ("loss", 0)]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"params": [{"key": "depth", "value": "4"}]}, "Changing param values is not allowed"),
        (
            {"params": [{"key": "a", "value": "1"}] * 2},
            r"Duplicate parameter keys have been submitted: \['a'\]",
        ),
        ({"tags": [{"key": "", "value": "1"}]}, "Missing value"),
        (
            {"metrics": [{"key": "x", "value": 1, "timestamp": 1}, {"key": "y", "value": 1}]},
            r"metrics\[1\].timestamp",
        ),
        ({"metrics": [{"key": "x", "value": 1, "timestamp": 1, "model_id": "m-1"}]}, "'m-1' not found"),
        ({"metrics": [{"key": "x", "value": 1, "timestamp": 2**70}]}, "64 bits"),
        (
            {"params": [{"key": str(key), "value": "1"} for key in range(10_001)]},
            "at most 10000 params. Got 10001",
        ),
        (
            {"metrics": [{"key": "x", "value": 1, "timestamp": 1}] * 100_001},
            "at most 100000 metrics. Got 100001",
        ),
    ],
)
def test_a_batch_with_one_fault_records_nothing(tracking, part, said):
    ask(tracking, "log-batch", {"run_id": ONE, "params": [{"key": "depth", "value": "3"}]})
    good = {
        "metrics": [{"key": "loss", "value": 1, "timestamp": AT}],
        "params": [{"key": "rate", "value": "0.1"}],
        "tags": [{"key": "team", "value": "delay"}],
    }
    with pytest.raises(MlwrightError, match=said):
        ask(tracking, "log-batch", {"run_id": ONE, **good, **part})
    record = tracking.runs.get(RunId(ONE))
    assert (record.params, "team" in record.tags, record.metrics) == ({"depth": "3"}, False, ())


def test_the_histories_of_several_runs_are_cut_together(tracking):
    for step in range(3):
        log(tracking, run=TWO, step=step, value=step)
        log(tracking, run=ONE, step=9 - step, timestamp=AT + step, value=step)
    found = ask(tracking, "get-history-bulk", run_id=[TWO, "nobody", ONE], metric_key="loss", max_results=5)
    assert [(each["run_id"], each["step"], each["timestamp"] - AT) for each in found["metrics"]] == [
        (ONE, 9, 0),
        (ONE, 8, 1),
        (ONE, 7, 2),
        (TWO, 0, 0),
        (TWO, 1, 0),
    ]
    assert ask(tracking, "get-history-bulk", run_id=[ONE], metric_key="acc") == {"metrics": []}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, "must specify at least one run_id"),
        ({"run_id": ["a"] * 101}, "cannot specify more than 100 run_ids. Received 101"),
        ({"run_id": ["a"]}, "must specify a metric_key"),
    ],
)
def test_histories_of_too_many_or_no_runs_are_refused(tracking, query, said):
    with pytest.raises(BadRequest, match=said):
        ask(tracking, "get-history-bulk", **query)


def sampled(tracking, **query):
    wanted = {"run_ids": [ONE, TWO], "metric_key": "loss", **query}
    return ask(tracking, "get-history-bulk-interval", **wanted).get("metrics", [])


def test_a_sample_has_the_first_and_the_last_point_of_each_run(tracking):
    for run, count in ((ONE, 100), (TWO, 3)):
        points = [{"key": "loss", "value": step, "timestamp": AT, "step": step} for step in range(count)]
        ask(tracking, "log-batch", {"run_id": run, "metrics": points})
    found = sampled(tracking, max_results=4)
    assert [(each["run_id"], each["step"]) for each in found] == [
        *((ONE, step) for step in (0, 25, 50, 99)),
        *((TWO, step) for step in (0, 1, 2)),
    ]
    assert [each["step"] for each in sampled(tracking, start_step=2, end_step=5)] == [2, 3, 4, 5, 2]
    assert len(sampled(tracking)) == 103


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"run_ids": []}, "Missing value for required parameter 'run_ids'"),
        ({"run_ids": ["a"] * 101}, "must specify at most 100 run_ids. Received 101"),
        ({"max_results": 2501}, "max_results must be between 1 and 2500"),
        ({"max_results": 0}, "max_results must be between 1 and 2500"),
        ({"start_step": 1}, "both must be specified"),
        ({"start_step": 2, "end_step": 1}, "Found start_step=2 and end_step=1"),
    ],
)
def test_a_sample_that_cannot_be_is_refused(tracking, query, said):
    with pytest.raises(BadRequest, match=said):
        sampled(tracking, **query)


def test_a_chart_of_many_runs_keeps_their_peaks(tracking):
    for run, peak in ((ONE, 17), (TWO, 4321)):
        points = [
            Metric(key="loss", value=9.0 if step == peak else 0.0, step=step, at_ms=AT)
            for step in range(9999)
        ]
        tracking.metrics.log_batch(RunId(run), metrics=points)
    found = tracking.metrics.series([RunId(ONE), RunId("nobody"), RunId(TWO)], "loss", 100)
    assert [run for run, _ in found] == [ONE, TWO]
    for (_, drawn), peak in zip(found, (17, 4321), strict=True):
        assert len(drawn.steps) <= 100
        assert peak in drawn.steps
    with pytest.raises(UsageError, match="ask for 4 or more"):
        tracking.metrics.series([RunId(ONE)], "loss", 3)
