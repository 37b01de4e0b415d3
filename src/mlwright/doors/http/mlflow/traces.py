"""Calls of the MLflow protocol about traces."""

import asyncio
import secrets
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from starlette.types import Receive, Scope, Send

from mlwright.doors.http.mlflow import assessments, otlp
from mlwright.doors.http.mlflow.artifact_downloads import send_artifact
from mlwright.doors.http.mlflow.call import Asked, Call, Int64, StreamCall
from mlwright.doors.http.mlflow.trace_wire import (
    Location,
    TraceInfoWire,
    info_from_wire,
    info_to_old_wire,
    info_to_wire,
    pairs_to_texts,
    trace_to_wire,
)
from mlwright.errors import BadRequest, Unsupported
from mlwright.model.ids import RunId
from mlwright.model.traces import TraceInfo, TraceState
from mlwright.platform.tracking.facade import TrackingPlatform

_MOST: Final = 500


class _TraceBody(msgspec.Struct):
    trace_info: TraceInfoWire


class _Report(msgspec.Struct):
    trace: _TraceBody


class _One(msgspec.Struct):
    trace_id: str
    allow_partial: bool = False


class _Several(msgspec.Struct):
    trace_ids: list[str]
    experiment_ids: list[str] | None = None


class _Search(msgspec.Struct):
    locations: list[Location]
    filter: str | None = None
    max_results: int = 100
    order_by: list[str] = []
    page_token: str | None = None


class _OldSearch(msgspec.Struct):
    experiment_ids: list[str]
    filter: str | None = None
    max_results: int = 100
    order_by: list[str] = []
    page_token: str | None = None


class _Delete(msgspec.Struct):
    experiment_id: str
    max_timestamp_millis: Int64 | None = None
    max_traces: int | None = None
    request_ids: list[str] = []


class _Tag(msgspec.Struct):
    key: str
    value: str = ""


class _LinkRun(msgspec.Struct):
    trace_ids: list[str]
    run_id: str


class _Prompt(msgspec.Struct):
    name: str
    version: str


class _LinkPrompts(msgspec.Struct):
    trace_id: str
    prompt_versions: list[_Prompt]


class _OldStart(msgspec.Struct):
    experiment_id: str
    timestamp_ms: Int64
    request_metadata: list[dict[str, str]] = []
    tags: list[dict[str, str]] = []


class _OldEnd(msgspec.Struct):
    timestamp_ms: Int64
    status: str = "OK"
    request_metadata: list[dict[str, str]] = []
    tags: list[dict[str, str]] = []


def _report(tracking: TrackingPlatform, asked: Asked) -> object:
    came = asked.parse(_Report)
    info = tracking.traces.report(info_from_wire(came.trace.trace_info))
    return {"trace": {"trace_info": info_to_wire(info)}}


def _find_info(tracking: TrackingPlatform, asked: Asked) -> object:
    return {"trace": {"trace_info": info_to_wire(tracking.traces.find_info(asked.path["trace_id"]))}}


def _find(tracking: TrackingPlatform, asked: Asked) -> object:
    came = asked.parse_query(_One)
    return {"trace": trace_to_wire(tracking.traces.find(came.trace_id, partial=came.allow_partial))}


def _whole(tracking: TrackingPlatform, asked: Asked) -> object:
    came = asked.parse_query(_Several)
    found = tracking.traces.whole(came.trace_ids, came.experiment_ids)
    return {"traces": [trace_to_wire(each) for each in found]}


def _infos(tracking: TrackingPlatform, asked: Asked) -> object:
    came = asked.parse(_Several)
    found = tracking.traces.infos(came.trace_ids, came.experiment_ids)
    return {"trace_infos": [info_to_wire(each) for each in found]}


def _search(tracking: TrackingPlatform, asked: Asked) -> object:
    came = asked.parse(_Search)
    places = [each.mlflow_experiment for each in came.locations]
    return _page(tracking, came, [each.experiment_id for each in places if each is not None], old=False)


def _old_search(tracking: TrackingPlatform, asked: Asked) -> object:
    came = asked.parse_query(_OldSearch)
    return _page(tracking, came, came.experiment_ids, old=True)


def _page(
    tracking: TrackingPlatform, came: _Search | _OldSearch, experiment_ids: list[str], *, old: bool
) -> object:
    if not 1 <= came.max_results <= _MOST:
        raise BadRequest(f"a page has 1 to {_MOST} traces", where="max_results")
    page = tracking.traces.search(
        experiment_ids,
        came.filter,
        order_by=came.order_by,
        most=came.max_results,
        token=came.page_token,
    )
    traces = [info_to_old_wire(each) if old else info_to_wire(each) for each in page.items]
    wire: dict[str, Any] = {"traces": traces} if traces else {}
    return wire if page.token is None else {**wire, "next_page_token": page.token}


def _delete(tracking: TrackingPlatform, asked: Asked) -> object:
    came = asked.parse(_Delete)
    deleted = tracking.traces.delete(
        came.experiment_id, until_ms=came.max_timestamp_millis, most=came.max_traces, ids=came.request_ids
    )
    return {"traces_deleted": deleted}


