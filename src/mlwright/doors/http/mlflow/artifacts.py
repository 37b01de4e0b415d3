"""Calls of the MLflow protocol about artifacts."""

import asyncio
import posixpath
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qs, quote

import msgspec
from starlette.types import Receive, Scope, Send

from mlwright.doors.http.mlflow.artifact_downloads import send_artifact
from mlwright.doors.http.mlflow.artifact_uploads import answer, put_artifact, serve_parts
from mlwright.doors.http.mlflow.call import Asked, Call, StreamCall
from mlwright.doors.http.mlflow.errors import Refused
from mlwright.errors import BadRequest
from mlwright.model.artifacts import ArtifactEntry
from mlwright.platform.tracking.facade import TrackingPlatform

_PAGE_BYTES: Final = 10 << 20
"""Bytes that MLflow's pages may upload at once."""


class _List(msgspec.Struct):
    run_id: str = ""
    run_uuid: str = ""
    path: str = ""


def _list_of_run(tracking: TrackingPlatform, asked: Asked) -> object:
    given = asked.parse_query(_List)
    run = given.run_id or given.run_uuid
    if not run:
        raise BadRequest("Missing value for required parameter 'run_id'.")
    root, path = tracking.artifacts.place_of_run(run, given.path)
    return _listed(tracking, root, path, given.path)


class _ListOfModel(msgspec.Struct):
    artifact_directory_path: str = ""


def _list_of_logged_model(tracking: TrackingPlatform, asked: Asked) -> object:
    below = asked.parse_query(_ListOfModel).artifact_directory_path
    root, path = tracking.artifacts.place_of_logged_model(asked.path["model_id"], below)
    return _listed(tracking, root, path, below)


def _listed(tracking: TrackingPlatform, root: str, path: str, below: str) -> object:
    found = tracking.artifacts.list(path)
    return {"root_uri": root, **_files(found, below.strip("/"))}


def _files(found: tuple[ArtifactEntry, ...], below: str) -> dict[str, object]:
    """The entries by names, below the folder that was asked for; protocol buffers leave out an empty list."""
    files = [
        {
            "path": posixpath.join(below, posixpath.basename(each.path)),
            "is_dir": each.is_folder,
            **({} if each.size is None else {"file_size": each.size}),
        }
        for each in found
    ]
    return {"files": files} if files else {}


def _upload_from_page(tracking: TrackingPlatform, asked: Asked) -> object:
    run, path = _value(asked.query, "run_uuid"), _value(asked.query, "path")
    if not run or not path:
        raise BadRequest(f"Request must specify {'path' if run else 'run_uuid'}.")
    if not asked.body:
        raise BadRequest("Request must specify data.")
    if len(asked.body) > _PAGE_BYTES:
        raise BadRequest("Artifact size is too large. Max size is 10MB.")
    tracking.artifacts.put_bytes(tracking.artifacts.place_of_run(run, path)[1], asked.body)
    return {}


class _Presigned(msgspec.Struct):
    path: str
    run_id: str = ""
    model_id: str = ""


def _presigned(what: str) -> Callable[[TrackingPlatform, Asked], object]:
    """The answer of MLflow's server where artifacts pass through it: clients then upload and download through it."""

    def refuse(tracking: TrackingPlatform, asked: Asked) -> object:
        given = asked.parse(_Presigned)
        if bool(given.run_id) == bool(given.model_id):
            raise BadRequest("Exactly one of run_id and model_id must be provided.")
        if given.run_id:
            tracking.artifacts.place_of_run(given.run_id, given.path)
        else:
            tracking.artifacts.place_of_logged_model(given.model_id, given.path)
        raise BadRequest(
            f"Presigned {what} is not supported for proxied artifact storage (artifact URI scheme: mlflow-artifacts). "
            "This endpoint requires a direct cloud storage artifact URI."
        )

    return refuse


async def _serve_files(
    tracking: TrackingPlatform, rest: str, scope: Scope, receive: Receive, send: Send
) -> None:
    """The proxy: a file or list, to get, put or delete by its path."""
    if scope["method"] == "PUT":
        await put_artifact(tracking, rest, scope, receive, send)
    elif scope["method"] == "DELETE":
        await asyncio.to_thread(tracking.artifacts.delete, rest)
        await answer(send, {})
    elif rest:
        await send_artifact(tracking, rest, scope, receive, send)
    else:
        found = await asyncio.to_thread(tracking.artifacts.list, _value(_query(scope), "path"))
        await answer(send, _files(found, ""))


