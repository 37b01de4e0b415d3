"""Bodies of every protocol become asks, and answers bodies: fast ways and careful ways say the same."""

import json
import struct
from time import monotonic

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.doors.http.inference import invocations, oip, oip_binary, surfaces, tfserving
from mlwright.doors.http.inference.answering import headed, predictions
from mlwright.doors.http.inference.exchange import Request
from mlwright.doors.http.inference.parsing import ask_of, deadline_of
from mlwright.doors.http.inference.tensors import NUMPY, TYPES
from mlwright.errors import BadRequest, SignatureMismatch, Unsupported
from mlwright.model.registry import Field
from mlwright.stages.serving.asks import Answer
from mlwright.stages.serving.form import Form

SCORE = (Field(name="score", type="double"),)
MIXED = {"carrier": "string", "distance": "double", "hour": "long", "night": "boolean"}


def form(inputs=("a", "b"), *, keyed=False, extra="ignore", outputs=SCORE, **kinds) -> Form:
    fields = tuple(
        each if isinstance(each, Field) else Field(name=each, type=kinds.get(each, "double"))
        for each in inputs
    )
    return Form(
        endpoint="delay",
        model="m",
        version="3",
        generation=1,
        inputs=fields,
        outputs=outputs,
        entity="flight",
        timestamp="at",
        keyed=keyed,
        extra=extra,
    )


IMAGE = form((Field(name="image", type="float", shape=(2, -1)),))


def request(body, **headers) -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "/", "", named, raw, "10.0.0.1", monotonic())


def tensor(name, data, datatype="FP64", shape=None, **more):
    return {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": data, **more}


def values(ask, names=("a", "b")):
    """The rows of an ask as lists of plain values, however they are held."""
    if ask.matrix is not None:
        return [row if isinstance(row, list) else [*map(float, row)] for row in ask.matrix]
    plain = [c.tolist() if isinstance(c, np.ndarray) else list(c) for c in (ask.columns[n] for n in names)]
    return [list(row) for row in zip(*plain, strict=True)]


def faults(parse, sent, its_form, **headers):
    with pytest.raises(BadRequest) as caught:
        parse(request(sent, **headers), its_form)
    return {fault.where: fault for fault in caught.value.faults}


def answer(rows=1, **outputs) -> Answer:
    outputs = outputs or {"score": np.linspace(0.25, 0.75, rows)}
    return Answer(id="abc", rows=rows, outputs=outputs, variants=["champion"] * rows, versions=["m/3"] * rows)


# ---------------------------------------------------------------------- the same rows, however they are sent

SENT = {
    "oip one tensor": (oip.parse, {"inputs": [tensor("x", [1, 2, 3.5, 4], shape=[2, 2])]}),
    "oip nested": (oip.parse, {"inputs": [tensor("x", [[1, 2], [3.5, 4]], shape=[2, 2])]}),
    "oip named": (oip.parse, {"inputs": [tensor("b", [2, 4]), tensor("a", [1, 3.5], shape=[2, 1])]}),
    "oip named nested": (
        oip.parse,
        {"inputs": [tensor("a", [[1], [3.5]], shape=[2, 1]), tensor("b", [2, 4], "INT8")]},
    ),
    "split": (invocations.parse, {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3.5, 4]]}}),
    "split turned": (
        invocations.parse,
        {"dataframe_split": {"columns": ["b", "a"], "data": [[2, 1], [4, 3.5]]}},
    ),
    "split without names": (
        invocations.parse,
        {"dataframe_split": {"data": [[1, 2], [3.5, 4]], "index": [0, 1]}},
    ),
    "records": (
        invocations.parse,
        {"dataframe_records": [{"a": 1, "b": 2}, {"b": 4, "a": 3.5}], "params": {}},
    ),
    "mlflow instances": (invocations.parse, {"instances": [[1, 2], [3.5, 4]]}),
    "mlflow inputs": (invocations.parse, {"inputs": {"a": [1, 3.5], "b": [2, 4]}}),
    "mlflow inputs rows": (invocations.parse, {"inputs": [[1, 2], [3.5, 4]]}),
    "tf rows": (tfserving.predict, {"signature_name": "serving_default", "instances": [[1, 2], [3.5, 4]]}),
    "tf records": (tfserving.predict, {"instances": [{"a": 1, "b": 2}, {"a": 3.5, "b": 4}]}),
    "tf columns": (tfserving.predict, {"inputs": {"a": [1, 3.5], "b": [[2], [4]]}}),
    "regress": (tfserving.regress, {"examples": [{"a": 1, "b": 2}, {"a": [3.5], "b": 4}]}),
}


