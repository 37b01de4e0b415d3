"""Labels over the wire in every form, and bodies that nobody should send."""

import asyncio
import csv
import io
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.doors.http.inference import feedback
from mlwright.doors.http.inference.exchange import Request, Response
from mlwright.errors import BadRequest, NotFound, Overloaded, StorageError
from mlwright.model.predictions import FeedbackReceipt, LabelBlock
from mlwright.model.settings import EndpointSettings, LabelSettings
from mlwright.stages.serving.feedback import Repeats, check_labels
from mlwright.testing.fakes.clock import ManualClock

NOON = 1_364_817_600_000_000
CSV, NDJSON = "text/csv; charset=utf-8", "application/x-ndjson"


class Core:
    """An endpoint that keeps the labels it was given."""

    def __init__(self) -> None:
        label = LabelSettings(column="late", horizon=timedelta(hours=12), observed="landed")
        self.spec = EndpointSettings(
            name="delay", model="m@champion", entity="flight", timestamp="predicted_at", label=label
        )
        self.clock = ManualClock()
        self.blocks: list[LabelBlock] = []
        self.error: Exception | None = None
        self._repeats = Repeats()

    def feedback(self, block: LabelBlock) -> FeedbackReceipt:
        if self.error is not None:
            raise self.error
        check_labels(block)
        self.blocks.append(block)
        return FeedbackReceipt(
            endpoint="delay",
            accepted=len(block.labels),
            at=self.clock.now(),
            repeated=self._repeats.count(block),
        )


class Host:
    """Endpoints by name."""

    def __init__(self, **cores: Core) -> None:
        self.cores = cores

    def core(self, name: str) -> Core:
        if name not in self.cores:
            raise NotFound.named("endpoint", name, self.cores)
        return self.cores[name]


@pytest.fixture
def core() -> Core:
    return Core()


@pytest.fixture
def host(core) -> Host:
    return Host(delay=core, churn=Core())


def request(body: object, kind: str = "application/json", query: str = "") -> Request:
    if not isinstance(body, bytes):
        body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Request("POST", "/v1/feedback", query, {"content-type": kind}, body, "127.0.0.1", 0.0)


def refusal(host: Host, *args: str | object, **more: str) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        feedback.taken(request(*args, **more), host)
    return caught.value


ROWS = [
    {"prediction_id": "a.0", "label": 1.0},
    {"prediction_id": "a.1", "label": 0.0},
    {"entity_key": "AA 1", "event_time": NOON, "observed_at": NOON + 5, "label": 1.0},
]
FILE = f"""prediction_id,entity_key,event_time,observed_at,label,remark
a.0,,,,1,"fine, thanks"
a.1,,,,false,
,AA 1,{NOON},2013-04-01T12:00:00.000005Z,1.0,
"""


@pytest.mark.parametrize(
    ("body", "kind", "query"),
    [
        (ROWS, "application/json", "endpoint=delay"),
        ([{"endpoint": "delay", **row} for row in ROWS], "application/json", ""),
        ("\n".join(map(json.dumps, ROWS)), NDJSON, "endpoint=delay"),
        ("\r\n".join(map(json.dumps, ROWS)) + "\r\n\r\n", "application/jsonl", "endpoint=delay"),
        (FILE, CSV, "endpoint=delay"),
        ("\ufeff" + FILE.replace("\n", "\r\n"), CSV, "endpoint=delay"),
        (
            {
                "endpoint": "delay",
                "prediction_id": ["a.0", "a.1", None],
                "entity_key": [None, None, "AA 1"],
                "event_time": [None, None, "2013-04-01T14:00:00+02:00"],
                "observed_at": [None, None, NOON + 5],
                "label": [1, False, True],
            },
            "application/x-www-form-urlencoded",
            "",
        ),
    ],
)
def test_one_block_whatever_the_form(core, host, body, kind, query) -> None:
    answer = feedback.taken(request(body, kind, query), host)
    assert json.loads(answer.body) == {"accepted": 3, "repeated": 0}
    [block] = core.blocks
    now = block.received_at
    assert block == LabelBlock(
        endpoint="delay",
        received_at=now,
        prediction_ids=["a.0", "a.1", ""],
        entity_keys=["", "", "AA 1"],
        labels=[1.0, 0.0, 1.0],
        observed_at=[now, now, NOON + 5],
        event_times=[None, None, NOON],
    )


