"""Calls of the MLflow protocol about metrics.

Histories are written to JSON here, in slices that stay in the processor's cache: 100,000 points take about 20 ms.
"""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Final

import msgspec
import numpy as np

from mlwright.doors.http.mlflow.call import Asked, Call
from mlwright.doors.http.mlflow.experiments import Tag
from mlwright.doors.http.mlflow.runs import OfRun, number_to_wire
from mlwright.errors import BadRequest
from mlwright.model.ids import RunId
from mlwright.model.tracking import History, Metric
from mlwright.platform.tracking.facade import TrackingPlatform

BULK_POINTS: Final = 25_000
BULK_RUNS: Final = 100
SAMPLED_POINTS: Final = 2_500
"""What MLflow's own server answers at most, of all runs together or of each."""

_MANUAL: Final = " See the API docs for more information about request parameters."
_AT_ONCE: Final = 4096


class _Point(msgspec.Struct, gc=False):
    """A metric on the wire. Clients write NaN and the infinities as words."""

    key: str = ""
    value: float | str | None = None
    timestamp: int | None = None
    step: int | None = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None

    def to_metric(self, where: str = "") -> Metric:
        """The metric that is meant.

        Raises:
            BadRequest: it lacks a key, a value or an instant, or the value is no number; ``where`` is before the
                name of the field.
        """
        value = self.value
        if not self.key or value is None or value == "" or self.timestamp is None:
            missing = "key" if not self.key else "timestamp" if value not in (None, "") else "value"
            raise BadRequest(f"Missing value for required parameter '{where}{missing}'.{_MANUAL}")
        return Metric(
            key=self.key,
            value=value if isinstance(value, float) else _number(value, f"{where}value"),
            step=self.step or 0,
            at_ms=self.timestamp,
            model=self.model_id or None,
            dataset=self.dataset_name or None,
            dataset_digest=self.dataset_digest or None,
        )


class _LogMetric(_Point):
    run_id: str = ""
    run_uuid: str = ""


class _LogBatch(OfRun):
    metrics: list[_Point] = msgspec.field(default_factory=list)
    params: list[Tag] = msgspec.field(default_factory=list)
    tags: list[Tag] = msgspec.field(default_factory=list)


class _History(OfRun):
    metric_key: str = ""
    max_results: int | None = None
    page_token: str | None = None


class _Bulk(msgspec.Struct):
    run_id: list[str] = []
    metric_key: str | None = None
    max_results: int = BULK_POINTS


class _Interval(msgspec.Struct):
    run_ids: list[str] = []
    metric_key: str = ""
    start_step: int | None = None
    end_step: int | None = None
    max_results: int = SAMPLED_POINTS


class _Answered(msgspec.Struct, gc=False):
    key: str
    value: float | str
    timestamp: int
    step: int


class _AnsweredOfRun(_Answered, gc=False):
    run_id: str


def history_to_json(history: History, token: str | None = None) -> bytes:
    """The answer that holds one history, and the token of its next page."""
    return _answer([_slices(history)], token)


def histories_to_json(histories: Sequence[tuple[RunId, History]]) -> bytes:
    """The answer that holds points of several runs, each with the id of its run."""
    return _answer(_slices(history, run) for run, history in histories)


def _answer(points: Iterable[Iterable[bytes]], token: str | None = None) -> bytes:
    # An empty list is left out, as protocol buffers do.
    inside = b",".join(slice for each in points for slice in each)
    fields = [b'"metrics":[' + inside + b"]"] if inside else []
    if token:
        fields.append(b'"next_page_token":' + msgspec.json.encode(token))
    return b"{" + b",".join(fields) + b"}"


def _slices(history: History, run: RunId | None = None) -> Iterable[bytes]:
    for start in range(0, len(history.steps), _AT_ONCE):
        here = slice(start, start + _AT_ONCE)
        values: list[float | str] = history.values[here].tolist()
        for place in np.flatnonzero(~np.isfinite(history.values[here])).tolist():
            values[place] = number_to_wire(float(history.values[start + place]))
        columns = (repeat(history.key), values, history.at_ms[here].tolist(), history.steps[here].tolist())
        points = map(_Answered, *columns) if run is None else map(_AnsweredOfRun, *columns, repeat(run))
        yield msgspec.json.encode(list(points))[1:-1]


