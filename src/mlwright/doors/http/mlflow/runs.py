"""Calls of the MLflow protocol about runs."""

import math
from typing import Final

import msgspec

from mlwright.doors.http.mlflow.call import Asked, Call, Int64
from mlwright.doors.http.mlflow.experiments import Tag, tags_to_wire
from mlwright.errors import BadRequest
from mlwright.model.ids import RunId
from mlwright.model.tracking import Dataset, DatasetInput, ModelOutput, RunRecord, RunStatus
from mlwright.platform.tracking.facade import TrackingPlatform


class OfRun(msgspec.Struct):
    """What names a run. ``run_uuid`` is what clients before MLflow 1 call it."""

    run_id: str = ""
    run_uuid: str = ""

    @property
    def run(self) -> RunId:
        """The run that is meant.

        Raises:
            BadRequest: none is named.
        """
        run = self.run_id or self.run_uuid
        if not run:
            raise BadRequest("Missing value for required parameter 'run_id'.")
        return RunId(run)


class _Create(msgspec.Struct):
    experiment_id: str = ""
    user_id: str = ""
    run_name: str = ""
    start_time: Int64 | None = None
    tags: list[Tag] = []


class _Update(OfRun):
    status: str | int | None = None
    end_time: Int64 | None = None
    run_name: str | None = None


class _Keyed(OfRun):
    key: str = ""
    value: str = ""


class _Dataset(msgspec.Struct):
    name: str = ""
    digest: str = ""
    source_type: str = ""
    source: str = ""
    schema: str | None = None
    profile: str | None = None


class _DatasetInput(msgspec.Struct):
    dataset: _Dataset
    tags: list[Tag] = []


class _Model(msgspec.Struct):
    model_id: str
    step: Int64 = 0


class _Inputs(OfRun):
    datasets: list[_DatasetInput] = []
    models: list[_Model] = []


class _Outputs(OfRun):
    models: list[_Model] = []


class _Described(OfRun):
    model_json: str = ""


# By the protocol's words, and by the numbers of its enumeration, which some clients send.
_STATUS: Final[dict[str, RunStatus]] = {each.value: each for each in RunStatus} | {
    str(number): RunStatus(word)
    for number, word in enumerate(("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"), 1)
}


def run_to_wire(record: RunRecord) -> dict[str, object]:
    """A run as the protocol has it; fields without a value are left out, numbers that JSON lacks are words."""
    data: dict[str, object] = {}
    if record.metrics:
        data["metrics"] = [
            {
                "key": each.key,
                "value": each.value if math.isfinite(each.value) else number_to_wire(each.value),
                "timestamp": each.at_ms,
                "step": each.step,
            }
            for each in record.metrics
        ]
    if record.params:
        data["params"] = tags_to_wire(record.params)
    if record.tags:
        data["tags"] = tags_to_wire(record.tags)
    return {
        "info": run_info_to_wire(record),
        "data": data,
        "inputs": _inputs_to_wire(record) if record.inputs or record.model_inputs else {},
        "outputs": {"model_outputs": [{"model_id": each.model, "step": each.step} for each in record.outputs]}
        if record.outputs
        else {},
    }


def run_info_to_wire(record: RunRecord) -> dict[str, object]:
    """What a run is, without what was recorded of it."""
    wire: dict[str, object] = {
        "run_uuid": record.id,
        "experiment_id": record.experiment_id,
        "run_name": record.name,
        "user_id": record.actor,
        "status": record.status.value,
        "start_time": record.started_ms,
        "artifact_uri": record.artifact_root,
        "lifecycle_stage": record.lifecycle.value,
        "run_id": record.id,
    }
    if record.ended_ms is not None:
        wire["end_time"] = record.ended_ms
    return wire


