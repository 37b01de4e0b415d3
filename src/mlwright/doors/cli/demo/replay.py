"""Replays rows through a running endpoint in event-time order, over HTTP, labels at the instant they arrived."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

import httpx
import msgspec
import polars as pl

from mlwright.errors import Conflict, MlwrightError

T = TypeVar("T")

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_TYPES = {"string": "BYTES", "long": "INT64", "double": "FP64", "boolean": "BOOL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """What is sent: the endpoint, its columns, and the columns that say when."""

    endpoint: str
    entity: str
    timestamp: str
    inputs: Mapping[str, str]
    """Input name → type of the model's signature, without the features that the endpoint looks up itself."""
    label: str
    observed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One hour of the past: the requests made in it, and the labels that arrived in it."""

    start: datetime
    asked: pl.DataFrame | None
    arrived: pl.DataFrame | None


class _Tensor(msgspec.Struct, frozen=True):
    shape: list[int]


class _Answer(msgspec.Struct, frozen=True):
    outputs: list[_Tensor]


class _Receipt(msgspec.Struct, frozen=True):
    accepted: int


class _Refreshed(msgspec.Struct, frozen=True):
    generations: dict[str, int | None]


class EndpointClient:
    """Speaks the Open Inference Protocol to the endpoint, as any client would."""

    def __init__(self, base: str, plan: ReplayPlan) -> None:
        self._http = httpx.Client(base_url=base, timeout=30.0)
        self.plan = plan
        self._infer = f"/v2/models/{plan.endpoint}/infer"

    def predict(self, request_id: str, rows: pl.DataFrame) -> int:
        """Score rows; returns how many answers came.

        Rows asked about again under the same id are one prediction each, not two.

        Raises:
            Conflict: the endpoint refused the request.
        """
        plan = self.plan
        columns = rows.to_dict(as_series=False)
        tensors = {plan.entity: "BYTES", plan.timestamp: "INT64"} | {
            name: _TYPES[kind] for name, kind in plan.inputs.items()
        }
        body = {
            "id": request_id,
            "inputs": [
                {"name": name, "datatype": kind, "shape": [rows.height], "data": columns[name]}
                for name, kind in tensors.items()
            ],
        }
        named = {"x-mlwright-request-id": request_id}
        return self._post(self._infer, body, _Answer, named).outputs[0].shape[0]

    def feedback(self, rows: pl.DataFrame) -> int:
        """Send labels; returns how many were acknowledged."""
        plan = self.plan
        body = {
            "endpoint": plan.endpoint,
            "entity_key": rows[plan.entity].to_list(),
            "label": rows[plan.label].cast(pl.Float64).to_list(),
            "observed_at": rows[plan.observed].to_list(),
        }
        return self._post("/v1/feedback", body, _Receipt).accepted

    def refresh(self) -> None:
        """Let the inference process take over what changed, now."""
        self._post("/v1/refresh", {}, _Refreshed)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _post(self, path: str, body: object, form: type[T], headers: Mapping[str, str] = _NONE) -> T:
        try:
            response = self._http.post(
                path,
                content=msgspec.json.encode(body),
                headers={"content-type": "application/json", **headers},
            )
        except httpx.TransportError as error:
            raise Conflict(
                f"the endpoint stopped answering: {error}", where=path, next_command="mlwright demo"
            ) from error
        if response.status_code != 200:
            raise Conflict(f"the endpoint answered {response.status_code}: {response.text[:500]}", where=path)
        return msgspec.json.decode(response.content, type=form)


def hours(
    rows: pl.DataFrame, plan: ReplayPlan, start: datetime, end: datetime, *, first: datetime
) -> Iterator[Hour]:
    """Cut the past into hours, in order; hours in which nothing happened are left out.

    ``first`` is where the whole replay begins: one that is resumed at ``start`` still brings the labels of what was
    asked before.

    ``rows`` has the plan's entity, timestamp, inputs, label and observed columns; instants are aware.
    """
    names = list(dict.fromkeys([plan.entity, plan.timestamp, *plan.inputs]))
    asked = _by_hour(rows.select(names), plan.timestamp, start, end)
    known = rows.filter(pl.col(plan.label).is_not_null() & (pl.col(plan.timestamp) >= first))
    arrived = _by_hour(known.select(plan.entity, plan.label, plan.observed), plan.observed, start, end)
    for hour in sorted(asked.keys() | arrived.keys()):
        yield Hour(start=hour, asked=asked.get(hour), arrived=arrived.get(hour))


def _by_hour(rows: pl.DataFrame, by: str, start: datetime, end: datetime) -> dict[datetime, pl.DataFrame]:
    cut = (
        rows.filter((pl.col(by) >= start) & (pl.col(by) < end))
        .sort(by)
        .with_columns(pl.col(by).dt.truncate("1h").alias("_hour"), pl.col(by).dt.epoch("us").alias(by))
    )
    parts = cut.partition_by("_hour", as_dict=True, include_key=False)
    return {key[0]: part for key, part in parts.items()}


class ReplayMark:
    """How far a replay came, kept across a crash. Written only after everything before it is done."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> datetime | None:
        """The instant up to which everything was replayed, or None at the beginning."""
        if not self._path.exists():
            return None
        try:
            return datetime.fromisoformat(json.loads(self._path.read_text())["through"])
        except (ValueError, KeyError) as error:
            raise MlwrightError(
                "the replay's mark cannot be read",
                where=str(self._path),
                next_command="mlwright demo --fresh",
            ) from error

    def write(self, through: datetime) -> None:
        """Move the mark, atomically."""
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps({"through": through.isoformat()}))
        partial.replace(self._path)


def days_between(start: datetime, end: datetime) -> int:
    """Whole days from start to end, rounded up."""
    return -((start - end) // timedelta(days=1))
