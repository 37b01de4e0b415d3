"""Trying a container from inside: ``python -m mlwright.doors.up.container_check health|try``.

``health`` is for the engine, every few seconds, and so imports next to nothing. ``try`` waits until the endpoint is
ready, asks it for the rows that the image holds, compares the answers, and prints one line of JSON.
"""

import http.client
import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

PLACE: Final = "/opt/endpoint"
PORT: Final = 8501
_WAIT_S: Final = 120.0
_CLOSE: Final = 1e-6
"""Between machines the last digits of sums differ."""


def main(words: list[str] | None = None) -> int:
    """0: it is well; 1: it is not, and standard error says why."""
    what = (sys.argv[1:] if words is None else words) or ["health"]
    port = int(os.environ.get("MLWRIGHT_PORT") or PORT)
    place = Path(os.environ.get("MLWRIGHT_PLACE") or PLACE)
    try:
        if what[0] == "health":
            _require_ready(_served(place), port)
        else:
            sys.stdout.write(json.dumps(_try(place, port)) + "\n")
    except (OSError, ValueError, http.client.HTTPException) as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    return 0


def _served(place: Path) -> dict[str, Any]:
    served: dict[str, Any] = json.loads((place / "endpoint.json").read_bytes())
    return served


def _require_ready(served: dict[str, Any], port: int) -> None:
    status, said = _call(port, "GET", f"/v2/models/{served['endpoint']['name']}/ready")
    if status != 200:
        raise ValueError(f"not ready: {said.get('error', status)}")


def _try(place: Path, port: int) -> dict[str, float | int]:
    began = time.monotonic()
    served = _served(place)
    while True:
        try:
            _require_ready(served, port)
            break
        except (OSError, ValueError):
            if time.monotonic() - began > _WAIT_S:
                raise
            time.sleep(0.02)
    ready_s = time.monotonic() - began
    rows, outputs = _ask(served, port)
    compared, greatest = 0, 0.0
    for name, expected in served["outputs"].items():
        if name not in outputs:
            raise ValueError(f"the answer has no output {name!r}")
        greatest = max(greatest, _difference(name, _flat(expected), _flat(outputs[name])))
        compared += len(expected)
    return {"ready_s": ready_s, "rows": rows, "compared": compared, "greatest_difference": greatest}


def _ask(served: dict[str, Any], port: int) -> tuple[int, dict[str, list[Any]]]:
    """Ask for the rows of the image, over the Open Inference Protocol."""
    columns = dict(served["inputs"])
    if not columns:
        return 0, {}
    name, endpoint = served["endpoint"]["name"], served["endpoint"]
    rows = len(next(iter(columns.values())))
    now = time.time_ns() // 1000
    columns |= {endpoint["entity"]: ["image-check"] * rows, endpoint["timestamp"]: [now] * rows}
    _, described = _call(port, "GET", f"/v2/models/{name}")
    asked = [
        {
            "name": each["name"],
            "datatype": each["datatype"],
            "shape": [rows, *each["shape"][1:]],
            "data": _flat(columns[each["name"]]),
        }
        for each in described["inputs"]
        if each["name"] in columns
    ]
    status, said = _call(port, "POST", f"/v2/models/{name}/infer", {"inputs": asked})
    if status != 200:
        raise ValueError(f"a prediction failed: {said.get('error', status)}")
    return rows, {each["name"]: each["data"] for each in said["outputs"]}


def _difference(name: str, expected: list[Any], got: list[Any]) -> float:
    if len(expected) != len(got):
        raise ValueError(f"output {name!r} has {len(got)} values, expected {len(expected)}")
    greatest = 0.0
    for at, (one, other) in enumerate(zip(expected, got, strict=True)):
        if not _numbers(one, other):
            same = one == other
        else:
            difference = abs(one - other)
            same = difference <= _CLOSE * max(1.0, abs(one)) or (math.isnan(one) and math.isnan(other))
            greatest = max(greatest, 0.0 if math.isnan(difference) else difference)
        if not same:
            raise ValueError(f"output {name!r}, value {at}: got {other!r}, expected {one!r}")
    return greatest


def _numbers(*values: object) -> bool:
    return all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)


def _flat(values: Any) -> list[Any]:
    """A column as the wire has it: one list, the last dimension first."""
    flat: list[Any] = []
    for each in values:
        flat.extend(_flat(each) if isinstance(each, list) else [each])
    return flat


def _call(port: int, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, path, content, {"content-type": "application/json"})
        answer = connection.getresponse()
        said = json.loads(answer.read())
        return answer.status, said if isinstance(said, dict) else {}
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
