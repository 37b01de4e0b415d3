"""Hostile bodies, queries and filters for every call: each is answered or refused, none breaks the server.

The bodies are made from the messages that the handlers themselves ask for, so a new call is tried as well.
"""

import base64
import itertools
import json
import random
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import msgspec.inspect as shape
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, text

from mlwright.adapters.clock.replay import ReplayClock
from mlwright.doors.http.mlflow.call import Asked, Call
from mlwright.doors.http.mlflow.catalogue import CALLS
from mlwright.platform.tracking.traces import TraceJourney
from mlwright.testing.fakes.webhooks import RecordingWebhookSender
from mlwright.wiring.tracking import open_tracking

EVENTS = [{"entity": "MODEL_VERSION", "action": "CREATED"}]

HOSTILE = [
    *(None, True, 0, -1, 2**31, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**70, 1e308, 1.5),
    *(
        "",
        "x",
        "\0",
        "a\0b",
        "%",
        "'",
        "';DROP TABLE tracking_runs;--",
        "9" * 25,
        "-1",
        "1.5",
        "nan",
        "Infinity",
    ),
    *("٣", "²", "1e400", "a" * 70_000, "../..", "a/b", "[", "{}", "null", "[1]", '{"a":', "\ufffe", "😀"),
    *("2026-99-99T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "10000000000s"),
    *([], [None], [[]], ["a"], ["\0"], [1], {}, {"a": 1}, {"key": None}, [{}], [{"key": "k"}], {"": ""}),
    *([{"key": "k", "value": "\0"}], [{"key": "\0", "value": "v"}], [{"key": "", "value": ""}] * 2),
]

UNREADABLE = [
    b"\xff\xfe",
    b'{"name":"\\ud800"}',
    b'{"name":"\xed\xa0\x80"}',
    b"NaN",
    b'{"name":1e999}',
    b"\xef\xbb\xbf{}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"unknown":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
]


@pytest.fixture(scope="module")
def tracking(tmp_path_factory, empty_database):
    """One store for all tests of this file: what one of them leaves, the next ones have to bear."""
    folder = tmp_path_factory.mktemp("fuzzed")
    shutil.copy(empty_database, folder / "tracking.db")
    clock = ReplayClock(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    database = f"sqlite:///{folder / 'tracking.db'}"
    opened = open_tracking(database=database, artifacts=str(folder / "a"), state=folder / "s", clock=clock)
    opened.book.sender = RecordingWebhookSender()
    # What waits for spans that never come would wait here as well.
    opened.traces = TraceJourney(opened.book, pause=lambda seconds: None)
    yield opened
    opened.close()


NUMBERS = itertools.count()


@pytest.fixture
def known(mlflow) -> dict[str, object]:
    """One of everything; the names by which bodies and paths speak of it."""
    own = f"fuzz{next(NUMBERS)}"
    experiment = mlflow.ask("POST", "2.0/mlflow/experiments/create", {"name": own}).json["experiment_id"]

    def post(path: str, **body):
        made = mlflow.ask("POST", f"2.0/mlflow/{path}", body)
        assert made.status == 200, made.body
        return made.json

    run = post("runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
    model = post("logged-models", experiment_id=experiment, name="m")["model"]["info"]["model_id"]
    post("registered-models/create", name=own)
    post("model-versions/create", name=own, source="s3://b/c")
    post("runs/log-metric", run_id=run, key="a", value=1, timestamp=1, step=0)
    hook = post("webhooks", name="x", url="https://example.org/", events=EVENTS)["webhook"]["webhook_id"]
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    trace = {
        "trace_id": f"tr-{own}",
        "trace_location": place,
        "request_time": "2026-01-02T00:00:00Z",
        "state": "OK",
    }
    made = mlflow.ask("POST", "3.0/mlflow/traces", {"trace": {"trace_info": trace}})
    assert made.status == 200, made.body
    return {
        "alias": "champion",
        "assessment_id": "a-1",
        "events": EVENTS,
        "experiment_id": experiment,
        "experiment_ids": [experiment],
        "key": "k",
        "metric_key": "a",
        "mlflow_experiment": place["mlflow_experiment"],
        "model_id": model,
        "name": own,
        "request_ids": [f"tr-{own}"],
        "run_id": run,
        "run_ids": [run],
        "run_uuid": run,
        "source": "s3://b/c",
        "stage": "Staging",
        "trace_id": f"tr-{own}",
        "trace_ids": [f"tr-{own}"],
        "trace_info": trace,
        "url": "https://example.org/",
        "version": "1",
        "webhook_id": hook,
    }


def good(kind: shape.Type, known: dict[str, object], name: str = "") -> object:
    """A value that the handler can read."""
    if name in known:
        return known[name]
    made: object = "k"
    match kind:
        case shape.IntType() | shape.FloatType():
            made = 1
        case shape.BoolType():
            made = True
        case shape.ListType() | shape.VarTupleType():
            made = [good(kind.item_type, known)]
        case shape.DictType():
            made = {"k": good(kind.value_type, known)}
        case shape.UnionType():
            made = good(
                next(each for each in kind.types if not isinstance(each, shape.NoneType)), known, name
            )
        case shape.StructType():
            made = {each.encode_name: good(each.type, known, each.encode_name) for each in kind.fields}
    return made


def places(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield at
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in below:
        yield from places(each, (*at, name))


def with_value(body: object, at: tuple[str | int, ...], value: object) -> object:
    if not at:
        return value
    changed = json.loads(json.dumps(body))
    inner = changed
    for name in at[:-1]:
        inner = inner[name]
    inner[at[-1]] = value
    return changed


class Fuzzer:
    """Asks one call, and sees that it answers."""

    def __init__(self, mlflow, call: Call, known: dict[str, object], caplog) -> None:
        self.mlflow, self.call, self.known, self.caplog = mlflow, call, known, caplog
        self.kind: tuple[type, str] | None = None

    def watch(self, monkeypatch) -> None:
        for name in ("parse", "parse_query"):
            parse = getattr(Asked, name)

            def noting(asked, kind, *, name=name, parse=parse):
                self.kind = self.kind or (kind, name)
                return parse(asked, kind)

            monkeypatch.setattr(Asked, name, noting)

    @property
    def path(self) -> str:
        path = self.call.path
        for name, value in self.known.items():
            path = path.replace(f"{{{name}}}", str(value))
        return path

    def ask(self, body: object) -> None:
        by_query = self.call.method == "GET" or (self.kind is not None and self.kind[1] == "parse_query")
        if by_query and isinstance(body, dict):
            query = {
                name: each if isinstance(each, str | list) else json.dumps(each)
                for name, each in body.items()
            }
            self.judge(self.mlflow.ask(self.call.method, self.path, query=query), body)
        else:
            self.judge(self.mlflow.ask(self.call.method, self.path, body), body)

    def send(self, raw: bytes) -> None:
        self.judge(self.mlflow.ask(self.call.method, self.path, body=raw), raw)

    def judge(self, answer, asked: object) -> None:
        what = f"{self.call.method} {self.call.path} {asked!r:.300}: {answer.body[:300]!r}\n{self.caplog.text[-2000:]}"
        assert answer.status in (200, 400, 404, 501), what
        if answer.status != 200:
            said = answer.json
            assert said["error_code"] not in ("", "INTERNAL_ERROR"), what
            assert isinstance(said["message"], str), what


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path}")
def test_no_value_of_any_field_breaks_a_call(mlflow, known, call, monkeypatch, caplog) -> None:
    fuzzer = Fuzzer(mlflow, call, known, caplog)
    fuzzer.watch(monkeypatch)
    fuzzer.ask({})
    body = good(shape.type_info(fuzzer.kind[0]), known) if fuzzer.kind else {"k": "v"}
    fuzzer.ask(body)
    chance = random.Random(call.path)  # the same ones each time
    tried = [(at, value) for at in places(body) for value in HOSTILE]
    for at, value in chance.sample(tried, min(len(tried), 40)):
        fuzzer.ask(with_value(body, at, value))
    for each in UNREADABLE if call.method != "GET" else ():
        fuzzer.send(each)
    # What was good at first is still understood.
    fuzzer.ask(body)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "\0", "%", "%00", "' OR 1=1 --", "a" * 5_000, "😀", "-1", "9" * 30, " ", "٣"]
)
def test_no_name_in_a_path_breaks_a_call(mlflow, known, name, caplog) -> None:
    for call in CALLS:
        if "{" not in call.path:
            continue
        for part in [each for each in call.path.split("/") if each.startswith("{")]:
            fuzzer = Fuzzer(mlflow, call, {**known, part[1:-1]: name.replace("/", "%2F")}, caplog)
            answer = mlflow.ask(call.method, fuzzer.call.path.replace(part, fuzzer.known[part[1:-1]]), {})
            fuzzer.judge(answer, name)


# searches

SEARCHES = {
    "runs": ("POST", "2.0/mlflow/runs/search"),
    "experiments": ("POST", "2.0/mlflow/experiments/search"),
    "logged": ("POST", "2.0/mlflow/logged-models/search"),
    "models": ("GET", "2.0/mlflow/registered-models/search"),
    "versions": ("GET", "2.0/mlflow/model-versions/search"),
    "traces": ("POST", "3.0/mlflow/traces/search"),
}

INJECTIONS = [
    "'; DROP TABLE tracking_runs; --",
    "name = 'x'; DELETE FROM tracking_experiments",
    "name = 'x' OR 1=1",
    "name = 'x' OR '1'='1'",
    "name = '' UNION SELECT name FROM sqlite_master --'",
    "name = 'x' /* comment */ AND name = 'y'",
    "name = 'x\\' OR 1=1 --'",
    "name LIKE '%' || (SELECT group_concat(name) FROM sqlite_master)",
    "name IN (SELECT name FROM sqlite_master)",
    "params.a = 'x'); DROP TABLE tracking_params; --",
    "params.\"a' OR 1=1 --\" = 'x'",
    "params.`a\"; DROP TABLE tracking_params` = 'x'",
    "tags.a LIKE '%' ESCAPE '\\'",
    "metrics.a > 1; ATTACH DATABASE '/tmp/other' AS x",
    "metrics.a > load_extension('x')",
    "metrics.a > 1e999",
    "metrics.a = nan",
    "metrics.a > (SELECT 1)",
    "attributes.start_time > 99999999999999999999999999",
    "start_time > 0x10",
    "name = :name",
    "name = ? AND name = $1 AND name = %s",
    "name = '%(name)s'",
    "name = '\0'",
    "\0",
    "a" * 100_000,
    "(" * 10_000,
    " AND ".join(["name = 'x'"] * 5_000),
    "name IN (" + ",".join("'a'" for _ in range(50_000)) + ")",
    "name LIKE '" + "%a" * 4_999 + "'",
    "name RLIKE '(a+)+$'",
    "trace.text LIKE '%'",
    "name = 'x' AND",
    "AND",
    "''''",
    "`",
    '"' * 1_001,
]

WORDS = st.sampled_from(
    'name status start_time metrics. params. tags. attributes. metrics.a params.`b` tags."c d" run_id dataset.name '
    "creation_timestamp version_number source_path aliases. request_metadata. feedback.x span.type trace.status "
    "= != <> == < > <= >= LIKE ILIKE RLIKE IN NOT IS NULL AND OR ( ) , ; -- /* */ ' '' \" ` \\ % _ \0 \n "
    "'x' 'a%' ('a','b') () 1 -1 1.5 1e400 nan inf 0x10 9999999999999999999999 true DROP TABLE SELECT 😀".split(
        " "
    )
)


@pytest.fixture
def state(tracking):
    """All tables with the number of their rows."""

    def look() -> dict[str, int]:
        with tracking.book.read() as tx:
            names = inspect(tx).get_table_names()
            return {each: tx.execute(text(f'SELECT count(*) FROM "{each}"')).scalar_one() for each in names}

    return look


def search(mlflow, subject: str, experiment: str, **given):
    method, path = SEARCHES[subject]
    if subject == "traces":
        given["locations"] = [
            {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
        ]
    elif subject in ("runs", "logged"):
        given["experiment_ids"] = [experiment]
    begun = time.monotonic()
    answer = mlflow.ask(method, path, query=given) if method == "GET" else mlflow.ask(method, path, given)
    assert time.monotonic() - begun < 5, given
    assert answer.status in (200, 400), (given, answer.body)
    assert answer.status == 200 or answer.json["error_code"] == "INVALID_PARAMETER_VALUE", answer.body
    return answer


@pytest.mark.parametrize("subject", SEARCHES)
def test_no_injection_reaches_the_database(mlflow, known, state, subject) -> None:
    before = state()
    for each in INJECTIONS:
        search(mlflow, subject, known["experiment_id"], filter=each)
        orders = [{"field_name": each}] if subject == "logged" else [each]
        search(mlflow, subject, known["experiment_id"], order_by=orders)
        search(mlflow, subject, known["experiment_id"], page_token=each)
    assert state() == before
    assert search(mlflow, subject, known["experiment_id"]).status == 200


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    subject=st.sampled_from(list(SEARCHES)),
    filter=st.lists(WORDS, max_size=14).map(" ".join) | st.lists(WORDS, max_size=8).map("".join) | st.text(),
    order=st.lists(WORDS, max_size=4).map(" ".join) | st.none(),
    token=st.none()
    | st.text(max_size=30)
    | st.binary(max_size=30).map(lambda each: base64.b64encode(each).decode()),
)
def test_no_filter_order_or_token_breaks_a_search(
    mlflow, known, state, subject, filter, order, token
) -> None:
    given: dict[str, object] = {"filter": filter}
    if order is not None:
        given["order_by"] = [{"field_name": order}] if subject == "logged" else [order]
    if token is not None:
        given["page_token"] = token
    before = state()
    search(mlflow, subject, known["experiment_id"], **given)
    assert state() == before


@pytest.mark.parametrize("subject", SEARCHES)
@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {},
        1,
        "x",
        {"offset": "1"},
        {"offset": -1},
        {"offset": 2**70},
        {"offset": 1.5},
        {"offset": True},
    ],
)
def test_a_token_of_somebody_s_own_is_refused_or_harmless(mlflow, known, subject, said) -> None:
    token = base64.b64encode(json.dumps(said).encode()).decode()
    search(mlflow, subject, known["experiment_id"], page_token=token)


