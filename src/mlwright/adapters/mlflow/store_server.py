"""Everything that an MLflow server keeps, over its REST API: MLflow 2 and 3, Databricks, and another mlwright."""

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import BinaryIO, Final

import httpx
import numpy as np

from mlwright.adapters.mlflow.order import parents_first
from mlwright.adapters.mlflow.rest import Json, MlflowRest
from mlwright.adapters.mlflow.store_database import PARENT, version_of
from mlwright.errors import DataError, ServerUnavailable
from mlwright.model.moving import (
    ForeignExperiment,
    ForeignFacts,
    ForeignFile,
    ForeignLoggedModel,
    ForeignModel,
    ForeignRun,
    LeftOut,
)
from mlwright.model.tracking import (
    Dataset,
    DatasetInput,
    History,
    LoggedModelStatus,
    Metric,
    ModelOutput,
    RunStatus,
)

_PAGE: Final = 1000
_POINTS: Final = 25_000
"""Points of one page of a history: the most that MLflow answers."""
_PAGE_OF_MODELS: Final = 100
_DEPTH: Final = 50
_PROMPT: Final = "mlflow.prompt.is_prompt"
_PLAIN_NAME: Final = re.compile(r"[^'\"`]+")
_NO_FILES: Final = "the server does not list them"


