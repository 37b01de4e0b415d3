"""Every call of the protocol, through a real channel."""

# ruff: noqa: E402 - gRPC may be absent

from dataclasses import replace
from time import monotonic

import numpy as np
import pytest

grpc = pytest.importorskip("grpc")

from mlwright.doors.grpc import open_inference_pb2 as wire
from mlwright.doors.http.inference.oip_binary import packed, read
from mlwright.doors.http.inference.tensors import NUMPY, Tensor
from mlwright.errors import (
    Conflict,
    DeadlinePassed,
    ModelError,
    ModelLoadFailed,
    Overloaded,
    SignatureMismatch,
    StorageError,
    TooManyRequests,
    Unsupported,
)
from mlwright.stages.serving.asks import Answer

Code = grpc.StatusCode


def raw(
    model, /, *, outputs=(), parameters=(), version="", request_id="", **tensors
) -> wire.ModelInferRequest:
    """A request whose tensors stand in bytes."""
    request = wire.ModelInferRequest(model_name=model, model_version=version, id=request_id)
    for name, array in tensors.items():
        datatype = next(name for name, dtype in NUMPY.items() if np.dtype(dtype) == array.dtype)
        request.inputs.add(name=name, datatype=datatype, shape=array.shape)
        request.raw_input_contents.append(packed(array))
    for name in outputs:
        request.outputs.add(name=name)
    for name, value in dict(parameters).items():
        kind = {str: "string_param", int: "int64_param", bool: "bool_param"}[type(value)]
        setattr(request.parameters[name], kind, value)
    return request


def numbers(rows=2) -> np.ndarray:
    return np.arange(3.0 * rows).reshape(rows, 3)


def array_of(response, name) -> np.ndarray:
    at = [each.name for each in response.outputs].index(name)
    sent, written = response.outputs[at], response.raw_output_contents[at]
    tensor = Tensor(name=name, datatype=sent.datatype, shape=list(sent.shape))
    return np.array(read(tensor, written, 0, len(written), []))


def refused(call, request, method="ModelInfer", **how) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call(method, request, **how)
    return caught.value


def test_server(call, door, host) -> None:
    assert call("ServerLive").live
    assert call("ServerReady").ready
    assert call("ServerMetadata").name == "mlwright"
    door.calls.draining = True
    assert not call("ServerReady").ready


def test_model_ready(call, host) -> None:
    def ready(name, version=""):
        return call("ModelReady", wire.ModelReadyRequest(name=name, version=version)).ready

    assert ready("numbers")
    assert ready("numbers", "3")
    assert not ready("numbers", "4")
    assert not ready("nobody")
    host.cores["numbers"].route = None
    assert not ready("numbers")


def test_metadata_says_what_to_send(call, host) -> None:
    said = call("ModelMetadata", wire.ModelMetadataRequest(name="image", version="3"))
    assert (said.name, list(said.versions), said.platform) == ("image", ["3"], "mlwright")
    inputs = {each.name: (each.datatype, list(each.shape)) for each in said.inputs}
    assert inputs["pixels"] == ("UINT8", [-1, 2, -1])
    assert {"score", "prediction_id", "model_version", "variant"} <= {each.name for each in said.outputs}
    unknown = refused(call, wire.ModelMetadataRequest(name="imagf"), "ModelMetadata")
    assert unknown.code() is Code.NOT_FOUND
    assert "'image'" in unknown.details()


def test_a_matrix_in_bytes(call, host) -> None:
    response = call("ModelInfer", raw("floats", anything=numbers(), request_id="r-1"))
    [ask] = host.cores["floats"].asked
    assert ask.matrix.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (ask.rows, ask.client) == (2, "127.0.0.1")
    assert (response.model_name, response.model_version, response.id) == ("floats", "3", "r-1")
    assert array_of(response, "score").tolist() == [0.0, 0.125]
    assert array_of(response, "label").tolist() == ["é0".encode(), "é1".encode()]
    assert array_of(response, "prediction_id").tolist() == [f"{ask.id}.{row}".encode() for row in (0, 1)]
    assert array_of(response, "model_version").tolist() == [b"m/3"] * 2
    assert [each.name for each in response.outputs][-1] == "variant"
    assert not any(each.HasField("contents") for each in response.outputs)


