"""The Open Inference Protocol v2 (REST), with Triton's extensions for binary tensors, classification and timeouts.

Form: https://github.com/kserve/open-inference-protocol, file specification/protocol/inference_rest.md. ``null`` inside
``data`` is a missing value; a number that JSON has not is null in an answer. Behind the outputs of the model come three
of ours, a text a row: ``prediction_id``, ``model_version`` and ``variant``.

Beyond the protocol a request may say ``parameters.entity`` and ``parameters.timestamp`` (one value, or a list by row)
and ``parameters.timeout`` (microseconds). An answer says ``parameters.degraded`` and ``parameters.flags``.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final

import msgspec
import numpy as np

from mlwright.doors.http.inference import oip_binary
from mlwright.doors.http.inference.answering import encoded
from mlwright.doors.http.inference.cells import MOST_FAULTS
from mlwright.doors.http.inference.exchange import Request, Response
from mlwright.doors.http.inference.oip_answer import OURS, Writer
from mlwright.doors.http.inference.parsing import (
    EXACT,
    Encode,
    Kept,
    Plan,
    ask_of,
    decode_as,
    settle,
)
from mlwright.doors.http.inference.tensors import (
    LIMITS,
    TYPES,
    InferRequest,
    Tensor,
    checked,
    column_of,
)
from mlwright.doors.http.inference.versions import versions_of
from mlwright.errors import Fault
from mlwright.model.batches import DATATYPES
from mlwright.model.registry import Field
from mlwright.stages.serving.asks import Ask, Column
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.form import Form

EXTENSIONS: Final = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "statistics",
)
"""What ``GET /v2`` says beside the name of the server."""

_decoder: Final = msgspec.json.Decoder(InferRequest)
_FLOAT: Final = frozenset({float})
_NUMBER: Final = frozenset({float, int})


class _Compiled:
    """A form's parser and writer."""

    __slots__ = ("datatypes", "plan", "writer")

    def __init__(self, form: Form) -> None:
        self.plan = Plan.of(form)
        only = {form.entity: "BYTES", form.timestamp: "INT64"}
        self.datatypes = {
            each.name: only.get(each.name)
            for each in self.plan.fields.values()
            if not each.shape and each.type not in ("binary", "datetime")
        }
        """The fields that take one value a row as it is in JSON, and the datatype that it has to have, if any."""
        self.writer = Writer(form)


_kept: Final = Kept(_Compiled)


def parse(request: Request, form: Form) -> tuple[Ask, Encode]:
    """Read one request, JSON or binary.

    Raises:
        BadRequest: with every fault: shapes, datatypes and data that do not agree, what is missing, what nobody asked
            for, outputs that there are not.
    """
    compiled = _kept.of(form)
    body = request.body
    if oip_binary.LENGTH in request.headers:
        length = oip_binary.header_of(request)
        wire = decode_as(_decoder, body[:length])
        oip_binary.filled(wire.inputs, body, length)
    else:
        try:
            wire = _decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            wire = decode_as(_decoder, body)
    ask = _asked(request, compiled, wire)
    if wire.id is None and wire.outputs is None and wire.parameters is None:
        return ask, compiled.writer.write
    return ask, _encode(compiled, wire)


def asked(request: Request, form: Form, wire: InferRequest) -> Ask:
    """The ask of a decoded request: gRPC's door has the same rules.

    Raises:
        BadRequest: with every fault.
    """
    return _asked(request, _kept.of(form), wire)


def _asked(request: Request, compiled: _Compiled, wire: InferRequest) -> Ask:
    inputs, said = wire.inputs, wire.parameters
    ask = None
    plan = compiled.plan
    if plan.names and (said is None or ("entity" not in said and "timestamp" not in said)):
        timeout = None if said is None else said.get("timeout")
        if plan.width and len(inputs) == 1 and len(inputs[0].shape) == 2:
            ask = _matrix(request, plan, inputs[0], timeout)
        else:
            ask = _named(request, compiled, inputs, timeout)
    return _carefully(request, compiled, wire) if ask is None else ask


