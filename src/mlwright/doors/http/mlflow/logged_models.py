"""Calls of the MLflow protocol about logged models; their files are in artifacts.py, their search in search.py."""

from typing import Final

import msgspec

from mlwright.doors.http.mlflow.call import Asked, Call
from mlwright.doors.http.mlflow.experiments import Tag, tags_to_wire
from mlwright.doors.http.mlflow.runs import number_to_wire
from mlwright.errors import BadRequest
from mlwright.model.ids import RunId
from mlwright.model.tracking import LoggedModel, LoggedModelStatus, Metric
from mlwright.platform.tracking.facade import TrackingPlatform


class _Create(msgspec.Struct):
    experiment_id: str = ""
    name: str | None = None
    model_type: str | None = None
    source_run_id: str | None = None
    params: list[Tag] = []
    tags: list[Tag] = []


class _Get(msgspec.Struct):
    allow_deleted: str = "false"


class _Finish(msgspec.Struct):
    status: str | int | None = None


class _Params(msgspec.Struct):
    params: list[Tag] = []


class _Tags(msgspec.Struct):
    tags: list[Tag] = []


# The numbers are those of the protocol's enumeration, which some clients send.
_STATUS: Final[dict[str | int, LoggedModelStatus]] = {
    said: status
    for number, status in enumerate(
        (LoggedModelStatus.PENDING, LoggedModelStatus.READY, LoggedModelStatus.FAILED), 1
    )
    for said in (status.value, number, str(number))
}


def logged_model_to_wire(model: LoggedModel) -> dict[str, object]:
    """A logged model as the protocol has it; fields without a value are left out, numbers that JSON lacks are words."""
    info: dict[str, object] = {
        "model_id": model.id,
        "experiment_id": model.experiment_id,
        "name": model.name,
        "creation_timestamp_ms": model.created_ms,
        "last_updated_timestamp_ms": model.updated_ms,
        "artifact_uri": model.artifact_root,
        "status": model.status.value,
        "source_run_id": model.source_run or "",
        "model_type": model.model_type or "",
    }
    optional: dict[str, object] = {
        "status_message": model.status_message,
        "tags": tags_to_wire(model.tags),
        "registrations": [{"name": name, "version": str(version)} for name, version in model.versions],
    }
    data = {
        "params": tags_to_wire(model.params),
        "metrics": [_metric_to_wire(run, metric) for run, metric in model.metrics],
    }
    return {"info": info | _given(optional), "data": _given(data)}


def _given(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value}


def _metric_to_wire(run: RunId, metric: Metric) -> dict[str, object]:
    return {
        "key": metric.key,
        "value": number_to_wire(metric.value),
        "timestamp": metric.at_ms,
        "step": metric.step,
        **_given(
            {
                "dataset_name": metric.dataset,
                "dataset_digest": metric.dataset_digest,
                "model_id": metric.model,
                "run_id": run,
            }
        ),
    }


def _create(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_Create)
    model = tracking.logged_models.create(
        body.experiment_id,
        name=body.name or None,
        source_run=RunId(body.source_run_id) if body.source_run_id else None,
        model_type=body.model_type,
        params={each.key: each.value for each in body.params},
        tags={each.key: each.value for each in body.tags},
    )
    return {"model": logged_model_to_wire(model)}


def _get(tracking: TrackingPlatform, asked: Asked) -> object:
    deleted = asked.parse_query(_Get).allow_deleted.lower() == "true"
    return {
        "model": logged_model_to_wire(tracking.logged_models.get(asked.path["model_id"], deleted=deleted))
    }


def _finish(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Finish).status
    if said not in _STATUS:
        raise BadRequest(f"Invalid value {said!r} for parameter 'status' supplied.", where="body")
    model = tracking.logged_models.finish(asked.path["model_id"], _STATUS[said])
    return {"model": logged_model_to_wire(model)}


def _delete(tracking: TrackingPlatform, asked: Asked) -> object:
    tracking.logged_models.delete(asked.path["model_id"])
    return {}


def _log_params(tracking: TrackingPlatform, asked: Asked) -> object:
    values = {each.key: each.value for each in asked.parse(_Params).params}
    tracking.logged_models.log_params(asked.path["model_id"], values)
    return {}


def _set_tags(tracking: TrackingPlatform, asked: Asked) -> object:
    values = {each.key: each.value for each in asked.parse(_Tags).tags}
    tracking.logged_models.set_tags(asked.path["model_id"], values)
    return {}


def _delete_tag(tracking: TrackingPlatform, asked: Asked) -> object:
    tracking.logged_models.delete_tag(asked.path["model_id"], asked.path["key"])
    return {}


_AT: Final = "2.0/mlflow/logged-models"
_ONE: Final = _AT + "/{model_id}"

CALLS: Final[tuple[Call, ...]] = (
    Call(method="POST", path=_AT, handler=_create, writes=True),
    Call(method="GET", path=_ONE, handler=_get),
    Call(method="PATCH", path=_ONE, handler=_finish, writes=True),
    Call(method="DELETE", path=_ONE, handler=_delete, writes=True),
    Call(method="POST", path=f"{_ONE}/params", handler=_log_params, writes=True),
    Call(method="PATCH", path=f"{_ONE}/tags", handler=_set_tags, writes=True),
    Call(method="DELETE", path=f"{_ONE}/tags/{{key}}", handler=_delete_tag, writes=True),
)