def test_whole_numbers_that_no_float_holds_stay_whole(call, host) -> None:
    call("ModelInfer", raw("numbers", rows=np.array([[1, 2**53 + 1, 0]])))
    [ask] = host.cores["numbers"].asked
    assert ask.matrix is None
    assert ask.columns["n"].tolist() == [2**53 + 1]


def test_named_tensors(call, host) -> None:
    rows = {"x": np.array([[0.5], [1.5]], dtype="f4"), "n": np.array([1, 2]), "b": np.array([True, False])}
    call("ModelInfer", raw("numbers", **rows, more=np.array([0, 0])))
    [ask] = host.cores["numbers"].asked
    assert {name: column.tolist() for name, column in ask.columns.items()} == {
        "x": [0.5, 1.5],
        "n": [1, 2],
        "b": [True, False],
        "more": [0, 0],
    }


def test_texts_bytes_entity_and_time(call, host) -> None:
    flights = np.array(["UA-1", "é"], dtype=object)
    blob = np.array([b"\xff", b""], dtype=object)
    x = np.array([1, 2], dtype="f4")
    request = raw("mixed", x=x, carrier=flights, blob=blob, flight=flights, at=np.array([5, 6]))
    call("ModelInfer", request, metadata=[("traceparent", "00-1-2-01")])
    [ask] = host.cores["mixed"].asked
    assert (ask.keys, ask.times) == (["UA-1", "é"], [5, 6])
    assert ask.columns["carrier"] == ["UA-1", "é"]
    assert list(ask.columns["blob"]) == [b"\xff", b""]
    assert ask.trace == "00-1-2-01"


def test_entity_and_time_as_parameters(call, host) -> None:
    said = {"entity": "UA-1", "timestamp": 7}
    call("ModelInfer", raw("mixed", x=np.array([1.0]), parameters=said))
    [ask] = host.cores["mixed"].asked
    assert (ask.keys, ask.times) == (["UA-1"], [7])


def test_one_tensor_needs_no_name(call, host) -> None:
    call("ModelInfer", raw("image", whatever=np.zeros((3, 2, 4), dtype="u1")))
    [ask] = host.cores["image"].asked
    assert ask.rows == 3
    assert ask.columns["pixels"].shape == (3, 2, 4)


def test_typed_contents_are_answered_typed(call, host) -> None:
    request = wire.ModelInferRequest(model_name="numbers")
    content = wire.InferTensorContents
    request.inputs.add(name="x", datatype="FP32", shape=[2], contents=content(fp32_contents=[0.5, 1]))
    request.inputs.add(name="n", datatype="UINT8", shape=[2, 1], contents=content(uint_contents=[1, 255]))
    request.inputs.add(name="b", datatype="BOOL", shape=[2], contents=content(bool_contents=[True, False]))
    response = call("ModelInfer", request)
    [ask] = host.cores["numbers"].asked
    assert ask.columns == {"x": [0.5, 1.0], "n": [1, 255], "b": [True, False]}
    outputs = {each.name: each.contents for each in response.outputs}
    assert list(outputs["score"].fp64_contents) == [0.0, 0.125]
    assert list(outputs["label"].bytes_contents) == ["é0".encode(), "é1".encode()]
    assert not response.raw_output_contents


@pytest.mark.parametrize("raw_answer", [True, False])
@pytest.mark.parametrize(
    ("dtype", "datatype"),
    [("?", "BOOL"), ("i2", "INT16"), ("u8", "UINT64"), ("f4", "FP32"), ("M8[s]", "BYTES"), ("U3", "BYTES")],
)
def test_outputs_of_every_kind(call, host, dtype, datatype, raw_answer) -> None:
    core = host.cores["numbers"]
    array = np.array([[0, 1], [1, 0]]).astype(dtype)
    core.answer = Answer(id="i", rows=2, outputs={"o": array}, variants=["v"] * 2, versions=["m/3"] * 2)
    core.form = replace(core.form, outputs=())
    request = raw("numbers", rows=numbers(), outputs=["o"])
    if not raw_answer:
        del request.raw_input_contents[:]
        request.inputs[0].contents.fp64_contents.extend(range(6))
    [output] = call("ModelInfer", request).outputs
    assert (output.datatype, list(output.shape)) == (datatype, [2, 2])
    assert output.HasField("contents") is not raw_answer


