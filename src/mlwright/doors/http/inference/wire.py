"""Bodies of the Open Inference Protocol v2 (REST) and of feedback, to values and back.

Standard: https://github.com/kserve/open-inference-protocol, file specification/protocol/inference_rest.md. A
tensor has shape [n] or [n, 1]; ``null`` inside ``data`` is a missing value. The binary data extension is not
spoken.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar
from uuid import uuid4

import msgspec

from mlwright.errors import BadRequest, Fault, near_match
from mlwright.model.predictions import LabelBlock, PredictAnswer, PredictRequest
from mlwright.model.registry import Field

T = TypeVar("T")

_BITS_63: Final = 2**63
_LARGEST_FLOAT: Final = 2**1023

_NONE: Final = type(None)
_TYPES: Final[dict[str, frozenset[type]]] = {
    "BYTES": frozenset({str, _NONE}),
    "BOOL": frozenset({bool, _NONE}),
    "INT64": frozenset({int, _NONE}),
    "INT32": frozenset({int, _NONE}),
    "FP64": frozenset({float, int, _NONE}),
    "FP32": frozenset({float, int, _NONE}),
}
DATATYPES: Final = {"string": "BYTES", "long": "INT64", "double": "FP64", "boolean": "BOOL"}
"""The protocol's datatype for each of MLflow's types."""
OUTPUTS: Final = {"score": "FP64", "prediction_id": "BYTES", "model_version": "BYTES", "variant": "BYTES"}


class Tensor(msgspec.Struct, kw_only=True):
    """One named input or output."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class RequestedOutput(msgspec.Struct, kw_only=True):
    """One output that the client wants."""

    name: str


class InferRequest(msgspec.Struct, kw_only=True):
    """The body of ``POST /v2/models/{model}/infer``."""

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[RequestedOutput] | None = None


class InferResponse(msgspec.Struct, kw_only=True):
    """The answer to it."""

    model_name: str
    model_version: str
    id: str
    outputs: list[Tensor]


class FeedbackRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /v1/feedback``: columns, or one label as plain values."""

    endpoint: str
    label: list[float | bool] | float | bool
    prediction_id: list[str] | str | None = None
    entity_key: list[str] | str | None = None
    observed_at: list[int] | int | None = None


_infer = msgspec.json.Decoder(InferRequest)
_feedback = msgspec.json.Decoder(FeedbackRequest)


def decode_infer(body: bytes) -> InferRequest:
    """Parse an inference request.

    Raises:
        BadRequest: the body is not JSON or not of the protocol's form; the fault names the path.
    """
    return _decode(_infer, body)


def decode_feedback(body: bytes) -> FeedbackRequest:
    """Parse labels.

    Raises:
        BadRequest: as for :func:`decode_infer`.
    """
    return _decode(_feedback, body)


def predict_request(wire: InferRequest, entity: str, timestamp: str) -> PredictRequest:
    """The columns of a request by name; entity and timestamp stand apart.

    Raises:
        BadRequest: a tensor's shape, datatype and data do not agree, or entity or timestamp are absent; the
            faults name tensor and row.
    """
    faults: list[Fault] = []
    columns: dict[str, list[object]] = {}
    for tensor in wire.inputs:
        if tensor.name in columns:
            faults.append(Fault(where=tensor.name, what="the tensor is in the request twice"))
        columns[tensor.name] = _column(tensor, faults)
    for name, datatypes in ((entity, ("BYTES",)), (timestamp, ("INT64",))):
        found = next((tensor.datatype for tensor in wire.inputs if tensor.name == name), None)
        if found is None:
            near = near_match(name, columns)
            faults.append(Fault(where=name, what=f"this {datatypes[0]} tensor is missing", near=near))
        elif found not in datatypes:
            faults.append(Fault(where=name, what=f"must be {datatypes[0]}, not {found}"))
        else:
            faults += [
                Fault(where=f"{name}[{row}]", what="must not be null")
                for row, value in enumerate(columns[name])
                if value is None
            ]
    if faults:
        raise BadRequest("the request cannot be served as it is", faults=faults[:20])
    keys: Any = columns.pop(entity)
    times: Any = columns.pop(timestamp)
    return PredictRequest(id=wire.id or uuid4().hex, entity_keys=keys, event_times=times, inputs=columns)


def wanted_outputs(wire: InferRequest) -> Sequence[str]:
    """The outputs to send, in the order asked for; all of them where nothing was asked for.

    Raises:
        BadRequest: an output has a name that there is not.
    """
    if not wire.outputs:
        return tuple(OUTPUTS)
    names = [each.name for each in wire.outputs]
    faults = [
        Fault(where=f"outputs.{name}", what="there is no such output", near=near_match(name, OUTPUTS))
        for name in names
        if name not in OUTPUTS
    ]
    if faults:
        raise BadRequest("the request asks for outputs that do not exist", faults=faults)
    return names


def infer_response(
    endpoint: str, version: int, request_id: str, answer: PredictAnswer, outputs: Sequence[str]
) -> bytes:
    """The answer as JSON. A score that is not a number becomes null."""
    columns: Mapping[str, Sequence[object]] = {
        "score": answer.scores,
        "prediction_id": answer.prediction_ids,
        "model_version": answer.model_versions,
        "variant": answer.variants,
    }
    shape = [len(answer.scores)]
    return msgspec.json.encode(
        InferResponse(
            model_name=endpoint,
            model_version=str(version),
            id=request_id,
            outputs=[
                Tensor(name=name, datatype=OUTPUTS[name], shape=shape, data=list(columns[name]))
                for name in outputs
            ],
        )
    )


def label_block(wire: FeedbackRequest, now: int) -> LabelBlock:
    """The labels of a request, column by column. Where no time of observation is given it is ``now``.

    Raises:
        BadRequest: plain values and columns are mixed.
    """
    given = {
        "prediction_id": wire.prediction_id,
        "entity_key": wire.entity_key,
        "observed_at": wire.observed_at,
    }
    many = isinstance(wire.label, list)
    faults = [
        Fault(where=name, what="must be a list, as label is" if many else "must be one value, as label is")
        for name, value in given.items()
        if value is not None and isinstance(value, list) is not many
    ]
    if faults:
        raise BadRequest("the labels cannot be taken as they are", faults=faults)
    labels = wire.label if isinstance(wire.label, list) else [wire.label]
    return LabelBlock(
        endpoint=wire.endpoint,
        received_at=now,
        prediction_ids=_listed(wire.prediction_id),
        entity_keys=_listed(wire.entity_key),
        labels=[float(label) for label in labels],
        observed_at=[now] * len(labels) if wire.observed_at is None else _listed(wire.observed_at),
    )


def model_metadata(endpoint: str, versions: Sequence[int], inputs: Sequence[Field]) -> dict[str, object]:
    """The answer to ``GET /v2/models/{model}``: what to send, and what comes back."""
    return {
        "name": endpoint,
        "versions": [str(version) for version in versions],
        "platform": "mlwright",
        "inputs": [{"name": each.name, "datatype": DATATYPES[each.type], "shape": [-1]} for each in inputs],
        "outputs": [
            {"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in OUTPUTS.items()
        ],
    }


def _decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at ")
        raise BadRequest(
            "the body does not have the form of this call",
            faults=[Fault(where=path.strip("`") or "$", what=what)],
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("the body is not JSON", why=str(error)) from error


def _column(tensor: Tensor, faults: list[Fault]) -> list[object]:
    """The flat data of a tensor; what is wrong with it goes to ``faults``."""
    name, shape = tensor.name, tensor.shape
    data = tensor.data
    accepted = _TYPES.get(tensor.datatype)
    if accepted is None:
        near = near_match(tensor.datatype, _TYPES)
        known = ", ".join(_TYPES)
        faults.append(
            Fault(where=name, what=f"datatype {tensor.datatype!r} is not one of {known}", near=near)
        )
        return data
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] != 1):
        faults.append(Fault(where=name, what=f"shape must be [n] or [n, 1], not {shape}"))
        return data
    if len(shape) == 2 and list in set(map(type, data)):
        data = [each[0] if isinstance(each, list) and len(each) == 1 else each for each in data]
    if len(data) != shape[0]:
        faults.append(Fault(where=name, what=f"shape says {shape[0]} values, data has {len(data)}"))
    if not accepted.issuperset(map(type, data)):
        faults += [
            Fault(where=f"{name}[{row}]", what=f"{value!r:.40} is not {tensor.datatype}")
            for row, value in enumerate(data)
            if type(value) not in accepted
        ][:20]
    elif int in accepted:
        data = _in_range(tensor, data, faults)
    return data


def _in_range(tensor: Tensor, data: list[object], faults: list[Fault]) -> list[object]:
    """Integers of over 64 bits: a float where the datatype is one, as JavaScript writes 1e20, else a fault."""
    whole = [value for value in data if type(value) is int]
    if not whole or (min(whole) >= -_BITS_63 and max(whole) < _BITS_63):
        return data
    ranged = list(data)
    for row, value in enumerate(data):
        if type(value) is not int or -_BITS_63 <= value < _BITS_63:
            continue
        if tensor.datatype.startswith("FP") and abs(value) < _LARGEST_FLOAT:
            ranged[row] = float(value)
        else:
            what = f"{str(value)[:20]}… is too large for {tensor.datatype}"
            faults.append(Fault(where=f"{tensor.name}[{row}]", what=what))
    return ranged


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