async def _serve_presigned(
    tracking: TrackingPlatform, rest: str, scope: Scope, receive: Receive, send: Send
) -> None:
    """MLflow's server says this where its store cannot sign addresses; clients then download through it."""
    raise Refused(
        501, "NOT_IMPLEMENTED", "Multipart download is not supported for the current artifact repository"
    )


async def _serve_of_run(
    tracking: TrackingPlatform, rest: str, scope: Scope, receive: Receive, send: Send
) -> None:
    query = _query(scope)
    run = _value(query, "run_id") or _value(query, "run_uuid")
    place = await asyncio.to_thread(tracking.artifacts.place_of_run, run, _required(query, "path"))
    await send_artifact(tracking, place[1], scope, receive, send)


async def _serve_of_version(
    tracking: TrackingPlatform, rest: str, scope: Scope, receive: Receive, send: Send
) -> None:
    query = _query(scope)
    name, version = _required(query, "name"), _required(query, "version")
    find = tracking.artifacts.place_of_version
    place = await asyncio.to_thread(find, name, version, _required(query, "path"))
    await send_artifact(tracking, place[1], scope, receive, send)


async def _serve_of_logged_model(
    tracking: TrackingPlatform, rest: str, scope: Scope, receive: Receive, send: Send
) -> None:
    model, _, what = rest.partition("/")
    if what != "artifacts/files":
        raise Refused(404, "ENDPOINT_NOT_FOUND", f"there is no call {scope['method']} {quote(scope['path'])}")
    path = _required(_query(scope), "artifact_file_path")
    place = await asyncio.to_thread(tracking.artifacts.place_of_logged_model, model, path)
    await send_artifact(tracking, place[1], scope, receive, send)


def _query(scope: Scope) -> dict[str, list[str]]:
    try:
        text = scope["query_string"].decode("latin-1")
        return parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError as fault:
        raise BadRequest(f"the query cannot be read: {fault}") from fault


def _value(query: Mapping[str, list[str]], name: str) -> str:
    found = query.get(name)
    return found[-1] if found else ""


def _required(query: dict[str, list[str]], name: str) -> str:
    found = _value(query, name)
    if not found:
        raise BadRequest(f'Request must include the "{name}" query parameter.')
    return found


CALLS: Final[tuple[Call, ...]] = (
    Call(method="GET", path="2.0/mlflow/artifacts/list", handler=_list_of_run),
    Call(
        method="GET",
        path="2.0/mlflow/logged-models/{model_id}/artifacts/directories",
        handler=_list_of_logged_model,
    ),
    # It waits for the disk: the thread that commits is not made to.
    Call(method="POST", path="2.0/mlflow/upload-artifact", handler=_upload_from_page),
    Call(method="POST", path="2.0/mlflow/artifacts/presigned-upload-url", handler=_presigned("upload")),
    Call(method="POST", path="2.0/mlflow/artifacts/presigned-download-url", handler=_presigned("download")),
)

_PAGES: Final = ("", "mlflow/", "ajax-api/2.0/mlflow/")

STREAMS: Final[tuple[StreamCall, ...]] = (
    StreamCall(
        methods=("GET", "PUT", "DELETE"), prefix="api/2.0/mlflow-artifacts/artifacts", serve=_serve_files
    ),
    StreamCall(methods=("POST", "PUT"), prefix="api/2.0/mlflow-artifacts/mpu", serve=serve_parts),
    StreamCall(methods=("GET",), prefix="api/2.0/mlflow-artifacts/presigned", serve=_serve_presigned),
    StreamCall(methods=("GET",), prefix="api/2.0/mlflow/logged-models", serve=_serve_of_logged_model),
    *(StreamCall(methods=("GET",), prefix=f"{page}get-artifact", serve=_serve_of_run) for page in _PAGES),
    *(
        StreamCall(methods=("GET",), prefix=f"{page}model-versions/get-artifact", serve=_serve_of_version)
        for page in _PAGES
    ),
)