@pytest.mark.parametrize("name", SENT)
@pytest.mark.parametrize("keyed", [False, True])
def test_every_protocol_says_the_same_rows(name, keyed) -> None:
    parse, body = SENT[name]
    if not keyed:
        ask, _ = parse(request(body), form())
        assert values(ask) == [[1, 2], [3.5, 4]]
        assert (ask.rows, ask.keys, ask.times, ask.client) == (2, None, None, "10.0.0.1")
    else:
        assert {"flight", "at"} <= faults(parse, body, form(keyed=True)).keys()


def test_keys_and_times_come_with_the_rows() -> None:
    keyed = form(keyed=True)
    tensors = [
        tensor("a", [1.0]),
        tensor("b", [2.0]),
        tensor("flight", ["UA"], "BYTES"),
        tensor("at", [5], "INT64"),
    ]
    said = {"entity": "UA", "timestamp": 5}
    whole = [tensor("x", [1, 2], shape=[1, 2])]
    row = {"a": 1, "b": 2, "flight": "UA", "at": 5}
    headers = {"x_mlwright_entity": "UA", "x_mlwright_event_time": "1970-01-01T00:00:00.000005Z"}
    asks = [
        oip.parse(request({"inputs": tensors}), keyed)[0],
        oip.parse(request({"inputs": whole + tensors[2:]}), keyed)[0],
        oip.parse(request({"inputs": whole, "parameters": said}), keyed)[0],
        oip.parse(request({"inputs": whole}, **headers), keyed)[0],
        invocations.parse(request({"dataframe_records": [row]}), keyed)[0],
        invocations.parse(
            request({"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}), keyed
        )[0],
        invocations.parse(request(b"a,b,flight,at\n1,2,UA,5\n", content_type="text/csv"), keyed)[0],
        tfserving.predict(request({"instances": [row]}), keyed)[0],
        tfserving.predict(request({"instances": [[1, 2]]}, **headers), keyed)[0],
    ]
    for ask in asks:
        assert (values(ask), ask.keys, ask.times) == ([[1, 2]], ["UA"], [5])
    assert len({ask.id for ask in asks}) == len(asks)


def test_types_of_a_mixed_form_stay() -> None:
    mixed = form(MIXED, **MIXED)
    row = {"carrier": "UA", "distance": 2.5, "hour": 2**60 + 1, "night": True}
    datatypes = {"carrier": "BYTES", "distance": "FP32", "hour": "INT64", "night": "BOOL"}
    tensors = [tensor(name, [row[name]], datatypes[name]) for name in row]
    for parse, body in (
        (oip.parse, {"inputs": tensors}),
        (invocations.parse, {"dataframe_records": [row]}),
        (invocations.parse, {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}),
        (tfserving.predict, {"instances": [row]}),
        (tfserving.predict, {"inputs": {name: [value] for name, value in row.items()}}),
    ):
        ask, _ = parse(request(body), mixed)
        assert {name: list(column) for name, column in ask.columns.items()} == {
            n: [v] for n, v in row.items()
        }
    csv = b"carrier,distance,hour,night\nUA,2.5,1152921504606846977,true\n,,,\n"
    ask, _ = invocations.parse(request(csv, content_type="text/csv; charset=utf-8"), mixed)
    assert values(ask, row) == [list(row.values()), [None] * 4]


def test_whole_numbers_of_64_bits_are_exact() -> None:
    wide = form(a="long")
    for body in ({"instances": [[2**53 + 1, 1]]}, {"dataframe_records": [{"a": 2**53 + 1, "b": 1}]}):
        parse = invocations.parse
        ask, _ = parse(request(body), wide)
        assert next(iter(ask.columns["a"] if ask.columns else [ask.matrix[0][0]])) == 2**53 + 1
    ask, _ = oip.parse(request({"inputs": [tensor("x", [2**53 + 1, 1], "INT64", [1, 2])]}), wide)
    assert list(ask.columns["a"]) == [2**53 + 1]


def test_numbers_that_json_has_not_are_read() -> None:
    for parse, body in (
        (invocations.parse, b'{"dataframe_split": {"columns": ["a", "b"], "data": [[NaN, 2.0]]}}'),
        (tfserving.predict, b'{"instances": [[NaN, 2.0]]}'),
        (oip.parse, b'{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [NaN, 2.0]}]}'),
    ):
        ask, _ = parse(request(body), form())
        row = values(ask)[0]
        assert np.isnan(row[0]), body
        assert row[1] == 2.0


def test_tensors_have_their_shape() -> None:
    nested = [[[1, 2, 3], [4, 5, 6]]]
    flat = [1, 2, 3, 4, 5, 6]
    for parse, body in (
        (oip.parse, {"inputs": [tensor("anything", flat, "FP32", [1, 2, 3])]}),
        (oip.parse, {"inputs": [tensor("image", nested, "FP32", [1, 2, 3])]}),
        (tfserving.predict, {"instances": nested}),
        (tfserving.predict, {"instances": [{"image": nested[0]}]}),
        (tfserving.predict, {"inputs": {"image": nested}}),
        (invocations.parse, {"inputs": nested}),
        (invocations.parse, {"instances": nested}),
    ):
        ask, _ = parse(request(body), IMAGE)
        assert np.asarray(ask.columns["image"]).tolist() == nested
    wrong = faults(oip.parse, {"inputs": [tensor("image", flat, "FP32", [1, 3, 2])]}, IMAGE)
    assert "[-1, 2, -1]" in wrong["image"].what
    assert "image" in faults(tfserving.predict, {"instances": [[[1, 2], [3]]]}, IMAGE)


def test_bytes_and_times_have_their_own_texts() -> None:
    odd = form(raw="binary", when="datetime", inputs=("raw", "when"))
    raw, when = b"\xff\x00a", 1_000_000
    for parse, body in (
        (tfserving.predict, {"instances": [{"raw": {"b64": "/wBh"}, "when": "1970-01-01T00:00:01Z"}]}),
        (invocations.parse, {"dataframe_records": [{"raw": "/wBh", "when": "1970-01-01T01:00:01+01:00"}]}),
        (
            oip.parse,
            {
                "inputs": [
                    tensor("raw", ["/wBh"], "BYTES", parameters={"content_type": "base64"}),
                    tensor("when", ["1970-01-01T00:00:01"], "BYTES"),
                ]
            },
        ),
    ):
        ask, _ = parse(request(body), odd)
        assert (list(ask.columns["raw"]), list(ask.columns["when"])) == ([raw], [when])
    assert {"raw[0]", "when[0]"} == set(
        faults(invocations.parse, {"dataframe_records": [{"raw": 5, "when": "soon"}]}, odd)
    )


# ---------------------------------------------------------------------- faults


def test_all_faults_are_named() -> None:
    body = {
        "inputs": [
            tensor("a", ["x", 2.0, None]),
            tensor("bb", [1, 2, 3], "INT8", [3]),
            tensor("c", [300, 1, 1], "UINT8"),
            tensor("d", [1.0], "FP65"),
        ]
    }
    found = faults(oip.parse, body, form(("a", "b", "c", "d"), extra="reject"))
    assert found.keys() == {"a[0]", "bb", "b", "c[0]", "d"}
    assert found["b"].near == "bb"
    assert found["d"].near == "FP64"
    found = faults(
        invocations.parse, {"dataframe_records": [{"a": 1, "bb": 2}, {"b": 1}]}, form(extra="reject")
    )
    assert {"a[1]", "b[0]"} <= found.keys()
    found = faults(tfserving.classify, {"context": {"a": 1}, "examples": [{"a": 2, "b": 1}]}, form())
    assert "examples[0].a" in found


def test_lengths_have_to_agree() -> None:
    found = faults(oip.parse, {"inputs": [tensor("a", [1.0, 2.0]), tensor("b", [1.0])]}, form())
    assert "'a' has 2" in found["b"].what
    assert "a" in faults(oip.parse, {"inputs": [tensor("a", [1.0], shape=[3]), tensor("b", [1.0])]}, form())
    assert faults(oip.parse, {"inputs": [tensor("x", [], shape=[0, 2])]}, form())
    assert faults(invocations.parse, {"dataframe_records": []}, form())


def test_what_nobody_asked_for_is_handed_on_or_refused() -> None:
    row = {"a": 1, "b": 2, "bb": 3}
    for parse, body in (
        (invocations.parse, {"dataframe_records": [row]}),
        (tfserving.predict, {"instances": [row]}),
        (oip.parse, {"inputs": [tensor(name, [value]) for name, value in row.items()]}),
    ):
        assert parse(request(body), form())[0].columns["bb"] == [
            3
        ]  # a view's feature may be sent in its place
        assert faults(parse, body, form(extra="reject"))["bb"].near == "b"


def test_a_model_without_a_signature_gets_what_is_sent() -> None:
    free = form((), outputs=())
    assert invocations.parse(request({"instances": [[1, 2]]}), free)[0].matrix == [[1.0, 2.0]]
    assert invocations.parse(request({"inputs": {"x": ["t"]}}), free)[0].columns == {"x": ["t"]}
    ask, _ = oip.parse(request({"inputs": [tensor("x", [1, 2, 3, 4], "INT32", [2, 2])]}), free)
    assert ask.columns["x"].tolist() == [[1, 2], [3, 4]]


def test_deadlines() -> None:
    asked = request({}, x_mlwright_deadline_ms="250")
    assert deadline_of(asked) == pytest.approx(asked.received + 0.25)
    assert deadline_of(asked, 1000) == pytest.approx(asked.received + 0.001)
    assert deadline_of(request({}), 0) == float("inf")
    body = {"inputs": [tensor("x", [1, 2], shape=[1, 2])], "parameters": {"timeout": 2_000_000}}
    sent = request(body, traceparent="00-1-2-01")
    ask, _ = oip.parse(sent, form())
    assert ask.deadline == pytest.approx(sent.received + 2)
    assert ask.trace == "00-1-2-01"
    for told in ("soon", "-1", "nan", "0"):
        with pytest.raises(BadRequest):
            deadline_of(request({}, x_mlwright_deadline_ms=told))
    assert "parameters.timeout" in faults(oip.parse, body | {"parameters": {"timeout": "1"}}, form())


def test_ids_are_never_the_same() -> None:
    assert len({ask_of(request({}), form(), 1).id for _ in range(1000)}) == 1000


# ---------------------------------------------------------------------- binary

NUMBERS = sorted(set(NUMPY) - {"BYTES"})


def packed(*tensors, **more) -> Request:
    """A request in the binary extension: (name, datatype, shape, bytes) each."""
    described = [
        {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(raw)}}
        for name, datatype, shape, raw in tensors
    ]
    head = json.dumps({"inputs": described, **more}).encode()
    body = head + b"".join(raw for *_, raw in tensors)
    return request(body, inference_header_content_length=str(len(head)))


@given(st.data())
def test_binary_tensors_are_what_json_says(data) -> None:
    datatype = data.draw(st.sampled_from(NUMBERS))
    dtype = np.dtype(NUMPY[datatype])
    if dtype.kind == "b":
        one = st.booleans()
    elif dtype.kind == "f":
        one = st.floats(allow_nan=False, width=dtype.itemsize * 8)
    else:
        one = st.integers(int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    column = data.draw(
        st.lists(one.filter(lambda value: abs(float(value)) != float("inf")), min_size=1, max_size=5)
    )
    array = np.array(column, dtype=dtype)
    its_form = form(("a",), a="long" if dtype.kind in "iu" else "double")
    raw, _ = oip.parse(packed(("a", datatype, [len(column)], array.tobytes())), its_form)
    plain, _ = oip.parse(request({"inputs": [tensor("a", array.tolist(), datatype)]}), its_form)
    assert values(raw, "a") == values(plain, "a") == [[value] for value in array.tolist()]
    assert oip_binary.packed(array) == array.tobytes()


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=6))
def test_binary_texts_come_back(texts) -> None:
    raw = oip_binary.packed_texts(texts)
    assert len(raw) == sum(4 + len(text.encode()) for text in texts)
    ask, _ = oip.parse(packed(("a", "BYTES", [len(texts)], raw)), form(a="string", inputs=("a",)))
    assert list(ask.columns["a"]) == texts


