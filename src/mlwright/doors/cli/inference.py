"""Asking a running inference server, over the Open Inference Protocol v2 and the feedback call."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import httpx

import mlwright.errors as errors
from mlwright.errors import BadRequest, Fault, MlwrightError, NotFound

Columns = Mapping[str, Sequence[object]]

_ROWS_A_REQUEST: Final = 1000
_PATIENCE_S: Final = 30.0
_ROW: Final = re.compile(r"\[(\d+)\]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One row's answer; ``outputs`` has what the model gave besides a score."""

    entity_key: str | None
    score: float | None
    prediction_id: str
    model_version: str
    variant: str
    outputs: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """How many labels the server has on disk, and how many of these at least had been sent before."""

    endpoint: str
    accepted: int
    repeated: int = 0


class InferenceServer:
    """One server that may or may not be running."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def inputs(self, endpoint: str) -> dict[str, str]:
        """What the endpoint takes: the protocol's datatype by name."""
        metadata = self._call("GET", f"/v2/models/{endpoint}")
        return {each["name"]: each["datatype"] for each in metadata["inputs"]}

    def infer(
        self, endpoint: str, columns: Columns, datatypes: Mapping[str, str], entity: str
    ) -> tuple[Answered, ...]:
        """Score rows; columns of equal length, one a tensor.

        Raises:
            NotFound: nothing listens, or no endpoint has this name.
            MlwrightError: what the server refused, as it said it.
        """
        answers: list[Answered] = []
        for part in _parts(columns):
            tensors = [
                {"name": name, "shape": [len(data)], "datatype": datatypes[name], "data": data}
                for name, data in part.items()
            ]
            said = self._call("POST", f"/v2/models/{endpoint}/infer", {"inputs": tensors})
            rows = len(next(iter(part.values())))
            given = {each["name"]: _by_row(each["data"], rows) for each in said["outputs"]}
            keys = part.get(entity)
            ours = [given.pop(name) for name in ("prediction_id", "model_version", "variant")]
            scores = given.pop("score", None)
            answers += [
                Answered(
                    entity_key=None if keys is None else str(keys[row]),
                    score=None if scores is None else scores[row],
                    prediction_id=ours[0][row],
                    model_version=ours[1][row],
                    variant=ours[2][row],
                    outputs={name: values[row] for name, values in given.items()},
                )
                for row in range(rows)
            ]
        return tuple(answers)

    def feedback(self, endpoint: str, columns: Columns) -> Accepted:
        """Send labels: ``label``, ``prediction_id`` or ``entity_key`` (and ``event_time``), and ``observed_at``, in
        microseconds.

        Raises:
            NotFound: nothing listens, or no endpoint has this name.
            MlwrightError: what the server refused, as it said it; its faults name the rows of the columns. Labels
                of the thousands of rows before are on disk.
        """
        accepted = repeated = 0
        for part in _parts(columns):
            try:
                said = self._call("POST", "/v1/feedback", {"endpoint": endpoint, **part})
            except MlwrightError as error:
                error.faults = tuple(_moved(each, by=accepted) for each in error.faults)
                raise
            accepted += said["accepted"]
            repeated += said.get("repeated") or 0
        return Accepted(endpoint=endpoint, accepted=accepted, repeated=repeated)

    def _call(self, method: Literal["GET", "POST"], path: str, body: object = None) -> Any:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.ConnectError as error:
            raise NotFound(
                f"nothing listens on {self._http.base_url.netloc.decode()}",
                why="the endpoints are served while mlwright up runs",
                next_command="mlwright up",
            ) from error
        except httpx.HTTPError as error:
            raise BadRequest(
                f"the server did not answer: {type(error).__name__}",
                where=str(self._http.base_url.join(path)),
                why=str(error) or None,
                next_command="mlwright doctor",
            ) from error
        if answer.is_error:
            raise _refusal(answer)
        return answer.json()


@contextmanager
def inference_server(host: str, port: int) -> Iterator[InferenceServer]:
    """Talk to the server of a project; nothing is sent yet."""
    address = f"[{host}]" if ":" in host else host
    # The server is on this machine: a proxy that the environment names could not reach it.
    with httpx.Client(base_url=f"http://{address}:{port}", timeout=_PATIENCE_S, trust_env=False) as http:
        yield InferenceServer(http)


def _by_row(data: list[Any], rows: int) -> list[Any]:
    """One value a row, or a list of them where the output has several."""
    width = len(data) // rows if rows else 1
    return data if width <= 1 else [data[row * width : (row + 1) * width] for row in range(rows)]


def _parts(columns: Columns) -> Iterator[Columns]:
    rows = len(next(iter(columns.values()), ()))
    for first in range(0, rows, _ROWS_A_REQUEST):
        yield {name: values[first : first + _ROWS_A_REQUEST] for name, values in columns.items()}


def _moved(fault: Fault, *, by: int) -> Fault:
    """A fault of a part as one of the whole."""
    where = _ROW.sub(lambda row: f"[{int(row[1]) + by}]", fault.where)
    return Fault(where=where, what=fault.what, near=fault.near)


def _refusal(answer: httpx.Response) -> MlwrightError:
    """The server's error as the error that it was there."""
    try:
        said = answer.json()
        kind = getattr(errors, str(said.get("code")), BadRequest)
        first = str(said["error"]).partition("\n")[0]
        why = next((line[7:] for line in str(said["error"]).splitlines() if line.startswith("  why: ")), None)
        faults = [Fault(**fault) for fault in said.get("faults", ())]
    except (ValueError, KeyError, TypeError, AttributeError):
        return BadRequest(
            f"the server answered {answer.status_code}", where=str(answer.url), why=answer.text[:200]
        )
    if not (isinstance(kind, type) and issubclass(kind, MlwrightError)):
        kind = BadRequest
    return kind(first, why=why, faults=faults, next_command=said.get("next_command"))