def test_a_token_without_end_is_refused(mlflow, known) -> None:
    token = base64.b64encode(b"[" * 99_999).decode()
    for subject in SEARCHES:
        assert search(mlflow, subject, known["experiment_id"], page_token=token).status == 400
    for path, query in (
        ("2.0/mlflow/webhooks", {}),
        (
            "2.0/mlflow/metrics/get-history",
            {"run_id": known["run_id"], "metric_key": "a", "max_results": "5"},
        ),
    ):
        assert mlflow.ask("GET", path, query={**query, "page_token": token}).status == 400


# what a client wrote where others look for more


def test_tags_that_the_protocol_itself_reads_may_hold_anything(mlflow, known) -> None:
    run, model = known["run_id"], known["model_id"]
    for value in ("garbage", "[", "{}", "1", "null", '[{"name": 1}]', "[" * 9_000):
        for key in (
            "mlflow.log-model.history",
            "mlflow.runName",
            "mlflow.parentRunId",
            "mlflow.user",
            "mlflow.source.type",
        ):
            assert (
                mlflow.ask(
                    "POST", "2.0/mlflow/runs/set-tag", {"run_id": run, "key": key, "value": value}
                ).status
                == 200
            )
        tags = [{"key": "mlflow.modelVersions", "value": value}]
        assert mlflow.ask("PATCH", f"2.0/mlflow/logged-models/{model}/tags", {"tags": tags}).status == 200
        described = json.dumps({"artifact_path": "m", "flavors": {}, "utc_time_created": "x", "run_id": run})
        asked = {"run_id": run, "model_json": described}
        assert mlflow.ask("POST", "2.0/mlflow/runs/log-model", asked).status == 200
        asked = {"name": known["name"], "source": f"models:/{model}", "model_id": model}
        assert mlflow.ask("POST", "2.0/mlflow/model-versions/create", asked).status == 200
        assert mlflow.ask("GET", "2.0/mlflow/runs/get", query={"run_id": run}).status == 200
        assert (
            mlflow.ask("POST", "2.0/mlflow/runs/search", {"experiment_ids": [known["experiment_id"]]}).status
            == 200
        )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"[]",
        b"null",
        b'{"spans": 1}',
        b'{"spans": [1]}',
        b'{"spans": [{}]}',
        b"\xff",
        b"[" * 99_999,
    ],
)
def test_a_file_of_spans_that_is_none_hides_no_trace(mlflow, known, content) -> None:
    found = mlflow.ask("GET", f"3.0/mlflow/traces/{known['trace_id']}").json["trace"]["trace_info"]
    place = found["tags"]["mlflow.artifactLocation"].removeprefix("mlflow-artifacts:/")
    path = f"2.0/mlflow-artifacts/artifacts/{place}/traces.json"
    assert mlflow.ask("PUT", path, body=content).status == 200
    for way in ("3.0/mlflow/traces/get", "3.0/mlflow/traces/batchGet"):
        answer = mlflow.ask(
            "GET",
            way,
            query={"trace_id": known["trace_id"], "trace_ids": known["trace_ids"], "allow_partial": "true"},
        )
        assert answer.status in (200, 404), answer.body


def test_a_shape_that_this_file_cannot_fill_would_be_noticed() -> None:
    class Inner(msgspec.Struct):
        n: int

    class Outer(msgspec.Struct):
        inner: list[Inner]
        text: str | None = None

    body = good(shape.type_info(Outer), {})
    assert body == {"inner": [{"n": 1}], "text": "k"}
    assert list(places(body)) == [(), ("inner",), ("inner", 0), ("inner", 0, "n"), ("text",)]
    assert with_value(body, ("inner", 0, "n"), "x") == {"inner": [{"n": "x"}], "text": "k"}
