"""From an :class:`Answer` to a ModelInferResponse."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from mlwright.doors.grpc.open_inference_pb2 import InferTensorContents, ModelInferResponse
from mlwright.doors.http.inference import oip_binary
from mlwright.doors.http.inference.answering import listed
from mlwright.doors.http.inference.oip_answer import OURS, ours_of
from mlwright.doors.http.inference.parsing import refused
from mlwright.errors import Fault, near_match
from mlwright.model.batches import Array
from mlwright.stages.serving.asks import Answer

_Output: Final = ModelInferResponse.InferOutputTensor
_CONTENTS: Final[Mapping[str, tuple[str, str]]] = {
    "b1": ("BOOL", "bool_contents"),
    "i1": ("INT8", "int_contents"),
    "i2": ("INT16", "int_contents"),
    "i4": ("INT32", "int_contents"),
    "i8": ("INT64", "int64_contents"),
    "u1": ("UINT8", "uint_contents"),
    "u2": ("UINT16", "uint_contents"),
    "u4": ("UINT32", "uint_contents"),
    "u8": ("UINT64", "uint64_contents"),
    "f2": ("FP16", ""),
    "f4": ("FP32", "fp32_contents"),
    "f8": ("FP64", "fp64_contents"),
}
"""The datatype of an array by its kind and width, and the field for its values one by one. All else is BYTES; a time is
a text in ISO 8601, as in REST."""


def response_of(
    answer: Answer, request_id: str, *, model: str, version: str, wanted: Sequence[str] | None, raw: bool
) -> ModelInferResponse:
    """The answer on the wire.

    Args:
        answer: of the endpoint.
        request_id: what the client called its request, or the id that it was given.
        model: the name of the endpoint.
        version: the champion's.
        wanted: the outputs to send in this order; None for all.
        raw: whether they are sent as bytes, as a client that sent bytes expects (Triton's reads nothing else), or each
            value in the field of its type. float16, which has none, becomes FP32 there.

    Raises:
        BadRequest: an output does not exist.
    """
    response = ModelInferResponse(model_name=model, model_version=version, id=request_id)
    outputs = answer.outputs
    for name in dict.fromkeys((*outputs, *OURS) if wanted is None else wanted):
        array = outputs.get(name)
        if array is not None:
            _add(response, name, array, raw)
        elif name in OURS:
            _add_texts(response, name, ours_of(answer, name), (answer.rows,), raw)
        else:
            near = near_match(name[:80], (*outputs, *OURS))
            raise refused([Fault(where=f"outputs.{name[:80]}", what="there is no such output", near=near)])
    if answer.degraded is not None:
        response.parameters["degraded"].string_param = answer.degraded
    if answer.flags:
        response.parameters["flags"].string_param = "; ".join(answer.flags)
    return response


@lru_cache(1024)
def _described(name: str, datatype: str, shape: tuple[int, ...]) -> ModelInferResponse.InferOutputTensor:
    """An output whose values stand elsewhere. To append it is to copy it, which is faster than to make one."""
    return _Output(name=name, datatype=datatype, shape=shape)


def _add(response: ModelInferResponse, name: str, array: Array, raw: bool) -> None:
    known = _CONTENTS.get(array.dtype.str[1:])
    if known is None:
        _add_texts(response, name, listed(array.ravel()), array.shape, raw)
        return
    datatype, where = known
    if raw:
        response.outputs.append(_described(name, datatype, array.shape))
        response.raw_output_contents.append(oip_binary.packed(array))
        return
    if not where:
        datatype, where, array = "FP32", "fp32_contents", array.astype(np.float32)
    contents = InferTensorContents()
    getattr(contents, where).extend(array.ravel().tolist())
    response.outputs.append(_Output(name=name, datatype=datatype, shape=array.shape, contents=contents))


def _add_texts(
    response: ModelInferResponse, name: str, values: Sequence[object], shape: tuple[int, ...], raw: bool
) -> None:
    """Texts or bytes; what is missing is empty."""
    if raw:
        response.outputs.append(_described(name, "BYTES", shape))
        response.raw_output_contents.append(oip_binary.packed_texts(values))
        return
    contents = InferTensorContents(bytes_contents=map(_as_bytes, values))
    response.outputs.append(_Output(name=name, datatype="BYTES", shape=shape, contents=contents))


def _as_bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return b"" if value is None else str(value).encode(errors="replace")