def test_a_binary_matrix_is_a_matrix() -> None:
    array = np.arange(6, dtype="<f4").reshape(3, 2)
    ask, _ = oip.parse(packed(("x", "FP32", [3, 2], array.tobytes())), form())
    assert ask.matrix.tolist() == array.tolist()
    mixed = [("a", "FP64", [1], struct.pack("<d", 1.5)), ("flight", "BYTES", [1], b"\x02\x00\x00\x00UA")]
    ask, _ = oip.parse(packed(*mixed), form(("a",)))
    assert (ask.keys, values(ask, "a")) == (["UA"], [[1.5]])


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (("x", "BF16", [1, 2], b"\0\0\0\0"), "BF16"),
        (("x", "FP32", [1, 2], b"\0" * 7), "8 bytes"),
        (("x", "FP32", [-1, 2], b""), "from 1 on"),
        (("x", "BYTES", [1], b"\x09\0\0\0a"), "texts"),
        (("x", "INT8", [1 << 62, 1 << 62], b"a"), "bytes"),
    ],
)
def test_binary_that_does_not_fit_is_refused(sent, said) -> None:
    with pytest.raises(BadRequest) as caught:
        oip.parse(packed(sent), form())
    assert said in str(caught.value)


def test_the_binary_header_has_to_be_right() -> None:
    for told in ("0", "-3", "x", "999", "", "9" * 40, "²"):
        with pytest.raises(BadRequest):
            oip.parse(request(b"{}", inference_header_content_length=told), form())
    good = packed(("x", "FP32", [1, 2], b"\0" * 8))
    with pytest.raises(BadRequest, match="belong to no tensor"):
        oip.parse(request(good.body + b"?", **good.headers), form())


