"""TensorFlow Serving's REST protocol, which KServe v1's ``:predict`` is a part of.

Form: https://www.tensorflow.org/tfx/serving/api_rest. ``signature_name`` is accepted and says nothing here: a model
has one signature. Numbers that JSON has not are null in answers, where TensorFlow Serving writes ``NaN``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from mlwright.doors.http.inference import rows
from mlwright.doors.http.inference.answering import by_column, encoded, headed, listed, predictions
from mlwright.doors.http.inference.cells import MOST_FAULTS, shown
from mlwright.doors.http.inference.exchange import JSON, Request, Response
from mlwright.doors.http.inference.parsing import Encode, Kept, decode, refused
from mlwright.errors import BadRequest, Fault
from mlwright.model.batches import NUMBERS, Array
from mlwright.model.registry import Field
from mlwright.stages.serving.asks import Answer, Ask
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.form import Form

DTYPES: Final[Mapping[str, str]] = {
    "double": "DT_DOUBLE",
    "float": "DT_FLOAT",
    "float16": "DT_HALF",
    "long": "DT_INT64",
    "integer": "DT_INT32",
    "boolean": "DT_BOOL",
    **{name: f"DT_{name.upper()}" for name in ("int8", "int16", "uint8", "uint16", "uint32", "uint64")},
}
"""TensorFlow's name of each type of a field; the others are ``DT_STRING``."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    table: rows.Table
    decode: Callable[[bytes], Any]


def _compiled(form: Form) -> _Compiled:
    table = rows.Table.of(form)
    record: Any = table.record
    row: Any = list[float] | record if table.plan.width and not form.keyed else record
    body = msgspec.defstruct(
        "Body",
        [("instances", list[row]), ("inputs", msgspec.Raw | msgspec.UnsetType, msgspec.UNSET)],
        gc=False,
    )
    return _Compiled(table, msgspec.json.Decoder(body).decode)


_kept: Final = Kept(_compiled)