def test_only_the_outputs_asked_for(call, host) -> None:
    response = call("ModelInfer", raw("numbers", rows=numbers(), outputs=["variant", "score"]))
    assert [each.name for each in response.outputs] == ["variant", "score"]
    unknown = refused(call, raw("numbers", rows=numbers(), outputs=["scor"]))
    assert unknown.code() is Code.INVALID_ARGUMENT
    assert "did you mean 'score'" in unknown.details()


def test_a_fallback_and_flags_are_parameters(call, host) -> None:
    host.cores["numbers"].answer = Answer(
        id="i",
        rows=1,
        outputs={"score": np.zeros(1)},
        variants=["v3"],
        versions=["m/2"],
        degraded="previous",
        flags=["x[0]: above 3"],
    )
    response = call("ModelInfer", raw("numbers", rows=numbers(1)))
    assert response.parameters["degraded"].string_param == "previous"
    assert response.parameters["flags"].string_param == "x[0]: above 3"


def test_deadlines(call, host) -> None:
    call("ModelInfer", raw("numbers", rows=numbers()), timeout=9)
    call("ModelInfer", raw("numbers", rows=numbers(), parameters={"timeout": 2_000_000}), timeout=9)
    call(
        "ModelInfer", raw("numbers", rows=numbers()), timeout=9, metadata=[("x-mlwright-deadline-ms", "100")]
    )
    now = monotonic()
    first, second, third = (ask.deadline - now for ask in host.cores["numbers"].asked)
    assert 5 < first <= 9.1
    assert second <= 2.1
    assert third <= 0.2


def test_a_version_must_stand_behind_the_endpoint(call, host) -> None:
    assert call("ModelInfer", raw("numbers", rows=numbers(), version="3")).model_version == "3"
    assert refused(call, raw("numbers", rows=numbers(), version="4")).code() is Code.NOT_FOUND
    route = host.cores["numbers"].route
    other = replace(route.variants[0], name="challenger", version=4, share=0.0)
    host.cores["numbers"].route = replace(route, variants=(*route.variants, other))
    during = refused(call, raw("numbers", rows=numbers(), version="3"))
    assert during.code() is Code.INVALID_ARGUMENT
    assert "rollout" in during.details()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SignatureMismatch("row 0 of 'x' is a text"), Code.INVALID_ARGUMENT),
        (Overloaded("full", retry_after_s=2.4), Code.RESOURCE_EXHAUSTED),
        (TooManyRequests("often"), Code.RESOURCE_EXHAUSTED),
        (DeadlinePassed("late"), Code.DEADLINE_EXCEEDED),
        (ModelLoadFailed("no model"), Code.UNAVAILABLE),
        (StorageError("disk"), Code.UNAVAILABLE),
        (Conflict("rollout"), Code.FAILED_PRECONDITION),
        (Unsupported("never"), Code.UNIMPLEMENTED),
    ],
)
def test_errors_have_their_status(call, host, error, code) -> None:
    host.cores["numbers"].fails = error
    said = refused(call, raw("numbers", rows=numbers()))
    assert said.code() is code
    assert error.what in said.details()
    trailers = dict(said.trailing_metadata())
    assert trailers["mlwright-error"] == error.code
    pushed_back = type(error) in (Overloaded, TooManyRequests)
    assert ("retry-after" in trailers) is ("grpc-retry-pushback-ms" in trailers) is pushed_back
    if type(error) is Overloaded:
        assert (trailers["retry-after"], trailers["grpc-retry-pushback-ms"]) == ("3", "2400")


@pytest.mark.parametrize("error", [ModelError("it failed", why="secret"), ValueError("secret")])
def test_errors_of_ours_tell_nothing_of_the_inside(call, host, error) -> None:
    host.cores["numbers"].fails = error
    said = refused(call, raw("numbers", rows=numbers()))
    assert said.code() is Code.INTERNAL
    assert "secret" not in said.details()


def test_a_text_too_long_for_a_trailer_is_cut(call, host) -> None:
    host.cores["numbers"].fails = SignatureMismatch("é\n" * 40_000)
    said = refused(call, raw("numbers", rows=numbers()))
    assert said.code() is Code.INVALID_ARGUMENT
    assert said.details().endswith("…")


def shared(where) -> wire.ModelInferRequest:
    request = raw("numbers", rows=numbers(), outputs=["score"])
    getattr(request, where)[0].parameters["shared_memory_region"].string_param = "r"
    return request


