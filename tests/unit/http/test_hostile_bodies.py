"""Bodies that would cost many times what they are worth: refused, and no more said of them than twenty faults."""

import json
from time import monotonic

import pytest

from mlwright.doors.http.inference import invocations, oip, tfserving
from mlwright.doors.http.inference.exchange import Request
from mlwright.doors.http.inference.feedback_body import read_labels
from mlwright.errors import BadRequest, near_match
from mlwright.model.registry import Field
from mlwright.stages.serving.form import Form
from mlwright.stages.serving.inputs import time_faults, wrong_values

ROWS = 50_000


def form(*, extra: str = "ignore", inputs: bool = True) -> Form:
    fields = (
        (Field(name="a", type="double"), Field(name="b", type="string", required=False)) if inputs else ()
    )
    return Form(
        endpoint="m",
        model="m",
        version="1",
        generation=1,
        inputs=fields,
        outputs=(Field(name="score", type="double"),),
        entity="who",
        timestamp="at",
        keyed=False,
        extra=extra,
    )


def request(body: object, **headers: str) -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", "/", "", headers, raw, "10.0.0.1", monotonic())


def refusal(call, *arguments) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        call(*arguments)
    assert len(caught.value.faults) <= 20
    assert len(str(caught.value)) < 10_000
    return caught.value


@pytest.mark.parametrize("read", [tfserving.classify, tfserving.regress])
def test_a_context_is_not_written_into_every_example(read) -> None:
    """50 million values out of a few kilobytes."""
    context = {f"c{at}": 1 for at in range(1000)}
    error = refusal(read, request({"context": context, "examples": [{}] * ROWS}), form())
    assert error.faults[0].where == "context"


def test_a_context_holds_for_all_examples() -> None:
    ask, _ = tfserving.classify(request({"context": {"a": 1.5}, "examples": [{"b": "x"}, {}]}), form())
    assert dict(ask.columns) == {"a": [1.5, 1.5], "b": ["x", None]}


@pytest.mark.parametrize("inputs", [True, False])
@pytest.mark.parametrize(
    ("read", "key"),
    [
        (tfserving.predict, "instances"),
        (tfserving.classify, "examples"),
        (invocations.parse, "dataframe_records"),
    ],
)
def test_rows_that_each_name_another_column_are_refused(read, key, inputs) -> None:
    """Two and a half billion values out of a megabyte."""
    rows = [{f"c{at}": 1} for at in range(ROWS)]
    headers = {"content-type": "application/json"}
    error = refusal(read, request({key: rows}, **headers), form(inputs=inputs))
    assert f"{ROWS} rows name {ROWS} columns" in error.faults[0].what


def test_rows_with_holes_are_no_such_thing() -> None:
    rows = [{"a": 1.0, "b": "x"}] + [{"a": 2.0}] * 2000
    ask, _ = tfserving.predict(request({"instances": rows}), form())
    assert ask.rows == 2001
    assert ask.columns["b"][:2] == ["x", None]


@pytest.mark.parametrize("extra", ["ignore", "reject"])
@pytest.mark.parametrize(
    ("read", "body"),
    [
        (tfserving.predict, {"instances": [{}] * ROWS}),
        (tfserving.predict, {"instances": [[]] * ROWS}),
        (tfserving.predict, {"instances": [{f"c{at}": 1 for at in range(ROWS)}]}),
        (tfserving.predict, {"inputs": {"a": [[1, 2]] * ROWS}}),
        (tfserving.predict, {"inputs": {"a": [{"b64": 1}] * ROWS}}),
        (tfserving.predict, {"inputs": {f"c{at}": [1] * (1 + at % 2) for at in range(ROWS)}}),
        (tfserving.classify, {"context": {"a": 1}, "examples": [{"a": 1}] * ROWS}),
        (oip.parse, {"inputs": [{"name": "a", "shape": [1], "datatype": "FP64", "data": [1]}] * ROWS}),
        (oip.parse, {"inputs": [{"name": "a", "shape": [ROWS], "datatype": "FP64", "data": ["x"] * ROWS}]}),
        (oip.parse, {"inputs": [], "outputs": [{"name": "nope"}] * 900}),
        (oip.parse, {"inputs": [], "outputs": [{"name": "score"}] * ROWS}),
        (oip.parse, {"inputs": [], "parameters": {"entity": [1] * ROWS, "timestamp": ["x"] * ROWS}}),
    ],
)  # fmt: skip
def test_no_more_than_twenty_faults_are_made(read, body, extra) -> None:
    refusal(read, request(body), form(extra=extra))


@pytest.mark.parametrize(
    "body",
    [
        b",".join([b"a"] * ROWS) + b"\n1\n",
        b"a,b\n" + b"1\n" * ROWS,
        b"a,b\n" + b"x,y\n" * ROWS,
    ],
)
def test_nor_of_a_csv(body) -> None:
    refusal(invocations.parse, request(body, **{"content-type": "text/csv"}), form())


@pytest.mark.parametrize(
    "body",
    [
        [{f"c{at}": 1} for at in range(20_000)],
        [{f"c{at}": 1 for at in range(1000)}, *[{}] * ROWS],
        [1] * ROWS,
        {"label": [1]} | {f"c{at}": at for at in range(ROWS)},
    ],
)
def test_labels_that_are_mostly_holes_are_refused(body) -> None:
    refusal(read_labels, request(body))


def test_what_is_wrong_at_the_end_of_a_long_column_is_found() -> None:
    column = [1.0] * 100_000 + ["x"] * 50
    faults = wrong_values(Field(name="a", type="double"), column)
    assert faults[0].where == "a[100000]"
    assert "'x' (str)" in faults[0].what
    assert 20 <= len(faults) <= 256
    assert len(time_faults([-(2**62)] * ROWS, "at")) == 20


def test_a_word_is_compared_with_no_more_than_500_short_ones() -> None:
    assert near_match("distance", ["distanc", "hour"]) == "distanc"
    assert near_match("distance", [f"c{at}" for at in range(ROWS)]) is None
    assert near_match("d" * 200, ["d" * 200]) is None
    assert near_match("distance", ["distance" * 20]) is None