def _number(said: str, where: str) -> float:
    try:
        return float(said)
    except ValueError:
        raise BadRequest(f"Invalid value {said!r} for parameter '{where}' supplied.{_MANUAL}") from None


def _log_metric(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_LogMetric)
    run = OfRun(run_id=body.run_id, run_uuid=body.run_uuid).run
    tracking.metrics.log(run, body.to_metric())
    return b"{}"


def _log_batch(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_LogBatch)
    tracking.metrics.log_batch(
        body.run,
        metrics=[each.to_metric(f"metrics[{place}].") for place, each in enumerate(body.metrics)],
        params=[(each.key, each.value) for each in body.params],
        tags=[(each.key, each.value) for each in body.tags],
    )
    return b"{}"


def _history(tracking: TrackingPlatform, asked: Asked) -> object:
    query = asked.parse_query(_History)
    key = _required("metric_key", query.metric_key)
    found, following = tracking.metrics.page(query.run, key, most=query.max_results, token=query.page_token)
    return history_to_json(found, following)


def _bulk(tracking: TrackingPlatform, asked: Asked) -> object:
    query = asked.parse_query(_Bulk)
    if not query.run_id:
        raise BadRequest("GetMetricHistoryBulk request must specify at least one run_id.")
    if len(query.run_id) > BULK_RUNS:
        raise BadRequest(
            f"GetMetricHistoryBulk request cannot specify more than {BULK_RUNS} run_ids."
            f" Received {len(query.run_id)} run_ids."
        )
    if query.metric_key is None:
        raise BadRequest("GetMetricHistoryBulk request must specify a metric_key.")
    runs = [RunId(each) for each in query.run_id]
    most = min(query.max_results, BULK_POINTS)
    answer = histories_to_json(tracking.metrics.histories(runs, query.metric_key, most))
    # This call is no message of the protocol: its page reads the list without asking whether there is one.
    return answer if answer != b"{}" else b'{"metrics":[]}'


def _interval(tracking: TrackingPlatform, asked: Asked) -> object:
    query = asked.parse_query(_Interval)
    _check_interval(query)
    runs = [RunId(each) for each in query.run_ids]
    found = tracking.metrics.sampled(
        runs,
        _required("metric_key", query.metric_key),
        most=query.max_results,
        first=query.start_step,
        last=query.end_step,
    )
    return histories_to_json(found)


def _check_interval(query: _Interval) -> None:
    first, last = query.start_step, query.end_step
    if not query.run_ids:
        raise BadRequest(f"Missing value for required parameter 'run_ids'.{_MANUAL}")
    if len(query.run_ids) > BULK_RUNS:
        raise BadRequest(
            f"GetMetricHistoryBulkInterval request must specify at most {BULK_RUNS} run_ids."
            f" Received {len(query.run_ids)} run_ids.{_MANUAL}"
        )
    if not 1 <= query.max_results <= SAMPLED_POINTS:
        raise BadRequest(f"max_results must be between 1 and {SAMPLED_POINTS}.{_MANUAL}")
    if (first is None) != (last is None):
        raise BadRequest("If either start step or end step are specified, both must be specified.")
    if first is not None and last is not None and first > last:
        raise BadRequest(
            f"end_step must be greater than start_step. Found start_step={first} and end_step={last}."
        )


def _required(name: str, value: str) -> str:
    if not value:
        raise BadRequest(f"Missing value for required parameter '{name}'.{_MANUAL}")
    return value


_METRICS: Final = "2.0/mlflow/metrics/"

CALLS: Final[tuple[Call, ...]] = (
    Call(method="POST", path="2.0/mlflow/runs/log-metric", handler=_log_metric, writes=True),
    Call(method="POST", path="2.0/mlflow/runs/log-batch", handler=_log_batch, writes=True),
    Call(method="GET", path=f"{_METRICS}get-history", handler=_history),
    Call(method="GET", path=f"{_METRICS}get-history-bulk", handler=_bulk),
    Call(method="GET", path=f"{_METRICS}get-history-bulk-interval", handler=_interval),
)