# ---------------------------------------------------------------------- answers


def written(body=None, its_form=None, given=None, **more):
    sent = body or {"inputs": [tensor("x", [1, 2], shape=[1, 2])], **more}
    _, encode = oip.parse(request(sent), its_form or form())
    return encode(given or answer())


def test_short_and_long_answers_have_the_same_form() -> None:
    one, asked = json.loads(written().body), json.loads(written(id="r-1").body)
    assert [each["name"] for each in one["outputs"]] == ["score", "prediction_id", "model_version", "variant"]
    assert {each["name"]: each["data"] for each in one["outputs"]} == {
        "score": [0.25],
        "prediction_id": ["abc.0"],
        "model_version": ["m/3"],
        "variant": ["champion"],
    }
    assert (one["model_name"], one["model_version"], one["id"], asked["id"]) == ("delay", "3", "abc", "r-1")
    assert one["outputs"] == asked["outputs"]
    two = json.loads(written(given=answer(2)).body)["outputs"]
    assert [each["shape"] for each in two] == [[2]] * 4
    assert two[1]["data"] == ["abc.0", "abc.1"]
    flagged = Answer(
        id="abc",
        rows=1,
        outputs={"score": np.array([0.25])},
        variants=["champion"],
        versions=["m/3"],
        degraded="previous",
        flags=["a[0]: 5 is above 4"],
    )
    said = json.loads(written(given=flagged).body)
    assert said["parameters"] == {"degraded": "previous", "flags": "a[0]: 5 is above 4"}
    assert said["outputs"] == one["outputs"]