def both() -> wire.ModelInferRequest:
    request = raw("numbers", rows=numbers())
    request.inputs[0].contents.fp64_contents.append(1)
    return request


def typed(datatype, shape, **contents) -> wire.ModelInferRequest:
    request = wire.ModelInferRequest(model_name="numbers")
    request.inputs.add(
        name="x", datatype=datatype, shape=shape, contents=wire.InferTensorContents(**contents)
    )
    return request


def raw_bytes(datatype, shape, content=b"") -> wire.ModelInferRequest:
    request = wire.ModelInferRequest(model_name="numbers", raw_input_contents=[content])
    request.inputs.add(name="x", datatype=datatype, shape=shape)
    return request


def twice() -> wire.ModelInferRequest:
    request = raw("numbers", rows=numbers())
    request.inputs.append(request.inputs[0])
    request.raw_input_contents.append(request.raw_input_contents[0])
    return request


one = np.array([1.0])
keyed = {"flight": np.array(["f"], dtype=object), "at": np.array([1])}


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (b"\xff\xff", "is no ModelInferRequest"),
        (b"\x0a\x02\xff\xff", "is no ModelInferRequest"),
        (wire.ModelInferRequest(model_name="numbers"), "x: the model needs this double"),
        (raw("floats", x=numbers()[:, :2]), "x: shape must be [n] or [n, 1], not [2, 2]"),
        (
            raw("numbers", y=numbers()[:, :2]),
            "n: the model needs this long",
        ),
        (raw("numbers", x=one, n=np.array([1, 2]), b=np.array([True])), "x: 1 values, but 'n' has 2"),
        (raw("numbers", x=one, m=one), "n: the model needs this long"),
        (raw("mixed", x=one), "flight: this text has to be sent"),
        (raw("mixed", x=one, **(keyed | {"flight": one})), "flight[0]: must be a text"),
        (raw("mixed", x=one, **(keyed | {"at": one})), "at[0]: must be a long"),
        (raw("mixed", x=one, carier=one, **keyed), "did you mean 'carrier'"),
        (
            raw("mixed", x=one, carrier=np.array([b"\xff"], dtype=object), **keyed),
            "carrier[0]: is no text in UTF-8",
        ),
        (raw("mixed", x=one, parameters={"entity": 3, "timestamp": 4}), "flight[0]: must be a text"),
        (raw("numbers", rows=numbers(), parameters={"timeout": "soon"}), "parameters.timeout"),
        (shared("inputs"), "shared memory is not offered"),
        (shared("outputs"), "'shared_memory_region' is not offered"),
        (both(), "rows: has contents, though"),
        (twice(), "rows: the tensor is in the request twice"),
        (typed("FP16", [1], fp32_contents=[1]), "only be sent as raw_input_contents"),
        (typed("FP64", [2], fp64_contents=[1]), "x: shape says 2 values, data has 1"),
        (typed("FP64", [1], fp32_contents=[1]), "FP64 has to stand in fp64_contents"),
        (typed("INT8", [2], int_contents=[1, 128]), "x[1]: 128 is too large for INT8"),
        (typed("FP64", [-1], fp64_contents=[1]), "x: shape must be [rows, …]"),
        (raw_bytes("FP64", [0, 2**62, 2**62]), "shape must be [rows, …]"),
        (raw_bytes("FP64", [2**62, 2**62]), f"is {2**127} bytes, not 0"),
        (typed("FLOAT", [1], fp64_contents=[1]), "'FLOAT' is not one of"),
    ],
)
def test_what_cannot_be_served_names_the_place(call, host, request_, says) -> None:
    said = refused(call, request_)
    assert said.code() is Code.INVALID_ARGUMENT, said.details()
    assert says in said.details()
    assert not any(core.asked for core in host.cores.values())


def test_contents_must_be_as_many_as_inputs(call, host) -> None:
    request = raw("numbers", rows=numbers())
    request.raw_input_contents.append(b"")
    assert "2 contents were sent for 1 inputs" in refused(call, request).details()


def test_a_message_may_not_be_larger_than_the_limit(call, host) -> None:
    large = refused(call, raw("numbers", rows=np.zeros((60_000, 3))))
    assert large.code() is Code.RESOURCE_EXHAUSTED
    assert call("ServerLive").live


