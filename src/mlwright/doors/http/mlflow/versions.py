"""Calls of the MLflow protocol about versions."""

from collections.abc import Sequence
from typing import Final

import msgspec

from mlwright.doors.http.mlflow.call import Asked, Call
from mlwright.errors import BadRequest
from mlwright.model.instants import to_micros
from mlwright.model.registry import ModelVersion
from mlwright.platform.tracking.facade import TrackingPlatform
from mlwright.platform.tracking.sources import folder_location
from mlwright.stages.registry.names import parse_version


class Tag(msgspec.Struct):
    """A tag as the protocol sends it."""

    key: str = ""
    value: str = ""


class _Create(msgspec.Struct):
    name: str = ""
    source: str = ""
    run_id: str | None = None
    tags: list[Tag] = []
    run_link: str = ""
    description: str = ""
    model_id: str | None = None


class _Which(msgspec.Struct):
    name: str = ""
    version: str = ""


class _Described(msgspec.Struct):
    name: str = ""
    version: str = ""
    description: str | None = None


class _Moved(msgspec.Struct):
    name: str = ""
    version: str = ""
    stage: str = ""
    archive_existing_versions: bool = False


class _Tagged(msgspec.Struct):
    name: str = ""
    version: str = ""
    key: str = ""
    value: str = ""


def named(**said: str) -> None:
    """Refuse a call that leaves out what it is about.

    Raises:
        BadRequest: a parameter is missing or empty.
    """
    for parameter, value in said.items():
        if not value:
            raise BadRequest(f"Missing value for required parameter '{parameter}'.")


def tags_of(tags: Sequence[Tag]) -> dict[str, str]:
    """Tags by key; of several with one key the last counts, as in MLflow."""
    return {each.key: each.value for each in tags}


def version_to_wire(version: ModelVersion, *, aliases: bool = True) -> dict[str, object]:
    """A version as MLflow's ``ModelVersion``. One that a pipeline of ours stored lies where clients can read it."""
    wire: dict[str, object] = {
        "name": version.model,
        "version": str(version.version),
        "creation_timestamp": to_micros(version.created) // 1000,
        "last_updated_timestamp": to_micros(version.updated or version.created) // 1000,
        "current_stage": version.stage,
        "source": version.source or folder_location(version) or "",
        "run_id": version.run or "",
        "run_link": version.run_link or "",
        "status": version.status,
    }
    if version.description is not None:
        wire["description"] = version.description
    if version.status_message:
        wire["status_message"] = version.status_message
    if version.logged_model:
        wire["model_id"] = version.logged_model
    if version.tags:
        wire["tags"] = [{"key": key, "value": value} for key, value in version.tags.items()]
    if aliases and version.aliases:
        wire["aliases"] = list(version.aliases)
    return wire


def _create(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Create)
    named(name=said.name, source=said.source)
    made = tracking.versions.register(
        said.name,
        said.source,
        run=said.run_id,
        logged_model=said.model_id,
        run_link=said.run_link,
        description=said.description,
        tags=tags_of(said.tags),
    )
    return {"model_version": version_to_wire(made)}


def _get(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse_query(_Which)
    named(name=said.name, version=said.version)
    return {"model_version": version_to_wire(tracking.versions.look(said.name, parse_version(said.version)))}


def _update(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Described)
    named(name=said.name, version=said.version)
    changed = tracking.versions.describe(said.name, parse_version(said.version), said.description)
    return {"model_version": version_to_wire(changed)}


def _move(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Moved)
    named(name=said.name, version=said.version, stage=said.stage)
    moved = tracking.versions.move_stage(
        said.name, parse_version(said.version), said.stage, archive=said.archive_existing_versions
    )
    return {"model_version": version_to_wire(moved)}


def _delete(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Which)
    named(name=said.name, version=said.version)
    tracking.versions.delete(said.name, parse_version(said.version))
    return {}


def _get_location(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse_query(_Which)
    named(name=said.name, version=said.version)
    return {"artifact_uri": tracking.versions.location(said.name, parse_version(said.version))}


def _set_tag(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Tagged)
    named(name=said.name, version=said.version, key=said.key)
    tracking.versions.tag(said.name, parse_version(said.version), said.key, said.value)
    return {}


def _delete_tag(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse(_Tagged)
    named(name=said.name, version=said.version, key=said.key)
    tracking.versions.untag(said.name, parse_version(said.version), said.key)
    return {}


_AT: Final = "2.0/mlflow/model-versions"

CALLS: Final[tuple[Call, ...]] = (
    Call(method="POST", path=f"{_AT}/create", handler=_create, writes=True),
    Call(method="GET", path=f"{_AT}/get", handler=_get),
    Call(method="PATCH", path=f"{_AT}/update", handler=_update, writes=True),
    Call(method="POST", path=f"{_AT}/transition-stage", handler=_move, writes=True),
    Call(method="DELETE", path=f"{_AT}/delete", handler=_delete, writes=True),
    Call(method="GET", path=f"{_AT}/get-download-uri", handler=_get_location),
    Call(method="POST", path=f"{_AT}/set-tag", handler=_set_tag, writes=True),
    Call(method="DELETE", path=f"{_AT}/delete-tag", handler=_delete_tag, writes=True),
)