@given(st.floats(width=64) | st.floats(width=32))
def test_a_number_that_json_has_not_is_null(value) -> None:
    for given_one in (answer(1, score=np.array([value])), answer(2, score=np.array([value, 1.0]))):
        data = json.loads(written(given=given_one).body)["outputs"][0]["data"]
        assert data[0] == (value if np.isfinite(value) else None)
        assert json.loads(predictions(given_one).body)["predictions"][0] == data[0]


def test_outputs_that_were_asked_for() -> None:
    outputs = (Field(name="p", type="float", shape=(3,)), Field(name="label", type="string"))
    two = form(outputs=outputs)
    p = np.array([[0.5, 0.125, 0.25], [1, 2, 3]], dtype=np.float32)
    given = answer(2, p=p, label=np.array(["x", "yé"], dtype=object))
    wanted = [
        {"name": "label", "parameters": {"binary_data": True}},
        {"name": "p", "parameters": {"classification": 2}},
        {"name": "p", "parameters": {"binary_data": True}},
    ]
    response = written(None, two, given, outputs=wanted)
    size = int(dict(response.headers)["inference-header-content-length"])
    head = json.loads(response.body[:size])
    assert response.content_type == "application/octet-stream"
    assert [each["name"] for each in head["outputs"]] == ["label", "p", "p"]
    assert response.body[size:] == b"\x01\0\0\0x\x03\0\0\0y\xc3\xa9" + p.tobytes()
    assert head["outputs"][1]["data"] == ["0.500000:0", "0.250000:2", "3.000000:2", "2.000000:1"]
    everything = written(None, two, given, parameters={"binary_data_output": True})
    names = json.loads(everything.body[: int(everything.headers[0][1])])["outputs"]
    assert [each["name"] for each in names] == ["p", "label", "prediction_id", "model_version", "variant"]
    sent = {"inputs": [tensor("x", [1, 2], shape=[1, 2])], "outputs": [{"name": "lable"}]}
    assert faults(oip.parse, sent, two)["outputs.lable"].near == "label"
    sent["outputs"] = [{"name": "label", "parameters": {"classification": 1}}]
    assert faults(oip.parse, sent, two)


