"""Calls of the MLflow protocol about experiments."""

from collections.abc import Mapping
from typing import Final

import msgspec

from mlwright.doors.http.mlflow.call import Asked, Call
from mlwright.model.instants import to_micros
from mlwright.model.tracking import Experiment
from mlwright.platform.tracking.facade import TrackingPlatform


class Tag(msgspec.Struct):
    """A tag, or a param, on the wire."""

    key: str = ""
    value: str = ""


class _Create(msgspec.Struct):
    name: str = ""
    artifact_location: str | None = None
    tags: list[Tag] = []


class _One(msgspec.Struct):
    experiment_id: str


class _Named(msgspec.Struct):
    experiment_name: str


class _Rename(msgspec.Struct):
    experiment_id: str
    new_name: str


class _SetTag(msgspec.Struct):
    experiment_id: str
    key: str
    value: str = ""


class _DeleteTag(msgspec.Struct):
    experiment_id: str
    key: str


def tags_to_wire(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags or params as the protocol has them."""
    return [{"key": key, "value": value} for key, value in tags.items()]


def experiment_to_wire(experiment: Experiment) -> dict[str, object]:
    """An experiment as the protocol has it; fields without a value are left out."""
    wire: dict[str, object] = {
        "experiment_id": experiment.id,
        "name": experiment.name,
        "artifact_location": experiment.artifact_root,
        "lifecycle_stage": experiment.lifecycle.value,
        "last_update_time": to_micros(experiment.updated) // 1000,
        "creation_time": to_micros(experiment.created) // 1000,
        "workspace": "default",
    }
    if experiment.tags:
        wire["tags"] = tags_to_wire(experiment.tags)
    return wire


def _create(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_Create)
    id = tracking.experiments.create(
        body.name,
        artifact_root=body.artifact_location or None,
        tags={each.key: each.value for each in body.tags},
    )
    return {"experiment_id": id}


def _get(tracking: TrackingPlatform, asked: Asked) -> object:
    found = tracking.experiments.get(asked.parse_query(_One).experiment_id)
    return {"experiment": experiment_to_wire(found)}


def _get_by_name(tracking: TrackingPlatform, asked: Asked) -> object:
    found = tracking.experiments.get_by_name(asked.parse_query(_Named).experiment_name)
    return {"experiment": experiment_to_wire(found)}


def _update(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_Rename)
    tracking.experiments.rename(body.experiment_id, body.new_name)
    return {}


def _delete(tracking: TrackingPlatform, asked: Asked) -> object:
    tracking.experiments.delete(asked.parse(_One).experiment_id)
    return {}


def _restore(tracking: TrackingPlatform, asked: Asked) -> object:
    tracking.experiments.restore(asked.parse(_One).experiment_id)
    return {}


def _set_tag(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_SetTag)
    tracking.experiments.set_tags(body.experiment_id, {body.key: body.value})
    return {}


def _delete_tag(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_DeleteTag)
    tracking.experiments.delete_tag(body.experiment_id, body.key)
    return {}


_AT: Final = "2.0/mlflow/experiments/"

CALLS: Final[tuple[Call, ...]] = (
    Call(method="POST", path=f"{_AT}create", handler=_create, writes=True),
    Call(method="GET", path=f"{_AT}get", handler=_get),
    Call(method="GET", path=f"{_AT}get-by-name", handler=_get_by_name),
    Call(method="POST", path=f"{_AT}update", handler=_update, writes=True),
    Call(method="POST", path=f"{_AT}delete", handler=_delete, writes=True),
    Call(method="POST", path=f"{_AT}restore", handler=_restore, writes=True),
    Call(method="POST", path=f"{_AT}set-experiment-tag", handler=_set_tag, writes=True),
    Call(method="POST", path=f"{_AT}delete-experiment-tag", handler=_delete_tag, writes=True),
)
