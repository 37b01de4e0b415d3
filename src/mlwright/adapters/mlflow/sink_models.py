"""Registering models at an MLflow server under the numbers that they have here."""

from typing import TYPE_CHECKING, Final

import httpx

from mlwright.adapters.mlflow.rest import Json
from mlwright.adapters.mlflow.store_server import pairs_in, tables_in
from mlwright.model.moving import ForeignModel, ForeignVersion

if TYPE_CHECKING:
    from mlwright.adapters.mlflow.sink_server import MlflowServerSink

_OURS: Final = "mlwright.exported.id"
_TAKEN: Final = "RESOURCE_ALREADY_EXISTS"
_MOST_GAPS: Final = 1000


def put_model(sink: "MlflowServerSink", model: ForeignModel) -> int:
    """Make the model with its versions, and return how many were made now.

    A server numbers versions by itself: where ours have a gap, a version is made there and deleted again.
    """
    rest = sink.rest
    body: Json = {"name": model.name, "tags": _listed(model.tags), "description": model.description or ""}
    answer = rest.try_call("POST", "2.0/mlflow/registered-models/create", body=body)
    if answer.status != httpx.codes.OK and answer.error != _TAKEN:
        sink.leave("a registered model", model.name, answer.message or f"it answered {answer.status}")
        return 0
    there = _versions(sink, model.name)
    made, next_number = 0, max(there, default=0) + 1
    for version in model.versions:
        where = f"{model.name}/{version.version}"
        if version.version in there:
            if there[version.version].get(_OURS) != where:
                sink.leave("a model version", where, "another version has that number there")
            continue
        if version.version < next_number:
            sink.leave("a model version", where, "the server gives that number no more")
            continue
        source = _source(sink, model.name, version)
        if source is None or version.version - next_number > _MOST_GAPS:
            sink.leave("a model version", where, f"its files are not there: {version.source}")
            continue
        while next_number <= version.version:
            number = _make(sink, model.name, version, source, real=next_number == version.version)
            if number is None:
                break
            next_number = number + 1
            made += number == version.version
    for alias, number in sorted(model.aliases.items()):
        pointed: Json = {"name": model.name, "alias": alias, "version": str(number)}
        answer = rest.try_call("POST", "2.0/mlflow/registered-models/alias", body=pointed)
        if answer.status != httpx.codes.OK:
            sink.leave("an alias", f"{model.name}@{alias}", answer.message)
    return made


def _make(
    sink: "MlflowServerSink", model: str, version: ForeignVersion, source: str, *, real: bool
) -> int | None:
    """Make one version, and return its number; None where the server refuses it. One that only fills a gap goes."""
    rest, where = sink.rest, f"{model}/{version.version}"
    body: Json = {
        "name": model,
        "source": source,
        "run_id": sink.runs.get(version.run or "", ""),
        "tags": _listed({**version.tags, _OURS: where}),
        "description": version.description or "",
    }
    if version.run_link:
        body["run_link"] = version.run_link
    if version.logged_model and sink.models.get(version.logged_model):
        body["model_id"] = sink.models[version.logged_model]
    answer = rest.try_call("POST", "2.0/mlflow/model-versions/create", body=body)
    if answer.status != httpx.codes.OK:
        sink.leave("a model version", where, answer.message or f"the server answered {answer.status}")
        return None
    said = answer.body.get("model_version")
    number = int(str(said.get("version"))) if isinstance(said, dict) else 0
    named: Json = {"name": model, "version": str(number)}
    if not real:
        rest.call("DELETE", "2.0/mlflow/model-versions/delete", body=named)
    elif version.stage != "None":
        staged = {**named, "stage": version.stage, "archive_existing_versions": False}
        moved = rest.try_call("POST", "2.0/mlflow/model-versions/transition-stage", body=staged)
        if moved.status != httpx.codes.OK:
            sink.leave("a stage", f"{where}: {version.stage}", moved.message or "the server has no stages")
    return number


def _source(sink: "MlflowServerSink", model: str, version: ForeignVersion) -> str | None:
    """The address of a version's files there; None where they are not there."""
    if version.logged_model:
        there = sink.models.get(version.logged_model)
        if not there:
            return None
        return (
            f"models:/{there}" if version.source.startswith("models:/") else sink.root(version.logged_model)
        )
    if version.run in sink.runs and version.path is not None:
        return f"{sink.root(version.run)}/{version.path}" if version.run else None
    if version.tags.get("mlflow.prompt.is_prompt") == "true":
        return version.source
    return None


def _versions(sink: "MlflowServerSink", model: str) -> dict[int, dict[str, str]]:
    """The versions there by number, with their tags."""
    found: dict[int, dict[str, str]] = {}
    if "'" in model:
        return found
    for prompts in ("", " AND tags.`mlflow.prompt.is_prompt` = 'true'"):
        token = ""
        while True:
            query = {"filter": f"name='{model}'{prompts}", "max_results": "100"}
            if token:
                query["page_token"] = token
            answer = sink.rest.call("GET", "2.0/mlflow/model-versions/search", query=query)
            for each in tables_in(answer.get("model_versions")):
                found[int(str(each.get("version")))] = pairs_in(each.get("tags"))
            token = str(answer.get("next_page_token") or "")
            if not token:
                break
    return found


def _listed(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]