def test_answers_of_the_other_protocols() -> None:
    outputs = (Field(name="p", type="double", shape=(2,)), Field(name="label", type="string"))
    given = answer(2, p=np.array([[0.25, 0.75], [0.5, 0.5]]), label=np.array(["x", "y"], dtype=object))

    def said(parse, body, its=None, how=None):
        return json.loads(parse(request(body), how or form(outputs=outputs))[1](its or given).body)

    rows = {"instances": [[1, 2], [3, 4]]}
    assert said(tfserving.predict, rows) == {
        "predictions": [{"p": [0.25, 0.75], "label": "x"}, {"p": [0.5, 0.5], "label": "y"}]
    }
    assert said(invocations.parse, rows) == said(tfserving.predict, rows)
    assert said(tfserving.predict, {"inputs": {"a": [1, 3], "b": [2, 4]}}) == {
        "outputs": {"p": [[0.25, 0.75], [0.5, 0.5]], "label": ["x", "y"]}
    }
    examples = {"examples": [{"a": 1}, {"a": 3}], "context": {"b": 2}}
    classes = [[["0", 0.25], ["1", 0.75]], [["0", 0.5], ["1", 0.5]]]
    assert said(tfserving.classify, examples) == {"result": classes, "results": classes}
    assert said(tfserving.regress, examples, answer(2), form()) == {
        "result": [0.25, 0.75],
        "results": [0.25, 0.75],
    }
    assert said(tfserving.classify, examples, answer(2), form())["result"] == [[["", 0.25]], [["", 0.75]]]
    assert said(tfserving.predict, rows, answer(2), form()) == {"predictions": [0.25, 0.75]}
    with pytest.raises(BadRequest, match="gives no numbers"):
        tfserving.classify(request(examples), form(outputs=outputs[1:]))