def predict(request: Request, form: Form) -> tuple[Ask, Encode]:
    """Read ``instances`` (one a row) or ``inputs`` (one a column).

    Raises:
        BadRequest: with every fault.
    """
    compiled = _kept.of(form)
    table = compiled.table
    if form.inputs:
        try:
            body = compiled.decode(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        else:
            if body.inputs is msgspec.UNSET:
                read = table.fast if table.strict else table.typed
                ask = read(request, body.instances)
                if ask is not None:
                    return ask, predictions
    return _carefully(request, table)


def _carefully(request: Request, table: rows.Table) -> tuple[Ask, Encode]:
    body = _object(request)
    given = [name for name in ("instances", "inputs") if name in body]
    if len(given) != 1:
        raise BadRequest(
            "the body must have either instances or inputs", why=f"it has {' and '.join(given) or 'none'}"
        )
    value = body[given[0]]
    faults: list[Fault] = []
    columns: Mapping[str, object]
    columnar = given == ["inputs"]
    if columnar and isinstance(value, dict) and value.keys() != {"b64"}:
        columns = {name: rows.unwrapped(column, faults, name) for name, column in value.items()}
        return rows.carefully(request, table, columns, faults), _outputs
    instances = value if isinstance(value, list) else [value]
    ask = rows.matrix_of(request, table, instances)
    if ask is None:
        columns = rows.by_instances(table.plan, instances, given[0], faults)
        ask = rows.carefully(request, table, columns, faults)
    return ask, _outputs if columnar else predictions


def _object(request: Request) -> dict[str, Any]:
    body = decode(request.body)
    if not isinstance(body, dict):
        raise BadRequest(f"the body must be an object, not {shown(body)}")
    name = body.get("signature_name", "")
    if not isinstance(name, str):
        raise refused([Fault(where="signature_name", what=f"must be a text, not {shown(name)}")])
    return body


def _outputs(answer: Answer) -> Response:
    return Response(b'{"outputs":%b}' % encoded(by_column(answer.outputs)), 200, JSON, headed(answer))


def classify(request: Request, form: Form) -> tuple[Ask, Encode]:
    """Read ``examples`` and their common ``context``; the answer is pairs of label and score.

    A score that belongs to no label has the label ``""``, and the class's index where there are several.

    Raises:
        BadRequest: with every fault, or the model gives no scores.
    """
    return _examples(request, form), _classes


def regress(request: Request, form: Form) -> tuple[Ask, Encode]:
    """Read ``examples`` and their common ``context``; the answer is one number a row.

    Raises:
        BadRequest: with every fault, or the model gives no number.
    """
    return _examples(request, form), _numbers


def _examples(request: Request, form: Form) -> Ask:
    if form.outputs and not any(each.type in NUMBERS for each in form.outputs):
        raise BadRequest(
            f"the model behind {form.endpoint!r} gives no numbers, so it neither classifies nor regresses by score",
            next_command=f"POST /v1/models/{form.endpoint}:predict",
        )
    table = _kept.of(form).table
    body = _object(request)
    context, examples = body.get("context", {}), body.get("examples")
    faults: list[Fault] = []
    if not isinstance(context, dict):
        faults.append(Fault(where="context", what=f"must be an object, not {shown(context)}"))
    if not isinstance(examples, list):
        faults.append(Fault(where="examples", what=f"must be a list of objects, not {shown(examples)}"))
    if faults or not isinstance(examples, list):
        raise refused(faults)
    read: list[object] = []
    sent = len(context)
    for at, example in enumerate(examples):
        if isinstance(example, dict):
            sent += len(example)
            if context and not context.keys().isdisjoint(example):
                faults += [
                    Fault(where=f"examples[{at}].{name}"[:80], what="is in the context as well")
                    for name in example.keys() & context.keys()
                ][:MOST_FAULTS]
                if len(faults) >= MOST_FAULTS:
                    break
            example = rows.unwrapped(example, faults, f"examples[{at}]") if example else example
        read.append(example)
    if faults:
        raise refused(faults)
    rows.bounded(len(context), len(examples), sent, "context")
    columns = rows.by_records(table.plan, read, "examples", faults)
    for name, value in context.items():
        columns[name] = [rows.unwrapped(value, faults, f"context.{name}"[:80])] * len(read)
    return rows.carefully(request, table, columns, faults)


def _scores(answer: Answer) -> Array:
    """The first output that is numbers; without one, zeros in no column."""
    for array in answer.outputs.values():
        if array.dtype.kind in "fiub":
            return array.reshape(answer.rows, -1)
    return next(iter(answer.outputs.values())).reshape(answer.rows, -1)[:, :0]


def _classes(answer: Answer) -> Response:
    scores = _scores(answer)
    texts = [array for array in answer.outputs.values() if array.dtype.kind in "OU"]
    labels: list[list[str]] | None = None
    if texts:
        found = texts[0].reshape(answer.rows, -1)
        if found.shape[1] == scores.shape[1]:
            labels = [[str(label) for label in row] for row in found.tolist()]
    if labels is None:
        width = scores.shape[1]
        labels = [[""] if width == 1 else [str(at) for at in range(width)]] * answer.rows
    pairs = [list(zip(names, row, strict=True)) for names, row in zip(labels, listed(scores), strict=True)]
    return _results(answer, pairs)


def _numbers(answer: Answer) -> Response:
    scores = listed(_scores(answer))
    return _results(answer, [row[0] if len(row) == 1 else row for row in scores])


def _results(answer: Answer, results: object) -> Response:
    """Its documentation says ``result``, its server writes ``results``: clients of both find what they look for."""
    text = encoded(results)
    return Response(b'{"results":%b,"result":%b}' % (text, text), 200, JSON, headed(answer))


def metadata(core: EndpointCore, version: str | None) -> Response:
    """``GET /v1/models/{model}/metadata``: the signature, as TensorFlow Serving writes its own.

    Raises:
        ModelLoadFailed: nothing is in force.
    """
    form = core.form
    signature = {
        "inputs": {each.name: _tensor(each) for each in form.inputs},
        "outputs": {each.name: _tensor(each) for each in form.outputs},
        "method_name": "tensorflow/serving/predict",
    }
    answer = {
        "model_spec": {"name": form.endpoint, "signature_name": "", "version": version or form.version},
        "metadata": {"signature_def": {"signature_def": {"serving_default": signature}}},
    }
    return Response(encoded(answer))


def _tensor(each: Field) -> dict[str, object]:
    return {
        "dtype": DTYPES.get(each.type, "DT_STRING"),
        "tensor_shape": {
            "dim": [{"size": str(size), "name": ""} for size in (-1, *each.shape)],
            "unknown_rank": False,
        },
        "name": each.name,
    }


VERBS: Final[Mapping[str, Callable[[Request, Form], tuple[Ask, Encode]]]] = {
    "predict": predict,
    "classify": classify,
    "regress": regress,
}
