"""Requests in the Open Inference Protocol v2, whole, as bytes; and whether an answer is the right one.

https://kserve.github.io/website/latest/modelserving/data_plane/v2_protocol/
"""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import numpy as np

from mlwright.model.batches import DATATYPES
from mlwright.ports.measuring import Load

_DATATYPES: Final = {**DATATYPES, "datetime": "INT64"}
_NEAR: Final = 1e-6


def requests_of(load: Load, endpoint: str, port: int) -> list[bytes]:
    """A whole HTTP/1.1 request for each row."""
    return [_request(_body(columns, load), endpoint, port) for columns in load.requests]


def answers_right(answer: bytes, right: float | None) -> bool:
    """Whether a whole answer holds the number as the first of its first output."""
    if right is None:
        return True
    try:
        said = json.loads(answer.partition(b"\r\n\r\n")[2])
        first = next(_numbers(said["outputs"][0]["data"]))
    except (ValueError, KeyError, IndexError, TypeError, StopIteration):
        return False
    return math.isclose(first, right, rel_tol=_NEAR, abs_tol=_NEAR) or (
        math.isnan(first) and math.isnan(right)
    )


def _body(columns: Mapping[str, Any], load: Load) -> bytes:
    inputs = []
    for name, column in columns.items():
        kind = load.types[name]
        shape = load.shapes.get(name, ())
        data = (
            [_plain(each) for each in np.asarray(column).ravel()]
            if shape
            else [_plain(each) for each in column]
        )
        sizes = list(np.asarray(column).shape) if shape else [len(data)]
        inputs.append({"name": name, "shape": sizes, "datatype": _DATATYPES[kind], "data": data})
    return json.dumps({"inputs": inputs}).encode()


def _request(body: bytes, endpoint: str, port: int) -> bytes:
    head = (
        f"POST /v2/models/{endpoint}/infer HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _plain(value: Any) -> object:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, datetime):
        return int(value.timestamp() * 1_000_000)
    return value


def _numbers(data: object) -> Iterator[float]:
    if isinstance(data, list):
        for each in data:
            yield from _numbers(each)
    elif isinstance(data, int | float):
        yield float(data)
    else:
        yield math.nan