def _set_tag(tracking: TrackingPlatform, asked: Asked) -> object:
    came = asked.parse(_Tag)
    tracking.annotations.set_tag(asked.path["trace_id"], came.key, came.value)
    return {}


def _remove_tag(tracking: TrackingPlatform, asked: Asked) -> object:
    came = asked.parse(_Tag) if asked.body else asked.parse_query(_Tag)
    tracking.annotations.remove_tag(asked.path["trace_id"], came.key)
    return {}


def _link_run(tracking: TrackingPlatform, asked: Asked) -> object:
    came = asked.parse(_LinkRun)
    tracking.annotations.link_to_run(came.trace_ids, RunId(came.run_id))
    return {}


def _link_prompts(tracking: TrackingPlatform, asked: Asked) -> object:
    came = asked.parse(_LinkPrompts)
    tracking.annotations.link_prompts(
        came.trace_id, [(each.name, each.version) for each in came.prompt_versions]
    )
    return {}


def _old_start(tracking: TrackingPlatform, asked: Asked) -> object:
    came = asked.parse(_OldStart)
    begun = TraceInfo(
        id=f"tr-{secrets.token_hex(16)}",
        experiment_id=came.experiment_id,
        state=TraceState.IN_PROGRESS,
        started_ms=came.timestamp_ms,
        tags=pairs_to_texts(came.tags),
        metadata=pairs_to_texts(came.request_metadata),
    )
    return {"trace_info": info_to_old_wire(tracking.traces.report(begun))}


def _old_end(tracking: TrackingPlatform, asked: Asked) -> object:
    came = asked.parse(_OldEnd)
    ended = tracking.traces.end(
        asked.path["trace_id"],
        at_ms=came.timestamp_ms,
        state=TraceState(came.status) if came.status in set(TraceState) else TraceState.UNSPECIFIED,
        metadata=pairs_to_texts(came.request_metadata),
        tags=pairs_to_texts(came.tags),
    )
    return {"trace_info": info_to_old_wire(ended)}


def _old_info(tracking: TrackingPlatform, asked: Asked) -> object:
    return {"trace_info": info_to_old_wire(tracking.traces.find_info(asked.path["trace_id"]))}


def _unsupported(tracking: TrackingPlatform, asked: Asked) -> object:
    raise Unsupported("figures over many traces are not offered here; MLflow's own server has them")


async def _serve_file(
    tracking: TrackingPlatform, rest: str, scope: Scope, receive: Receive, send: Send
) -> None:
    """What MLflow's pages read: the spans of a trace as its file would hold them, or a file beside them."""
    query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=10)
    id, path = query.get("request_id", [""])[-1], query.get("path", [""])[-1]
    if not id:
        raise BadRequest('Request must include the "request_id" query parameter.')
    if path:
        place = await asyncio.to_thread(tracking.traces.attachment, id, path)
        await send_artifact(tracking, place, scope, receive, send)
        return
    found = await asyncio.to_thread(tracking.traces.file, id)
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(found)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else found})


_OLD: Final = "2.0/mlflow/traces"
_NEW: Final = "3.0/mlflow/traces"

CALLS: Final[tuple[Call, ...]] = (
    Call(method="POST", path=_NEW, handler=_report, writes=True),
    Call(method="GET", path=f"{_NEW}/get", handler=_find),
    Call(method="GET", path=f"{_NEW}/batchGet", handler=_whole),
    Call(method="POST", path=f"{_NEW}/batchGetInfos", handler=_infos),
    Call(method="POST", path=f"{_NEW}/search", handler=_search),
    Call(method="POST", path=f"{_NEW}/metrics", handler=_unsupported),
    Call(method="POST", path=f"{_NEW}/calculate-filter-correlation", handler=_unsupported),
    Call(method="GET", path=f"{_NEW}/{{trace_id}}", handler=_find_info),
    *(
        call
        for base in (_OLD, _NEW)
        for call in (
            Call(method="POST", path=f"{base}/delete-traces", handler=_delete, writes=True),
            Call(method="PATCH", path=f"{base}/{{trace_id}}/tags", handler=_set_tag, writes=True),
            Call(method="DELETE", path=f"{base}/{{trace_id}}/tags", handler=_remove_tag, writes=True),
        )
    ),
    Call(method="POST", path=f"{_OLD}/link-to-run", handler=_link_run, writes=True),
    Call(method="POST", path=f"{_OLD}/link-prompts", handler=_link_prompts, writes=True),
    Call(method="GET", path=_OLD, handler=_old_search),
    Call(method="POST", path=_OLD, handler=_old_start, writes=True),
    Call(method="PATCH", path=f"{_OLD}/{{trace_id}}", handler=_old_end, writes=True),
    Call(method="GET", path=f"{_OLD}/{{trace_id}}/info", handler=_old_info),
    *assessments.CALLS,
)
STREAMS: Final[tuple[StreamCall, ...]] = (
    *otlp.STREAMS,
    *(
        StreamCall(methods=("GET",), prefix=f"ajax-api/{each}/mlflow/get-trace-artifact", serve=_serve_file)
        for each in ("2.0", "3.0")
    ),
)
