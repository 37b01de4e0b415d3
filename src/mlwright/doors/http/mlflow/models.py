"""Calls of the MLflow protocol about models."""

from collections.abc import Sequence
from typing import Final

import msgspec

from mlwright.doors.http.mlflow.call import Asked, Call
from mlwright.doors.http.mlflow.versions import Tag, named, tags_of, version_to_wire
from mlwright.model.instants import to_micros
from mlwright.model.registry import ModelVersion, RegisteredModel
from mlwright.platform.tracking.facade import TrackingPlatform
from mlwright.stages.registry.names import parse_version


class _Create(msgspec.Struct):
    name: str = ""
    tags: list[Tag] = []
    description: str | None = None


class _Named(msgspec.Struct):
    name: str = ""


class _Described(msgspec.Struct):
    name: str = ""
    description: str | None = None


class _Renamed(msgspec.Struct):
    name: str = ""
    new_name: str = ""


class _Latest(msgspec.Struct):
    name: str = ""
    stages: list[str] = []


class _Tagged(msgspec.Struct):
    name: str = ""
    key: str = ""
    value: str = ""


class _Aliased(msgspec.Struct):
    name: str = ""
    alias: str = ""
    version: str = ""


def model_to_wire(model: RegisteredModel, latest: Sequence[ModelVersion]) -> dict[str, object]:
    """A model as MLflow's ``RegisteredModel``; the versions within name no aliases, as there."""
    wire: dict[str, object] = {
        "name": model.name,
        "creation_timestamp": to_micros(model.created) // 1000,
        "last_updated_timestamp": to_micros(model.updated) // 1000,
    }
    if model.description:
        wire["description"] = model.description
    if latest:
        wire["latest_versions"] = [version_to_wire(each, aliases=False) for each in latest]
    if model.tags:
        wire["tags"] = [{"key": key, "value": value} for key, value in model.tags.items()]
    if model.aliases:
        wire["aliases"] = [
            {"alias": alias, "version": str(number)} for alias, number in model.aliases.items()
        ]
    return wire


def _create(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Create)
    named(name=said.name)
    made = tracking.models.create(said.name, description=said.description, tags=tags_of(said.tags))
    return {"registered_model": model_to_wire(made, ())}


def _rename(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Renamed)
    named(name=said.name, new_name=said.new_name)
    return {"registered_model": model_to_wire(*tracking.models.rename(said.name, said.new_name))}


def _update(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Described)
    named(name=said.name)
    return {"registered_model": model_to_wire(*tracking.models.describe(said.name, said.description or ""))}


def _delete(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Named)
    named(name=said.name)
    tracking.models.delete(said.name)
    return {}


def _get(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse_query(_Named)
    named(name=said.name)
    return {"registered_model": model_to_wire(*tracking.models.look(said.name))}


def _get_latest(tracking: TrackingPlatform, asked: Asked) -> object:
    return _latest(tracking, asked.parse_query(_Latest))


def _post_latest(tracking: TrackingPlatform, asked: Asked) -> object:
    return _latest(tracking, asked.parse(_Latest))


def _latest(tracking: TrackingPlatform, said: _Latest) -> object:
    named(name=said.name)
    found = tracking.models.latest(said.name, said.stages)
    return {"model_versions": [version_to_wire(each) for each in found]} if found else {}


def _set_tag(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Tagged)
    named(name=said.name, key=said.key)
    tracking.models.tag(said.name, said.key, said.value)
    return {}


def _delete_tag(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Tagged)
    named(name=said.name, key=said.key)
    tracking.models.untag(said.name, said.key)
    return {}


def _set_alias(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Aliased)
    named(name=said.name, alias=said.alias, version=said.version)
    tracking.models.set_alias(said.name, said.alias, parse_version(said.version))
    return {}


def _delete_alias(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Aliased)
    named(name=said.name, alias=said.alias)
    tracking.models.delete_alias(said.name, said.alias)
    return {}


def _by_alias(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse_query(_Aliased)
    named(name=said.name, alias=said.alias)
    return {"model_version": version_to_wire(tracking.models.by_alias(said.name, said.alias))}


_AT: Final = "2.0/mlflow/registered-models"

CALLS: Final[tuple[Call, ...]] = (
    Call(method="POST", path=f"{_AT}/create", handler=_create, writes=True),
    Call(method="POST", path=f"{_AT}/rename", handler=_rename, writes=True),
    Call(method="PATCH", path=f"{_AT}/update", handler=_update, writes=True),
    Call(method="DELETE", path=f"{_AT}/delete", handler=_delete, writes=True),
    Call(method="GET", path=f"{_AT}/get", handler=_get),
    Call(method="GET", path=f"{_AT}/get-latest-versions", handler=_get_latest),
    Call(method="POST", path=f"{_AT}/get-latest-versions", handler=_post_latest),
    Call(method="POST", path=f"{_AT}/set-tag", handler=_set_tag, writes=True),
    Call(method="DELETE", path=f"{_AT}/delete-tag", handler=_delete_tag, writes=True),
    Call(method="POST", path=f"{_AT}/alias", handler=_set_alias, writes=True),
    Call(method="DELETE", path=f"{_AT}/alias", handler=_delete_alias, writes=True),
    Call(method="GET", path=f"{_AT}/alias", handler=_by_alias),
)