def test_single_label_by_the_endpoints_own_names(core, host) -> None:
    body = {"endpoint": "delay", "flight": "AA 1", "predicted_at": NOON, "landed": NOON + 1, "late": True}
    feedback.taken(request(body), host)
    [block] = core.blocks
    assert (block.entity_keys, block.event_times, block.observed_at) == (["AA 1"], [NOON], [NOON + 1])
    assert (block.labels, block.prediction_ids) == ([1.0], [])


def test_again_changes_nothing_and_says_so(host) -> None:
    body = {"prediction_id": ["a.0", "a.1"], "label": [1, 0], "observed_at": [NOON, NOON]}
    assert json.loads(feedback.taken(request(body, query="endpoint=delay"), host).body)["repeated"] == 0
    body["label"] = [1, 1]
    assert json.loads(feedback.taken(request(body, query="endpoint=delay"), host).body)["repeated"] == 1
    assert json.loads(feedback.taken(request(body, query="endpoint=delay"), host).body)["repeated"] == 2


def test_the_only_endpoint_needs_no_name(core) -> None:
    assert feedback.taken(request({"prediction_id": "a.0", "label": 1}), Host(delay=core)).status == 200


def test_which_endpoint(host) -> None:
    assert refusal(host, {"prediction_id": "a", "label": 1}).faults[0].where == "endpoint"
    two = [{"endpoint": name, "prediction_id": "a", "label": 1} for name in ("delay", "churn")]
    assert "one endpoint" in refusal(host, two).what
    with pytest.raises(NotFound, match="did you mean 'delay'"):
        feedback.taken(request({"endpoint": "dellay", "prediction_id": "a", "label": 1}), host)


@pytest.mark.parametrize(
    ("body", "kind", "where"),
    [
        ({"prediction_id": ["a", "b"], "label": ["yes", 1]}, "", ["label[0]"]),
        ({"prediction_id": ["a", "b"], "label": [None, 0.5]}, "", ["label[0]"]),
        ({"prediction_id": ["a", "b"], "label": [1, 10**400]}, "", ["label[1]"]),
        ({"prediction_id": ["a"], "label": [1, 0]}, "", ["prediction_id"]),
        (
            {"prediction_id": [5], "label": [1], "observed_at": ["noon"]},
            "",
            ["prediction_id[0]", "observed_at[0]"],
        ),
        ({"prediction_id": [""], "label": [1]}, "", ["prediction_id"]),
        ({"prediction_id": ["a", ""], "label": [1, 0]}, "", ["prediction_id[1]"]),
        ({"label": [1]}, "", ["prediction_id"]),
        ({"prediction_id": "a", "label": [1]}, "", ["prediction_id"]),
        ({"prediction_id": "a"}, "", ["label"]),
        ({"prediction_id": "a", "label": 1, "lable": 1}, "", ["lable"]),
        ({"prediction_id": "a", "label": 1, "event_time": NOON}, "", ["event_time"]),
        ({"entity_key": "a", "label": 1, "event_time": 9, "observed_at": 8}, "", ["event_time[0]"]),
        ({"prediction_id": "a", "label": 1, "observed_at": 10**30}, "", ["observed_at[0]"]),
        ({"prediction_id": "a", "label": 1, "observed_at": True}, "", ["observed_at[0]"]),
        (3, "", ["$"]),
        ([1, {"label": 1}, None], "", ["[0]", "[2]"]),
        ("{}\n{", NDJSON, ["line 2"]),
        ("prediction_id,label\na,1\nb\n", CSV, ["line 3"]),
        ('prediction_id,label\n"a,1\n', CSV, ["line 2"]),
        ("prediction_id,label\na,\nb,nan\nc,no", CSV, ["label[0]", "label[2]"]),
        ("prediction_ids,label\na,1", CSV, ["prediction_ids"]),
        ("", CSV, ["label"]),
        ("", NDJSON, ["label"]),
    ],
)
def test_refused_whole_with_all_faults(core, host, body, kind, where) -> None:
    error = refusal(host, body, kind, query="endpoint=delay")
    assert [each.where for each in error.faults] == where
    assert core.blocks == []


