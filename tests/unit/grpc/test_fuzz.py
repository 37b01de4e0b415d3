"""Whatever a client sends is answered or the client's error: never ours, never a hang."""

# ruff: noqa: E402 - gRPC may be absent

import pytest

grpc = pytest.importorskip("grpc")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlwright.doors.grpc import open_inference_pb2 as wire
from mlwright.doors.http.inference.tensors import NUMPY

REFUSALS = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}
names = st.sampled_from(["x", "n", "b", "pixels", "carrier", "blob", "flight", "at", "", "é"])
dims = st.sampled_from([0, 1, 1, 2, 2, 3, 4, -1, 2**31, 2**63 - 1, -(2**63)])
shapes = st.lists(dims, max_size=5)
raws = st.sampled_from(
    [b"", b"\0" * 8, b"\0" * 16, b"\1\0\0\0a", b"\xff" * 12, b"\0" * 48, b"\x01\0\0\0\xff", b"\0" * 4]
) | st.binary(max_size=40)
words = st.sampled_from(["", "x", "UA-1", "é", "\0", "2013-01-01T00:00:00Z"])


@st.composite
def contents(draw):
    return wire.InferTensorContents(
        bool_contents=draw(st.lists(st.booleans(), max_size=3)),
        int_contents=draw(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3)),
        int64_contents=draw(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3)),
        uint_contents=draw(st.lists(st.integers(0, 2**32 - 1), max_size=3)),
        uint64_contents=draw(st.lists(st.integers(0, 2**64 - 1), max_size=3)),
        fp32_contents=draw(st.lists(st.floats(width=32), max_size=3)),
        fp64_contents=draw(st.lists(st.floats(), max_size=3)),
        bytes_contents=draw(st.lists(st.binary(max_size=4), max_size=3)),
    )


parameters = st.dictionaries(
    st.sampled_from(["entity", "timestamp", "timeout", "priority", "binary_data_output"]),
    st.builds(wire.InferParameter, string_param=words)
    | st.builds(wire.InferParameter, int64_param=st.integers(-(2**63), 2**63 - 1))
    | st.builds(wire.InferParameter, double_param=st.floats())
    | st.builds(wire.InferParameter, uint64_param=st.integers(0, 2**64 - 1))
    | st.builds(wire.InferParameter),
    max_size=3,
)
tensors = st.builds(
    wire.ModelInferRequest.InferInputTensor,
    name=names,
    datatype=st.sampled_from([*NUMPY, "BF16", "", "float"]),
    shape=shapes,
    contents=st.none() | contents(),
)
requests = st.builds(
    wire.ModelInferRequest,
    model_name=st.sampled_from(["numbers", "mixed", "image", "unsigned"]),
    model_version=st.sampled_from(["", "", "", "3", "4", "x" * 500]),
    id=words,
    inputs=st.lists(tensors, max_size=4),
    outputs=st.lists(
        st.builds(
            wire.ModelInferRequest.InferRequestedOutputTensor, name=st.sampled_from(["score", "variant", "?"])
        ),
        max_size=2,
    ),
    raw_input_contents=st.lists(raws, max_size=4),
    parameters=parameters,
)


def is_answered(call, body) -> None:
    answer = code = says = None
    try:
        answer = call("ModelInfer", body)
    except grpc.RpcError as error:
        code, says = error.code(), error.details()
    assert code in REFUSALS or (answer and answer.outputs), (code, says)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=requests)
def test_messages(call, request) -> None:
    is_answered(call, request)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=200))
def test_bytes(call, body) -> None:
    is_answered(call, body)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=requests, at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_messages_with_a_broken_byte(call, request, at, byte) -> None:
    body = bytearray(request.SerializeToString())
    body[at % len(body)] = byte
    is_answered(call, bytes(body))