def test_the_index(call, host) -> None:
    host.cores["image"].route = None

    def index(**asked):
        return {
            each.name: each for each in call("RepositoryIndex", wire.RepositoryIndexRequest(**asked)).models
        }

    everything = index()
    assert set(everything) == set(host.cores)
    assert (everything["numbers"].version, everything["numbers"].state) == ("3", "READY")
    assert (everything["image"].version, everything["image"].state) == ("", "UNAVAILABLE")
    assert "deployed" in everything["image"].reason
    assert set(index(ready=True)) == set(host.cores) - {"image"}


def test_load_and_unload_as_tritons_and_kserves_clients_ask(call, host) -> None:
    load, unload = wire.RepositoryModelLoadRequest, wire.RepositoryModelUnloadRequest
    assert call("RepositoryModelLoad", load(model_name="numbers")).isLoaded
    versioned = load(repository_name="numbers")  # field 1, where KServe's clients have the name
    versioned.parameters["version"].int64_param = 2
    assert call("RepositoryModelLoad", versioned).model_name == "numbers"
    assert call("RepositoryModelUnload", unload(model_name="numbers")).isUnloaded
    assert host.done == [("load", "numbers", None), ("load", "numbers", 2), ("unload", "numbers")]
    assert refused(call, load(model_name="x"), "RepositoryModelLoad").code() is Code.NOT_FOUND
    versioned.parameters["version"].string_param = "two"
    assert refused(call, versioned, "RepositoryModelLoad").code() is Code.INVALID_ARGUMENT


def test_the_configuration_in_tritons_words(call) -> None:
    config = call("ModelConfig", wire.ModelConfigRequest(name="image")).config
    assert (config.name, config.platform, config.max_batch_size) == ("image", "mlwright", 64)
    assert list(config.version_policy.specific.versions) == [3]
    assert [(each.name, each.data_type, list(each.dims)) for each in config.input] == [
        ("pixels", wire.DataType.TYPE_UINT8, [2, -1])
    ]
    assert [(each.name, each.data_type) for each in config.output] == [
        ("score", wire.DataType.TYPE_FP64),
        ("label", wire.DataType.TYPE_STRING),
    ]
    assert refused(call, wire.ModelConfigRequest(name="imgae"), "ModelConfig").code() is Code.NOT_FOUND


def test_what_was_counted(call, host) -> None:
    host.cores["floats"].counters.answered(6, 0.5)
    host.cores["floats"].counters.scored(6, (0.25,), 0.125, 12.0)
    (one,) = call("ModelStatistics", wire.ModelStatisticsRequest(name="floats", version="3")).model_stats
    assert (one.name, one.version, one.inference_count, one.execution_count) == ("floats", "3", 6, 1)
    assert (one.inference_stats.success.count, one.inference_stats.success.ns) == (1, 500_000_000)
    assert one.inference_stats.queue.ns == 250_000_000
    assert one.inference_stats.compute_infer.ns == 125_000_000
    assert [(each.batch_size, each.compute_infer.count) for each in one.batch_stats] == [(8, 1)]
    assert one.last_inference > 0
    everything = call("ModelStatistics").model_stats
    assert [each.name for each in everything] == list(host.cores)
    unknown = wire.ModelStatisticsRequest(name="floats", version="9")
    assert refused(call, unknown, "ModelStatistics").code() is Code.NOT_FOUND


@pytest.mark.parametrize(
    "method", ["CudaSharedMemoryRegister", "LogSettings", "SystemSharedMemoryStatus", "TraceSetting"]
)
def test_what_is_not_offered_says_what_is(call, method) -> None:
    said = refused(call, b"", method, answer="ServerLiveResponse")
    assert said.code() is Code.UNIMPLEMENTED
    assert f"{method} is not offered: " in said.details()


def test_a_stream_answers_each_request_in_turn(channel, host) -> None:
    speak = channel.stream_stream(
        "/inference.GRPCInferenceService/ModelStreamInfer",
        request_serializer=wire.ModelInferRequest.SerializeToString,
        response_deserializer=wire.ModelStreamInferResponse.FromString,
    )
    asked = [
        raw("numbers", rows=numbers(), request_id="1"),
        raw("nobody", x=one),
        raw("numbers", rows=numbers(1)),
    ]
    first, second, third = speak(iter(asked), timeout=20)
    assert first.infer_response.id == "1"
    assert not first.error_message
    assert "nobody" in second.error_message
    assert array_of(third.infer_response, "score").tolist() == [0.0]
