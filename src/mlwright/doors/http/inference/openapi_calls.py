"""The calls of the OpenAPI document that are the same for every endpoint: feedback, health, metrics, the repository."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from mlwright.doors.http.inference.exchange import JSON

Schema: TypeAlias = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_ERROR: Final[Schema] = {"$ref": "#/components/schemas/Error"}
_NUMBERED: Final = {
    "400": "It is not of this form; the faults say what and where.",
    "404": "There is no such endpoint.",
}


def calls(names: Iterable[str]) -> Schema:
    """The paths; ``names`` are those of the endpoints."""
    known = sorted(names)
    return _about(known) | _repository(known) | _feedback(known)


def _about(names: list[str]) -> Schema:
    where = _named(names)
    alive = {"type": "object", "properties": {"ready": {"type": "boolean"}}}
    not_ready = {"503": "It does not serve, or not what it should.", "404": _NUMBERED["404"]}
    listed = {"type": "object", "properties": {"model_stats": {"type": "array", "items": {"type": "object"}}}}
    metrics = _call("metrics", "Counters of all processes, for Prometheus.", answer=None)
    metrics["responses"]["200"]["content"] = {
        "text/plain": {"schema": _TEXT},
        "application/openmetrics-text": {"schema": _TEXT},
    }
    return {
        "/v2": {"get": _call("server", "The name, version and extensions of the server.")},
        "/v2/health/live": {"get": _call("live", "Whether it runs.")},
        "/v2/health/ready": {
            "get": _call("ready", "Whether it serves.", answer=alive, refused={"503": "Not yet."})
        },
        "/v2/models/{model}/ready": {
            "get": _call("modelReady", "Whether an endpoint serves what it should.", alive, not_ready, where)
        },
        "/v2/models/{model}/stats": {
            "get": _call("stats", "What was counted of it.", listed, {"404": _NUMBERED["404"]}, where)
        },
        "/v2/models/stats": {"get": _call("allStats", "What was counted of all endpoints.", listed)},
        "/metrics": {"get": metrics},
    }


def _repository(names: list[str]) -> Schema:
    where = _named(names)
    refused = _NUMBERED | {
        "409": "A rollout is under way.",
        "501": "This server does not change what it serves.",
        "503": "The version does not load; what stood there before goes on answering.",
    }
    entry = {
        "type": "object",
        "required": ["name", "version", "state", "reason"],
        "properties": dict.fromkeys(("name", "version", "reason"), _TEXT)
        | {"state": {"enum": ["READY", "LOADING", "UNAVAILABLE"]}},
    }
    index = _body({"type": "object", "properties": {"ready": {"type": "boolean"}}}, required=False)
    version = {
        "type": ["string", "integer", "null"],
        "description": "Without it the one that the alias names.",
    }
    load = _parameters({"version": version})
    unload = _parameters({"unload_dependents": {"type": "boolean"}})
    return {
        "/v2/repository/index": {
            "post": _call(
                "repositoryIndex",
                "Every version behind every endpoint, and whether it answers.",
                {"type": "array", "items": entry},
                {"400": _NUMBERED["400"]},
            )
            | index
        },
        "/v2/repository/models/{model}/load": {
            "post": _call("load", "Put a version behind an endpoint, in all processes.", {}, refused, where)
            | load
        },
        "/v2/repository/models/{model}/unload": {
            "post": _call("unload", "Take an endpoint out of service, in all processes.", {}, refused, where)
            | unload
        },
        "/v1/refresh": {
            "post": _call(
                "refresh",
                "Read the routes now; processes do so several times a second by themselves.",
                {"type": "object", "properties": {"generations": {"type": "object"}}},
                {"503": "They cannot be read."},
            )
        },
    }


def _feedback(names: list[str]) -> Schema:
    instant = {
        "type": ["string", "integer", "null"],
        "description": "ISO 8601, or microseconds since 1970 UTC.",
    }
    number = {"type": ["number", "boolean"]}
    one: Schema = {
        "endpoint": {"enum": names},
        "label": number,
        "prediction_id": _TEXT,
        "entity_key": _TEXT,
        "event_time": instant,
        "observed_at": instant,
    }
    many = one | {
        name: {"type": "array", "items": one[name]}
        for name in ("label", "prediction_id", "entity_key", "event_time", "observed_at")
    }
    forms = [
        {"type": "object", "required": ["label"], "properties": one},
        {"type": "object", "required": ["label"], "properties": many},
        {"type": "array", "items": {"type": "object", "required": ["label"], "properties": one}},
    ]
    receipt = {
        "type": "object",
        "required": ["accepted"],
        "properties": {"accepted": {"type": "integer"}, "repeated": {"type": "integer"}},
    }
    refused = _NUMBERED | {"413": "More than 64 MiB.", "503": "The labels cannot be written now."}
    call = _call(
        "feedback", "Labels, by prediction id or by entity and time. They are on disk.", receipt, refused
    )
    call["parameters"] = [
        {"name": "endpoint", "in": "query", "schema": {"enum": names}, "description": "Where no row says it."}
    ]
    body: Schema = {"schema": {"anyOf": forms}}
    if names:
        body["example"] = {"endpoint": names[0], "prediction_id": ["r1.0", "r1.1"], "label": [1, 0]}
    lines = {"schema": {"type": "string", "description": "A line of names first, or an object a line."}}
    call["requestBody"] = {
        "required": True,
        "content": {JSON: body, "application/x-ndjson": lines, "text/csv": lines},
    }
    return {"/v1/feedback": {"post": call}}


def _named(names: list[str]) -> list[Schema]:
    return [{"name": "model", "in": "path", "required": True, "schema": {"enum": names}}]


def _body(schema: Schema, *, required: bool) -> Schema:
    return {"requestBody": {"required": required, "content": {JSON: {"schema": schema}}}}


def _parameters(known: Schema) -> Schema:
    inside = {"type": "object", "properties": known, "additionalProperties": False}
    schema = {"type": "object", "properties": {"parameters": inside}, "additionalProperties": False}
    return _body(schema, required=False)


def _call(
    operation: str,
    what: str,
    answer: Schema | None = None,
    refused: Mapping[str, str] | None = None,
    parameters: list[Schema] | None = None,
) -> Schema:
    """A call; without ``answer`` it answers with some object."""
    found: Schema = {
        "operationId": operation,
        "summary": what,
        "tags": ["server"],
        "responses": {
            "200": {"description": "Yes.", "content": {JSON: {"schema": answer or {"type": "object"}}}},
            **{
                status: {"description": why, "content": {JSON: {"schema": _ERROR}}}
                for status, why in (refused or {}).items()
            },
        },
    }
    return found | ({"parameters": parameters} if parameters else {})