def _encode(compiled: _Compiled, wire: InferRequest) -> Encode:
    """The writer for a request that says what it wants."""
    binary = (wire.parameters or {}).get("binary_data_output") is True
    wanted = compiled.writer.wanted(wire.outputs, binary)
    return partial(compiled.writer.write, request_id=wire.id, wanted=wanted)


def _matrix(  # noqa: PLR0911 - the hot path: each check leaves it at once
    request: Request, plan: Plan, tensor: Tensor, timeout: object
) -> Ask | None:
    """The ask of one tensor with all inputs, of shape (rows, inputs); None where it takes care."""
    rows, width = tensor.shape
    data: Any = tensor.data
    if width != plan.width or rows < 1 or plan.truths or (width == 1 and tensor.name in plan.fields):
        return None
    if type(data) is list:
        if len(data) != rows * width or not tensor.datatype.startswith("FP") or tensor.datatype not in TYPES:
            return None
        kinds = set(map(type, data))
        if kinds != _FLOAT:
            if not kinds <= _NUMBER:
                return None
            try:
                data = list(map(float, data))
            except OverflowError:
                return None
        if plan.exact and max(map(abs, data)) >= EXACT:
            return None
        matrix = [data] if rows == 1 else np.array(data, dtype=np.float64).reshape(rows, width)
        return ask_of(request, plan.form, rows, None, matrix, None, None, timeout)
    if type(data) is np.ndarray and (data.dtype.kind == "f" or not plan.exact):
        return ask_of(request, plan.form, rows, None, data, None, None, timeout)
    return None


def _named(request: Request, compiled: _Compiled, inputs: Sequence[Tensor], timeout: object) -> Ask | None:
    """The ask of flat tensors by name, of all inputs and nothing else; None where it takes care."""
    plan = compiled.plan
    first = inputs[0].data if inputs else None
    rows = len(first) if type(first) is list else 0
    columns = _columns(compiled.datatypes, inputs, rows)
    if columns is None or not rows:
        return None
    form = plan.form
    keys, times = columns.pop(form.entity, None), columns.pop(form.timestamp, None)
    if len(columns) != len(plan.names):
        return None
    if rows == 1 and plan.width:
        row = [columns[name][0] for name in plan.names]
        if _MATRIX.issuperset(map(type, row)):
            return ask_of(request, form, 1, None, [row], keys, times, timeout)
    elif plan.width and not plan.exact and not plan.truths:
        ordered = [columns[name] for name in plan.names]
        if _MATRIX.issuperset(map(type, chain.from_iterable(ordered))):
            matrix = np.array(ordered, dtype=np.float64).T
            return ask_of(request, form, rows, None, matrix, keys, times, timeout)
    return ask_of(request, form, rows, columns, None, keys, times, timeout)


def _columns(
    datatypes: Mapping[str, str | None], inputs: Sequence[Tensor], rows: int
) -> dict[str, list[Any]] | None:
    """The columns of flat tensors with the same number of rows; None where it takes care."""
    columns: dict[str, list[Any]] = {}
    flat, thin = [rows], [rows, 1]
    for tensor in inputs:
        data, name, datatype = tensor.data, tensor.name, tensor.datatype
        shape = tensor.shape
        if type(data) is not list or len(data) != rows or (shape != flat and shape != thin):
            return None
        only = datatypes.get(name, "")
        if (only != datatype and only is not None) or name in columns:
            return None
        kinds = {type(data[0])} if rows == 1 else set(map(type, data))
        if not kinds <= TYPES.get(datatype, _NOTHING):
            return None
        if int in kinds:
            low, high = LIMITS.get(datatype, _FLOATS)
            if None in data or min(data) < low or max(data) > high:
                return None
        columns[name] = data
    return columns


_NOTHING: Final[frozenset[type]] = frozenset()
_FLOATS: Final = (-EXACT, EXACT)
_MATRIX: Final = frozenset({int, float, bool})