class MlflowServerStore:
    """One server.

    Args:
        rest: the conversation with it.
        experiments: the names of those to ask about; all of them without.
    """

    def __init__(self, rest: MlflowRest, *, experiments: Sequence[str] = ()) -> None:
        self._rest, self._wanted = rest, frozenset(experiments)
        self._left: dict[LeftOut, None] = {}
        self._known: dict[str, Json] = {}
        self._metrics: dict[str, list[str]] = {}

    def about(self) -> ForeignFacts:
        """See ``ForeignStore.about``."""
        found = []
        for each in self._pages("mlflow/experiments/search", "experiments", {"view_type": "ALL"}):
            self._known[str(each.get("experiment_id"))] = each
            found.append(
                ForeignExperiment(
                    name=str(each.get("name", "")),
                    tags=pairs_in(each.get("tags")),
                    deleted=each.get("lifecycle_stage") == "deleted",
                )
            )
        self._note_traces()
        found.sort(key=lambda each: each.name)
        return ForeignFacts(tool="mlflow", source=self._rest.source, experiments=tuple(found), runs=None)

    def runs(self) -> Iterator[ForeignRun]:
        """See ``ForeignStore.runs``: by experiment, then start."""
        if not self._known:
            self.about()
        waiting: dict[str, ForeignRun] = {}
        told: set[str] = set()
        for id in sorted(self._known, key=lambda id: (len(id), id)):
            name = str(self._known[id].get("name", ""))
            if self._wanted and name not in self._wanted:
                continue
            asked: Json = {
                "experiment_ids": [id],
                "run_view_type": "ALL",
                "order_by": ["attributes.start_time ASC"],
            }
            for each in self._pages("mlflow/runs/search", "runs", asked):
                run = self._run(each, name)
                # A child is held back until its parent was told; mostly that began before it.
                if run.parent is not None and run.parent not in told:
                    waiting[run.id] = run
                else:
                    told.add(run.id)
                    yield run
        parents = {run.id: run.parent for run in waiting.values() if run.parent is not None}
        yield from (waiting[id] for id in parents_first([*waiting], parents))

    def histories(self, run: str) -> Iterator[History]:
        """See ``ForeignStore.histories``."""
        if run not in self._metrics:
            answer = self._rest.try_call("GET", "2.0/mlflow/runs/get", query={"run_id": run})
            if answer.status == httpx.codes.NOT_FOUND:
                return
            self._run(table_in(answer.body.get("run")), "")
        for key in sorted(self._metrics[run]):
            yield self.history(run, key)

    def history(self, run: str, key: str) -> History:
        """All points of one metric; none where the run has no such metric."""
        steps, at_ms, values = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
        query = {"run_id": run, "metric_key": key, "max_results": str(_POINTS)}
        token = ""
        while True:
            page = {**query, "page_token": token} if token else query
            answer = self._rest.call("GET", "2.0/mlflow/metrics/get-history", query=page)
            points = tables_in(answer.get("metrics"))
            steps.append(np.array([_whole(each.get("step")) for each in points], np.int64))
            at_ms.append(np.array([_whole(each.get("timestamp")) for each in points], np.int64))
            values.append(np.array([_number(each.get("value")) for each in points], np.float64))
            token = str(answer.get("next_page_token") or "")
            if not token or not points:
                break
        columns = [np.concatenate(each) for each in (steps, at_ms, values)]
        order = np.lexsort((columns[1], columns[0]))
        return History(key=key, steps=columns[0][order], at_ms=columns[1][order], values=columns[2][order])

    def files(self, run: str) -> Iterator[ForeignFile]:
        """See ``ForeignStore.files``."""
        found = list(self._below(run, "", 0))
        yield from sorted(found, key=lambda each: each.path)

    def open(self, run: str, path: str) -> BinaryIO:
        """See ``ForeignStore.open``: through the server, wherever the file lies."""
        if run.startswith("m-"):
            asked = {"artifact_file_path": path}
            return self._rest.open(f"ajax-api/2.0/mlflow/logged-models/{run}/artifacts/files", asked)
        return self._rest.open("get-artifact", {"run_id": run, "path": path})

    def models(self) -> Iterator[ForeignModel]:
        """See ``ForeignStore.models``; prompts are among them."""
        path, found = "mlflow/registered-models/search", {}
        prompts = {"filter": f"tags.`{_PROMPT}` = 'true'"}
        try:
            for query in ({}, prompts):
                for each in self._listed(path, "registered_models", query):
                    found[str(each.get("name"))] = each
        except ServerUnavailable as error:
            self._leave("registered models", self._rest.source, error.why or error.what)
        for name in sorted(found):
            if _PLAIN_NAME.fullmatch(name) is None:
                self._leave("a registered model", name, "its name cannot be asked for")
            else:
                yield self._model(name, found[name])

    def logged_models(self) -> Iterator[ForeignLoggedModel]:
        """See ``ForeignModelShelf.logged_models``; deleted ones are not told by a server."""
        for id in sorted(self._known, key=lambda id: (len(id), id)):
            name = str(self._known[id].get("name", ""))
            if self._wanted and name not in self._wanted:
                continue
            asked: Json = {"experiment_ids": [id], "max_results": 50}
            token = ""
            while True:
                body = {**asked, "page_token": token} if token else asked
                answer = self._rest.try_call("POST", "2.0/mlflow/logged-models/search", body=body)
                if answer.status != httpx.codes.OK:
                    return  # MLflow 2 has none
                for each in tables_in(answer.body.get("models")):
                    yield _logged_model(each, name)
                token = str(answer.body.get("next_page_token") or "")
                if not token:
                    break

    def left_out(self) -> tuple[LeftOut, ...]:
        """See ``ForeignStore.left_out``."""
        return tuple(self._left)

    def _pages(self, path: str, field: str, asked: Mapping[str, object]) -> Iterator[Json]:
        token = ""
        while True:
            body = {**asked, "max_results": _PAGE, **({"page_token": token} if token else {})}
            answer = self._rest.call("POST", f"2.0/{path}", body=body)
            yield from tables_in(answer.get(field))
            token = str(answer.get("next_page_token") or "")
            if not token:
                return

    def _listed(self, path: str, field: str, asked: Mapping[str, str]) -> Iterator[Json]:
        token = ""
        while True:
            query = {"max_results": str(_PAGE_OF_MODELS), **asked, **({"page_token": token} if token else {})}
            answer = self._rest.call("GET", f"2.0/{path}", query=query)
            yield from tables_in(answer.get(field))
            token = str(answer.get("next_page_token") or "")
            if not token:
                return

    def _run(self, each: Json, experiment: str) -> ForeignRun:
        info, data = table_in(each.get("info")), table_in(each.get("data"))
        id = str(info.get("run_id") or info.get("run_uuid"))
        tags = pairs_in(data.get("tags"))
        metrics = tables_in(data.get("metrics"))
        self._metrics[id] = [str(metric.get("key")) for metric in metrics]
        ended = info.get("end_time")
        latest = sorted(
            (
                str(one.get("key")),
                str(one.get("value")),
                _whole(one.get("step")),
                _whole(one.get("timestamp")),
            )
            for one in metrics
        )
        links, made = table_in(each.get("inputs")), table_in(each.get("outputs"))
        return ForeignRun(
            id=id,
            experiment=experiment,
            name=str(info.get("run_name") or tags.get("mlflow.runName") or "unnamed"),
            status=RunStatus(str(info.get("status") or "FINISHED")),
            started_ms=_whole(info.get("start_time")),
            ended_ms=_whole(ended) if ended else None,
            actor=str(info.get("user_id") or ""),
            params=pairs_in(data.get("params")),
            tags=tags,
            inputs=tuple(_dataset(one) for one in tables_in(links.get("dataset_inputs"))),
            outputs=tuple(
                ModelOutput(model=str(one.get("model_id")), step=_whole(one.get("step")))
                for one in tables_in(made.get("model_outputs"))
            ),
            parent=tags.get(PARENT),
            deleted=info.get("lifecycle_stage") == "deleted",
            model_inputs=tuple(str(one.get("model_id")) for one in tables_in(links.get("model_inputs"))),
            # The server says the latest point of each metric only; while a run goes on, earlier ones may come.
            state=sha256(repr(latest).encode()).hexdigest() if ended else "",
        )

    def _below(self, owner: str, path: str, depth: int) -> Iterator[ForeignFile]:
        if owner.startswith("m-"):
            address = f"2.0/mlflow/logged-models/{owner}/artifacts/directories"
            query = {"artifact_directory_path": path} if path else {}
        else:
            address = "2.0/mlflow/artifacts/list"
            query = {"run_id": owner, **({"path": path} if path else {})}
        answer = self._rest.try_call("GET", address, query=query)
        if answer.status != httpx.codes.OK or depth > _DEPTH:
            self._leave("artifacts", f"{owner}: {path}", answer.message or _NO_FILES)
            return
        for each in tables_in(answer.body.get("files")):
            inside = str(each.get("path") or "")
            if each.get("is_dir"):
                yield from self._below(owner, inside, depth + 1)
            elif inside:
                size = each.get("file_size")
                yield ForeignFile(path=inside, size=None if size is None else _whole(size))

    def _model(self, name: str, model: Json) -> ForeignModel:
        wanted = f"name='{name}'"
        if pairs_in(model.get("tags")).get(_PROMPT) == "true":
            wanted += f" AND tags.`{_PROMPT}` = 'true'"  # which are not told unasked
        path, field = "mlflow/model-versions/search", "model_versions"
        versions = [
            version_of(each, pairs_in(each.get("tags")))
            for each in self._listed(path, field, {"filter": wanted})
        ]
        return ForeignModel(
            name=name,
            versions=tuple(sorted(versions, key=lambda each: each.version)),
            description=str(model["description"]) if model.get("description") else None,
            tags=pairs_in(model.get("tags")),
            aliases={
                str(each.get("alias")): _whole(each.get("version"))
                for each in tables_in(model.get("aliases"))
            },
        )

    def _note_traces(self) -> None:
        """Note that there are traces: one question, which older servers do not know."""
        locations = [
            {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": id}} for id in self._known
        ]
        body: Json = {"locations": locations[:100], "max_results": 1}
        try:
            answer = self._rest.try_call("POST", "3.0/mlflow/traces/search", body=body)
        except ServerUnavailable:
            return
        if tables_in(answer.body.get("traces")):
            self._leave("traces", self._rest.source, "they are not carried over")

    def _leave(self, what: str, where: str, why: str) -> None:
        self._left[LeftOut(what=what, where=where, why=why)] = None


def _dataset(each: Json) -> DatasetInput:
    said = table_in(each.get("dataset"))
    dataset = Dataset(
        name=str(said.get("name") or ""),
        digest=str(said.get("digest") or ""),
        source_type=str(said.get("source_type") or ""),
        source=str(said.get("source") or ""),
        schema=str(said["schema"]) if said.get("schema") else None,
        profile=str(said["profile"]) if said.get("profile") else None,
    )
    return DatasetInput(dataset=dataset, tags=pairs_in(each.get("tags")))


def _logged_model(each: Json, experiment: str) -> ForeignLoggedModel:
    info, data = table_in(each.get("info")), table_in(each.get("data"))
    id, status = str(info.get("model_id")), str(info.get("status") or "")
    metrics = [
        (
            str(one.get("run_id") or ""),
            Metric(
                key=str(one.get("key")),
                value=_number(one.get("value")),
                step=_whole(one.get("step")),
                at_ms=_whole(one.get("timestamp")),
                model=id,
                dataset=str(one["dataset_name"]) if one.get("dataset_name") else None,
                dataset_digest=str(one["dataset_digest"]) if one.get("dataset_digest") else None,
            ),
        )
        for one in tables_in(data.get("metrics"))
    ]
    known = {word.value: word for word in LoggedModelStatus}
    return ForeignLoggedModel(
        id=id,
        experiment=experiment,
        name=str(info.get("name") or id),
        source_run=str(info["source_run_id"]) if info.get("source_run_id") else None,
        status=known.get(status, LoggedModelStatus.PENDING),
        created_ms=_whole(info.get("creation_timestamp_ms")),
        updated_ms=_whole(info.get("last_updated_timestamp_ms")),
        status_message=str(info["status_message"]) if info.get("status_message") else None,
        model_type=str(info["model_type"]) if info.get("model_type") else None,
        params=pairs_in(data.get("params")),
        tags=pairs_in(info.get("tags")),
        metrics=tuple(metrics),
    )


def table_in(value: object) -> Json:
    """A table; an empty one where it is none."""
    return value if isinstance(value, dict) else {}


def tables_in(value: object) -> list[Json]:
    """The tables in a list; none where it is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def pairs_in(value: object) -> dict[str, str]:
    """Keys and values as tags and params are listed."""
    return {
        str(each.get("key")): "" if each.get("value") is None else str(each.get("value"))
        for each in tables_in(value)
    }


def _whole(value: object) -> int:
    """A whole number; 64-bit ones come as texts from some servers."""
    try:
        return int(str(value if value is not None else 0))
    except ValueError as error:
        raise DataError(
            "the server answered no whole number where one must be", why=repr(value)[:80]
        ) from error


def _number(value: object) -> float:
    """A number; NaN and the infinities come as texts from some servers. A zero is left out."""
    try:
        return float(str(value if value is not None else 0.0))
    except ValueError as error:
        raise DataError("the server answered no number where one must be", why=repr(value)[:80]) from error