def test_no_more_than_twenty_faults(host) -> None:
    body = {"prediction_id": [f"{row}" for row in range(90)], "label": ["x"] * 90}
    assert len(refusal(host, body, query="endpoint=delay").faults) == 20


@pytest.mark.parametrize("body", [b"\xff\xfe", b"{", b"[" * 100_000, b""])
def test_bodies_that_are_nothing(host, body) -> None:
    for kind in ("application/json", NDJSON, CSV, "multipart/form-data; boundary=x"):
        refusal(host, body, kind, query="endpoint=delay")


def test_more_rows_than_one_request_may_have(host, monkeypatch) -> None:
    monkeypatch.setattr("mlwright.doors.http.inference.feedback_body.MOST_ROWS", 2)
    for body, kind in ((ROWS, ""), ("\n".join(map(json.dumps, ROWS)), NDJSON), (FILE, CSV)):
        assert "more than 2" in refusal(host, body, kind, query="endpoint=delay").what


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just([])
names = st.sampled_from(["label", "prediction_id", "entity_key", "event_time", "observed_at", "late", "x"])


@given(st.lists(st.dictionaries(names, values, max_size=5), max_size=5))
def test_any_rows_are_taken_or_refused(rows) -> None:
    for body, kind in ((rows, ""), ("\n".join(map(json.dumps, rows)), NDJSON), (_csv(rows), CSV)):
        core = Core()
        try:
            feedback.taken(request(body, kind), Host(delay=core))
        except BadRequest:
            assert core.blocks == []
        else:
            assert len(core.blocks) == 1


def _csv(rows: list[dict[str, object]]) -> str:
    columns = sorted({name for row in rows for name in row})
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def replies(host: Host, *requests: Request) -> list[Response]:
    async def ask() -> list[Response]:
        loop = asyncio.get_running_loop()
        waiting = [loop.create_future() for _ in requests]
        for each, future in zip(requests, waiting, strict=True):
            feedback.handle(each, host, future.set_result)
        return await asyncio.gather(*waiting)

    return asyncio.run(ask())


def test_the_loop_does_not_wait_for_the_disk(core, host) -> None:
    sent = [request({"endpoint": "delay", "prediction_id": f"a.{n}", "label": 1}) for n in range(20)]
    assert [each.status for each in replies(host, *sent)] == [200] * 20
    assert [block.prediction_ids[0] for block in core.blocks] == [f"a.{n}" for n in range(20)]


def test_errors_of_the_thread_are_answered(core, host) -> None:
    core.error = StorageError("no space")
    good = request({"endpoint": "delay", "prediction_id": "a", "label": 1})
    [full, bad] = replies(host, good, request("["))
    assert (full.status, bad.status) == (503, 400)
    core.error = ZeroDivisionError("the secret")
    [broken] = replies(host, good)
    assert broken.status == 500
    assert b"secret" not in broken.body


def test_more_than_memory_should_hold_is_refused_at_once(core, host, monkeypatch) -> None:
    monkeypatch.setattr(feedback, "_MOST_WAITING_BYTES", 100)
    body = request({"endpoint": "delay", "prediction_id": "a" * 60, "label": 1})
    with pytest.raises(Overloaded):
        replies(host, body, body)
    feedback._desk._thread.submit(int).result()
    assert len(core.blocks) <= 1


def test_repeats_forget_the_oldest(monkeypatch) -> None:
    monkeypatch.setattr("mlwright.stages.serving.feedback._MOST_REMEMBERED", 2)
    repeats = Repeats()

    def block(*ids: str) -> LabelBlock:
        rows = len(ids)
        return LabelBlock(
            endpoint="e",
            received_at=1,
            prediction_ids=list(ids),
            entity_keys=[],
            labels=[1.0] * rows,
            observed_at=[1] * rows,
        )

    assert repeats.count(block("a", "b", "c")) == 0
    assert repeats.count(block("b", "c")) == 2
    assert repeats.count(block("a")) == 0
    assert repeats.count(block(*(["a"] * 10_001))) is None