def _carefully(request: Request, compiled: _Compiled, wire: InferRequest) -> Ask:
    """The ask of a request that is out of the ordinary, or faulty.

    Raises:
        BadRequest: with every fault.
    """
    plan = compiled.plan
    form = plan.form
    faults: list[Fault] = []
    columns: dict[str, Column | None] = {}
    seen: set[str] = set()
    free = [each for each in wire.inputs if each.name not in (form.entity, form.timestamp)]
    whole = free[0] if len(free) == 1 else None
    for tensor in wire.inputs:
        name = tensor.name
        if len(faults) >= MOST_FAULTS:
            break
        if name in seen:
            faults.append(Fault(where=name, what="the tensor is in the request twice"))
        seen.add(name)
        if tensor is whole and plan.width and _spans(plan, tensor):
            columns.update(_spread(plan, tensor, faults))
            continue
        if tensor is whole and form.tensor is not None and name not in plan.fields:
            tensor.name = form.tensor.name  # the only input may have any name
        columns[tensor.name] = column_of(plan, tensor, faults)
    return settle(request, plan, columns, faults, parameters=wire.parameters)


def _spans(plan: Plan, tensor: Tensor) -> bool:
    """Whether a tensor is all inputs side by side."""
    if len(tensor.shape) == 2 and tensor.shape[1] == plan.width:
        return plan.width > 1 or tensor.name not in plan.fields
    return plan.width == 1 and len(tensor.shape) == 1 and tensor.name not in plan.fields


def _spread(plan: Plan, tensor: Tensor, faults: list[Fault]) -> dict[str, Column | None]:
    """The columns of a tensor with all inputs."""
    flat = checked(tensor, faults)
    if flat is None:
        return dict.fromkeys(plan.names)
    if tensor.datatype == "BYTES":
        faults.append(Fault(where=tensor.name, what="must be numbers, not BYTES"))
    columns: dict[str, Column | None] = {name: flat[at :: plan.width] for at, name in enumerate(plan.names)}
    for name in plan.truths:
        values = list(flat[plan.names.index(name) :: plan.width])
        if {0, 1}.issuperset(values):
            columns[name] = [value == 1 for value in values]
    return columns


def metadata(core: EndpointCore, version: str | None) -> Response:
    """``GET /v2/models/{model}``: what to send, and what comes back.

    Raises:
        ModelLoadFailed: nothing is in force.
    """
    form = core.form
    inputs = [_described(each) for each in form.inputs]
    if form.keyed:
        inputs = [
            {"name": form.entity, "datatype": "BYTES", "shape": [-1]},
            {"name": form.timestamp, "datatype": "INT64", "shape": [-1]},
            *inputs,
        ]
    ours = [{"name": name, "datatype": "BYTES", "shape": [-1]} for name in OURS]
    taken = {each.name for each in form.outputs}
    return Response(
        encoded(
            {
                "name": form.endpoint,
                "versions": _versions(core, version),
                "platform": "mlwright",
                "inputs": inputs,
                "outputs": [
                    *map(_described, form.outputs),
                    *(each for each in ours if each["name"] not in taken),
                ],
            }
        )
    )


def config(core: EndpointCore, version: str | None) -> Response:
    """``GET /v2/models/{model}/config``: the same in Triton's words; rows are its batch.

    Raises:
        ModelLoadFailed: nothing is in force.
    """
    form = core.form

    def each_of(fields: Sequence[Field]) -> list[dict[str, object]]:
        return [
            {
                "name": each.name,
                "data_type": "TYPE_STRING"
                if DATATYPES[each.type] == "BYTES"
                else f"TYPE_{DATATYPES[each.type]}",
                "dims": list(each.shape) or [1],
            }
            for each in fields
        ]

    return Response(
        encoded(
            {
                "name": form.endpoint,
                "platform": "mlwright",
                "backend": "mlwright",
                "version_policy": {
                    "specific": {"versions": [int(each) for each in _versions(core, version)]}
                },
                "max_batch_size": core.spec.serving.batching.max_rows,
                "input": each_of(form.inputs),
                "output": each_of(form.outputs),
            }
        )
    )


def _versions(core: EndpointCore, version: str | None) -> list[str]:
    if version is not None:
        return [version]
    return versions_of(core)


def _described(each: Field) -> dict[str, object]:
    return {"name": each.name, "datatype": DATATYPES[each.type], "shape": [-1, *each.shape]}