def number_to_wire(value: float) -> float | str:
    """A number as protocol buffers write it in JSON."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _inputs_to_wire(record: RunRecord) -> dict[str, object]:
    wire: dict[str, object] = {}
    if record.inputs:
        wire["dataset_inputs"] = [_input_to_wire(each) for each in record.inputs]
    if record.model_inputs:
        wire["model_inputs"] = [{"model_id": each} for each in record.model_inputs]
    return wire


def _input_to_wire(used: DatasetInput) -> dict[str, object]:
    known = used.dataset
    wire: dict[str, object] = {
        "name": known.name,
        "digest": known.digest,
        "source_type": known.source_type,
        "source": known.source,
    }
    if known.schema:
        wire["schema"] = known.schema
    if known.profile:
        wire["profile"] = known.profile
    return {"tags": tags_to_wire(used.tags), "dataset": wire} if used.tags else {"dataset": wire}


def _create(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_Create)
    record = tracking.runs.create(
        body.experiment_id,
        name=body.run_name or None,
        actor=body.user_id,
        started_ms=body.start_time or None,
        tags={each.key: each.value for each in body.tags},
    )
    run = run_to_wire(record)
    del run["outputs"]  # as MLflow answers: a run that has just begun cannot have any
    return {"run": run}


def _get(tracking: TrackingPlatform, asked: Asked) -> object:
    return {"run": run_to_wire(tracking.runs.get(asked.parse_query(OfRun).run))}


def _update(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_Update)
    status = None if body.status is None else _status(body.status)
    record = tracking.runs.update(body.run, status=status, ended_ms=body.end_time, name=body.run_name)
    return {"run_info": run_info_to_wire(record)}


def _status(said: str | int) -> RunStatus:
    status = _STATUS.get(str(said))
    if status is None:
        raise BadRequest(f"Invalid value {said!r} for parameter 'status' supplied.", where="body")
    return status


def _delete(tracking: TrackingPlatform, asked: Asked) -> object:
    tracking.runs.delete(asked.parse(OfRun).run)
    return {}


def _restore(tracking: TrackingPlatform, asked: Asked) -> object:
    tracking.runs.restore(asked.parse(OfRun).run)
    return {}


def _log_param(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_Keyed)
    tracking.runs.log_params(body.run, {body.key: body.value})
    return {}


def _set_tag(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_Keyed)
    tracking.runs.set_tags(body.run, {body.key: body.value})
    return {}


def _delete_tag(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_Keyed)
    tracking.runs.delete_tag(body.run, body.key)
    return {}


def _log_inputs(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_Inputs)
    used = [
        DatasetInput(
            dataset=Dataset(**msgspec.structs.asdict(each.dataset)),
            tags={tag.key: tag.value for tag in each.tags},
        )
        for each in body.datasets
    ]
    tracking.runs.log_inputs(body.run, used, [each.model_id for each in body.models])
    return {}


def _log_outputs(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_Outputs)
    made = [ModelOutput(model=each.model_id, step=each.step) for each in body.models]
    tracking.runs.log_outputs(body.run, made)
    return {}


def _log_model(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_Described)
    try:
        model = msgspec.json.decode(body.model_json, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise BadRequest(f"Malformed model info. \n {body.model_json} \n is not a valid JSON.") from fault
    tracking.runs.record_model(body.run, model)
    return {}


_AT: Final = "2.0/mlflow/runs/"

CALLS: Final[tuple[Call, ...]] = (
    Call(method="POST", path=f"{_AT}create", handler=_create, writes=True),
    Call(method="GET", path=f"{_AT}get", handler=_get),
    Call(method="POST", path=f"{_AT}update", handler=_update, writes=True),
    Call(method="POST", path=f"{_AT}delete", handler=_delete, writes=True),
    Call(method="POST", path=f"{_AT}restore", handler=_restore, writes=True),
    Call(method="POST", path=f"{_AT}log-parameter", handler=_log_param, writes=True),
    Call(method="POST", path=f"{_AT}set-tag", handler=_set_tag, writes=True),
    Call(method="POST", path=f"{_AT}delete-tag", handler=_delete_tag, writes=True),
    Call(method="POST", path=f"{_AT}log-inputs", handler=_log_inputs, writes=True),
    Call(method="POST", path=f"{_AT}outputs", handler=_log_outputs, writes=True),
    Call(method="POST", path=f"{_AT}log-model", handler=_log_model, writes=True),
)
