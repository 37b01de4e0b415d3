"""From a ModelInferRequest to an :class:`Ask`, by the rules of REST: only the tensors are read another way here."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from mlwright.doors.grpc.open_inference_pb2 import InferParameter, ModelInferRequest, ModelRepositoryParameter
from mlwright.doors.http.inference import oip, oip_binary
from mlwright.doors.http.inference.cells import MOST_FAULTS
from mlwright.doors.http.inference.exchange import Request
from mlwright.doors.http.inference.oip_answer import MOST_OUTPUTS, OURS
from mlwright.doors.http.inference.parsing import refused
from mlwright.doors.http.inference.tensors import InferRequest, Tensor
from mlwright.errors import Fault, near_match
from mlwright.stages.serving.asks import Ask
from mlwright.stages.serving.form import Form

_Input: TypeAlias = ModelInferRequest.InferInputTensor

_SHARED_MEMORY: Final = "shared_memory_region"
_SHOWN: Final = 80
_CONTENTS: Final[Mapping[str, str]] = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""The field in which the values of a datatype stand; for FP16 there is none."""


def read_ask(infer: ModelInferRequest, form: Form, call: Request) -> Ask:
    """The rows that a request asks about; see :mod:`mlwright.doors.http.inference.oip` for what may be sent.

    Args:
        infer: as it came.
        form: of the endpoint.
        call: who asks, until when, and the metadata in place of headers.

    Raises:
        BadRequest: a tensor is not what its name, datatype and shape say; the faults name each.
    """
    faults: list[Fault] = []
    raw: Sequence[bytes] = infer.raw_input_contents
    if raw and len(raw) != len(infer.inputs):
        what = f"{len(raw)} contents were sent for {len(infer.inputs)} inputs"
        raise refused([Fault(where="raw_input_contents", what=what)])
    tensors: list[Tensor] = []
    for at, each in enumerate(infer.inputs):
        tensors.append(
            _tensor(each, raw[at] if raw else None, faults)
        )  # an index: protobuf copies what it iterates over
        if len(faults) >= MOST_FAULTS:
            break
    if faults:
        raise refused(faults)
    said = {name: value_of(each) for name, each in infer.parameters.items()} if infer.parameters else None
    return oip.asked(call, form, InferRequest(inputs=tensors, parameters=said))


def wanted_outputs(infer: ModelInferRequest, form: Form) -> list[str] | None:
    """The outputs to send, in the order asked for; None where nothing was asked for, which is all of them.

    Raises:
        BadRequest: an output does not exist, or is wanted in a way that is not offered.
    """
    if not infer.outputs:
        return None
    if len(infer.outputs) > MOST_OUTPUTS:
        what = f"{len(infer.outputs)} are asked for, at most {MOST_OUTPUTS} are given"
        raise refused([Fault(where="outputs", what=what)])
    known = {each.name for each in form.outputs}
    faults: list[Fault] = []
    for each in infer.outputs:
        if len(faults) >= MOST_FAULTS:
            break
        name = each.name[:_SHOWN]
        if known and each.name not in known and each.name not in OURS:
            near = near_match(name, (*known, *OURS))
            faults.append(Fault(where=f"outputs.{name}", what="there is no such output", near=near))
        faults += [
            Fault(where=f"outputs.{name}", what=f"the parameter {key!r} is not offered")
            for key in (_SHARED_MEMORY, "classification")
            if key in each.parameters
        ]
    if faults:
        raise refused(faults)
    return [each.name for each in infer.outputs]


def _tensor(sent: _Input, raw: bytes | None, faults: list[Fault]) -> Tensor:
    """A tensor with its data as the binary extension or the JSON of REST would have it."""
    tensor = Tensor(name=sent.name, shape=list(sent.shape), datatype=sent.datatype)
    shown = sent.name[:_SHOWN]
    if sent.parameters and _SHARED_MEMORY in sent.parameters:
        faults.append(Fault(where=shown, what="shared memory is not offered: send the contents"))
    elif raw is None:
        where = _CONTENTS.get(sent.datatype, "")
        values: Sequence[Any] = getattr(sent.contents, where) if where else ()
        if sent.datatype == "FP16":
            faults.append(Fault(where=shown, what="FP16 can only be sent as raw_input_contents"))
        elif where and not values:
            faults.append(Fault(where=shown, what=f"{sent.datatype} has to stand in {where}, which is empty"))
        tensor.data = list(values)
    elif sent.HasField("contents"):
        faults.append(Fault(where=shown, what="has contents, though the request has raw_input_contents"))
    else:
        tensor.data = oip_binary.read(tensor, raw, 0, len(raw), faults)
    return tensor


def value_of(parameter: InferParameter | ModelRepositoryParameter) -> object:
    """What a parameter says; None where it says nothing."""
    kind = parameter.WhichOneof("parameter_choice")
    value: object = getattr(parameter, kind) if kind else None
    return value