def test_headers_say_what_a_body_has_no_room_for() -> None:
    assert dict(headed(answer(2))) == {
        "x-mlwright-prediction-ids": "abc.0,abc.1",
        "x-mlwright-model-version": "m/3",
    }
    many = Answer(
        id="abc",
        rows=5000,
        outputs={},
        variants=["c"] * 5000,
        versions=[f"m/{at}" for at in range(5000)],
        degraded="cached",
        flags=["naïve\r\nx: y"] * 5000,
    )
    said = dict(headed(many))
    assert said["x-mlwright-request-id"] == "abc"
    assert said["x-mlwright-degraded"] == "cached"
    assert sum(map(len, said.values())) < 2200
    assert all(value.isascii() and value.isprintable() for value in said.values())


def test_mlflows_errors() -> None:
    refused = invocations.fault(BadRequest("no"), 400)
    assert json.loads(refused.body) == {"error_code": "BAD_REQUEST", "message": "no"}
    with pytest.raises(Unsupported) as caught:
        invocations.parse(request(b"x", content_type="application/vnd.apache.parquet"), form())
    assert invocations.fault(caught.value, 501).status == 415
    for body in ({}, [], {"instances": [[1, 2]], "inputs": [[1, 2]]}, {"dataframe_split": [1]}):
        with pytest.raises(BadRequest):
            invocations.parse(request(body), form())
    for csv in (b"", b"a,b\n1\n", b"a,a\n1,2\n", b"a,b\n1_0,x\n", b'a,b\n"1,2\n', b"\xff,b\n1,2\n", b"a,b\n"):
        with pytest.raises(BadRequest):
            invocations.parse(request(csv, content_type="text/csv"), form())


# ---------------------------------------------------------------------- hostile

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "inputs outputs instances examples context dataframe_split dataframe_records columns data parameters "
                "name shape datatype a b flight at image b64 binary_data_size timeout entity timestamp".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
TENSORS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["a", "b", "flight", "at", "image", "x"]),
            "shape": st.lists(st.integers(-1, 3) | st.just(2**70), max_size=3),
            "datatype": st.sampled_from([*TYPES, "BF16", ""]),
        },
        optional={"data": JSON, "parameters": st.dictionaries(st.sampled_from(["binary_data_size"]), JSON)},
    ),
    max_size=4,
)
FORMS = [
    form(),
    form(a="long", b="boolean", keyed=True, extra="reject"),
    form(a="string", b="datetime"),
    form(a="binary", b="uint8"),
    IMAGE,
    form((), outputs=()),
]
BODIES = (
    JSON
    | st.builds(lambda key, value: {key: value}, st.sampled_from([*invocations.FORMATS, "examples"]), JSON)
    | st.builds(lambda tensors, said: {"inputs": tensors, "parameters": said}, TENSORS, st.none() | JSON)
)


@settings(max_examples=300)
@given(
    BODIES, st.sampled_from(FORMS), st.sampled_from(sorted({s.parse for s in surfaces.SURFACES}, key=repr))
)
def test_no_body_raises_anything_but_a_refusal(body, its_form, parse) -> None:
    for headers in ({}, {"inference_header_content_length": "40"}, {"content_type": "text/csv"}):
        try:
            ask, encode = parse(request(body, **headers), its_form)
        except (BadRequest, SignatureMismatch, Unsupported):
            continue
        assert ask.rows > 0
        assert encode(answer(ask.rows)).status == 200


@given(st.binary(max_size=60), st.sampled_from(FORMS), st.integers(0, 60))
def test_no_bytes_raise_anything_but_a_refusal(body, its_form, length) -> None:
    binary = request(body, inference_header_content_length=str(length))
    for parse, sent in ((oip.parse, binary), (invocations.parse, request(body)), (tfserving.predict, binary)):
        with pytest.raises((BadRequest, SignatureMismatch)):
            parse(sent, its_form)


def test_deep_nesting_and_many_digits_are_refused() -> None:
    for body in (b"[" * 100_000, b'{"instances":' * 5_000, b'{"instances":[[' + b"9" * 5_000 + b",1]]}"):
        for surface in surfaces.SURFACES:
            with pytest.raises(BadRequest):
                surface.parse(request(body), form())


def test_a_half_surrogate_does_not_come_in_with_nan() -> None:
    with pytest.raises(BadRequest):
        tfserving.predict(request(b'{"instances": [{"a": NaN, "b": "\\ud800"}]}'), form(b="string"))
