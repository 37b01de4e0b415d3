"""What all protocols of predictions share on the way out: values as JSON, and headers where a body has no room."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from mlwright.doors.http.inference.exchange import JSON, Response
from mlwright.model.batches import Array
from mlwright.stages.serving.asks import Answer

IDS: Final = "x-mlwright-prediction-ids"
"""The prediction id of each row, by commas, up to :data:`MOST_IDS` rows."""
REQUEST_ID: Final = "x-mlwright-request-id"
"""For more rows: the prediction id of row i is this, a point, and i. A request may say it itself: sent again under the
same id, its predictions stand in the log in place of the first ones."""
VERSION: Final = "x-mlwright-model-version"
"""``model/version`` of each that answered, by commas."""
DEGRADED: Final = "x-mlwright-degraded"
FLAGS: Final = "x-mlwright-flags"
MOST_IDS: Final = 16

_MOST_FLAGS: Final = 8
_LONGEST: Final = 1024


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)


_encode: Final = msgspec.json.Encoder(enc_hook=_plain).encode


def encoded(value: object) -> bytes:
    """JSON; numbers that JSON has not are null, bytes are base64, whatever else there is becomes its text."""
    return _encode(value)


def listed(array: Array) -> list[Any]:
    """The values of an output, nested as its shape is; times as ISO 8601 texts."""
    values: list[Any] = (np.datetime_as_string(array) if array.dtype.kind == "M" else array).tolist()
    return values


def headed(answer: Answer) -> tuple[tuple[str, str], ...]:
    """The headers of an answer: ids, versions, and whether it is degraded or flagged."""
    named: tuple[tuple[str, str], ...]
    if answer.rows == 1:
        named = ((IDS, f"{answer.id}.0"), (VERSION, answer.versions[0]))
    else:
        few = answer.rows <= MOST_IDS
        first = (IDS, ",".join(answer.prediction_ids)) if few else (REQUEST_ID, answer.id)
        named = (first, (VERSION, ",".join(dict.fromkeys(answer.versions))[:_LONGEST]))
    if answer.degraded is not None:
        named = (*named, (DEGRADED, answer.degraded))
    if answer.flags:
        text = "; ".join(answer.flags[:_MOST_FLAGS])
        named = (*named, (FLAGS, text.encode("unicode_escape").decode("ascii")[:_LONGEST]))
    return named


def by_row(outputs: Mapping[str, Array]) -> Sequence[object]:
    """One value a row where there is one output, else one object a row."""
    if len(outputs) == 1:
        return listed(next(iter(outputs.values())))
    names = tuple(outputs)
    return [dict(zip(names, row, strict=True)) for row in zip(*map(listed, outputs.values()), strict=True)]


def by_column(outputs: Mapping[str, Array]) -> object:
    """The values of the one output, or an object of all of them."""
    if len(outputs) == 1:
        return listed(next(iter(outputs.values())))
    return {name: listed(array) for name, array in outputs.items()}


def predictions(answer: Answer) -> Response:
    """``{"predictions": …}``, one a row, as MLflow, TensorFlow Serving and KServe v1 say it."""
    return Response(b'{"predictions":%b}' % _encode(by_row(answer.outputs)), 200, JSON, headed(answer))
