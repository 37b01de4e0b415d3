"""Writing runs and models into an MLflow server, MLflow 2 or 3, Databricks, or another mlwright, over its REST API.

The server gives ids of its own. Each thing that is made has a tag that says which of ours it is, by which it is found
again; instants of experiments, logged models and versions are those of the server.
"""

import posixpath
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, Final
from urllib.parse import quote, urlsplit

import httpx
import numpy as np

from mlwright.adapters.mlflow.rest import Json, MlflowRest
from mlwright.adapters.mlflow.sink_models import put_model
from mlwright.adapters.mlflow.store_server import MlflowServerStore, pairs_in, table_in, tables_in
from mlwright.errors import ServerUnavailable
from mlwright.model.moving import (
    ForeignExperiment,
    ForeignLoggedModel,
    ForeignModel,
    ForeignRun,
    LeftOut,
)
from mlwright.model.tracking import DatasetInput, History, Metric

OURS: Final = "mlwright.exported.id"
"""The tag that holds the id that a thing has here."""
_FROM: Final = ("mlwright.imported.from", "mlwright.imported.id")
_METRICS: Final = 1000
_PAIRS: Final = 100
_DIGEST: Final = 36
_WHOLE: Final = "mlwright.digest"
_API: Final = "/api/2.0/mlflow-artifacts/artifacts/"


class MlflowServerSink:
    """One server.

    Args:
        rest: the conversation with it.
        experiment: the name there of every experiment; that of each unless given.
    """

    def __init__(self, rest: MlflowRest, *, experiment: str | None = None) -> None:
        self.rest, self._named = rest, experiment
        self.runs: dict[str, str] = {}
        """Runs there by their ids here."""
        self.models: dict[str, str] = {}
        """Logged models there by their ids here; "" where the server has none."""
        self._read = MlflowServerStore(rest)
        self._experiments: dict[str, str] = {}
        self._roots: dict[str, str] = {}
        self._files: dict[str, dict[str, int | None]] = {}
        self._latest: dict[str, dict[str, Json]] = {}
        self._linked: dict[str, set[str]] = {}
        self._left: dict[LeftOut, None] = {}

    def begin(self, run: ForeignRun, experiment: ForeignExperiment) -> str:
        """See ``RunSink.begin``."""
        found = self._find_run(run, self._experiment(experiment))
        if found is None:
            parent = self.runs.get(run.parent or "")
            tags = {**run.tags, OURS: run.id, **({"mlflow.parentRunId": parent} if parent else {})}
            body: Json = {
                "experiment_id": self._experiment(experiment),
                "user_id": run.actor,
                "run_name": run.name,
                "start_time": run.started_ms,
                "tags": [{"key": OURS, "value": run.id}],
            }
            found = table_in(self.rest.call("POST", "2.0/mlflow/runs/create", body=body).get("run"))
        else:
            tags = run.tags
        info, data = table_in(found.get("info")), table_in(found.get("data"))
        id = self.runs[run.id] = str(info.get("run_id") or info.get("run_uuid"))
        self._roots[run.id] = str(info.get("artifact_uri") or "")
        links, made = table_in(found.get("inputs")), table_in(found.get("outputs"))
        linked = [*tables_in(links.get("model_inputs")), *tables_in(made.get("model_outputs"))]
        self._linked[run.id] = {str(each.get("model_id")) for each in linked}
        self._latest[run.id] = {str(each.get("key")): each for each in tables_in(data.get("metrics"))}
        if info.get("lifecycle_stage") == "deleted":
            self.rest.call("POST", "2.0/mlflow/runs/restore", body={"run_id": id})
        known, tagged = pairs_in(data.get("params")), pairs_in(data.get("tags"))
        self._batches(run.id, "params", {key: value for key, value in run.params.items() if key not in known})
        self._batches(run.id, "tags", {key: value for key, value in tags.items() if tagged.get(key) != value})
        if run.inputs:
            body = {"run_id": id, "datasets": [_dataset(each) for each in run.inputs]}
            self._try("data sets", run.id, "POST", "2.0/mlflow/runs/log-inputs", body)
        return id

    def log(self, run: str, history: History) -> int:
        """See ``RunSink.log``. What the server has is looked at where its latest point is another."""
        latest = self._latest[run].get(history.key)
        points = _points(history)
        if latest is not None and points:
            if _is_latest(latest, points):
                return 0
            known = set(_points(self._read.history(self.runs[run], history.key)))
            points = [each for each in points if each not in known]
        for first in range(0, len(points), _METRICS):
            metrics = [
                {"key": history.key, "step": step, "timestamp": at, "value": _spelled(value)}
                for step, at, value in points[first : first + _METRICS]
            ]
            body: Json = {"run_id": self.runs[run], "metrics": metrics}
            if not self._try("a metric", f"{run}: {history.key}", "POST", "2.0/mlflow/runs/log-batch", body):
                return first
        if points:
            step, at, value = points[-1]
            self._latest[run][history.key] = {"step": step, "timestamp": at, "value": value}
        return len(points)

    def put_file(self, owner: str, path: str, size: int, opened: Callable[[], BinaryIO]) -> bool:
        """See ``RunSink.put_file``: through the server's proxy for artifacts."""
        there = self.models.get(owner) or self.runs.get(owner)
        root = self._roots.get(owner, "")
        parts = urlsplit(root)
        if there is None or not (parts.scheme == "mlflow-artifacts" or _API in parts.path):
            why = f"the server keeps its artifacts at {parts.scheme or 'another place'}, where only clients write"
            self.leave("artifacts", owner, why if there else "what they belong to is not there")
            return False
        if owner not in self._files:
            self._files[owner] = {each.path: each.size for each in self._read.files(there)}
        if (
            path in self._files[owner] and (self._files[owner][path] or 0) == size
        ):  # 0 is left out of an answer
            return False
        inside = parts.path.partition(_API)[2] or parts.path.lstrip("/")
        address = f"api/2.0/mlflow-artifacts/artifacts/{quote(posixpath.join(inside, path))}"
        with opened() as file:
            self.rest.put(address, file, size)
        self._files[owner][path] = size
        return True

    def end(self, run: ForeignRun) -> None:
        """See ``RunSink.end``."""
        id, linked = self.runs[run.id], {"", *self._linked[run.id]}
        made = [
            {"model_id": self.models[each.model], "step": each.step}
            for each in run.outputs
            if self.models.get(each.model, "") not in linked
        ]
        if made:
            body: Json = {"run_id": id, "models": made}
            self._try("links to logged models", run.id, "POST", "2.0/mlflow/runs/outputs", body)
        used = [
            {"model_id": self.models[each]}
            for each in run.model_inputs
            if self.models.get(each, "") not in linked
        ]
        if used:
            body = {"run_id": id, "models": used}
            self._try("links to logged models", run.id, "POST", "2.0/mlflow/runs/log-inputs", body)
        status: Json = {"run_id": id, "status": run.status.value, "run_name": run.name}
        if run.ended_ms is not None:
            status["end_time"] = run.ended_ms
        self.rest.call("POST", "2.0/mlflow/runs/update", body=status)
        if run.deleted:
            self.rest.call("POST", "2.0/mlflow/runs/delete", body={"run_id": id})

    def put_logged_model(self, model: ForeignLoggedModel, experiment: ForeignExperiment) -> bool:
        """See ``RunSink.put_logged_model``; servers before MLflow 3 have none."""
        found = self._find_model(model, self._experiment(experiment))
        if found is None:
            return False
        info = table_in(found.get("info"))
        new = not info
        if new:
            tags = {**model.tags, OURS: model.id}
            tags.pop("mlflow.modelVersions", None)  # the server lists there what is registered
            body: Json = {
                "experiment_id": self._experiment(experiment),
                "name": model.name,
                "model_type": model.model_type or "",
                "source_run_id": self.runs.get(model.source_run or "", ""),
                "params": _listed(model.params),
                "tags": _listed(tags),
            }
            made = self.rest.call("POST", "2.0/mlflow/logged-models", body=body)
            info = table_in(table_in(made.get("model")).get("info"))
        id = self.models[model.id] = str(info.get("model_id"))
        self._roots[model.id] = str(info.get("artifact_uri") or "")
        for run, metric in model.metrics:
            if run in self.runs:
                self._log_of_model(run, metric, model.id)
        finished: Json = {"model_id": id, "status": model.status.value}
        self.rest.call("PATCH", f"2.0/mlflow/logged-models/{id}", body=finished)
        return new

    def put_model(self, model: ForeignModel) -> int:
        """See ``RunSink.put_model``."""
        return put_model(self, model)

    def left_out(self) -> tuple[LeftOut, ...]:
        """See ``RunSink.left_out``."""
        return tuple(dict.fromkeys([*self._left, *self._read.left_out()]))

    def leave(self, what: str, where: str, why: str) -> None:
        """Note something that was given and is not there."""
        self._left[LeftOut(what=what, where=where, why=why[:300])] = None

    def root(self, owner: str) -> str:
        """Where the artifacts of a run or logged model lie there."""
        return self._roots.get(owner, "").rstrip("/")

    def _log_of_model(self, run: str, metric: Metric, model: str) -> None:
        """Log a metric to run and model at once, as it has to be. A point that the run has not is no metric of it."""
        known = self._read.history(self.runs[run], metric.key)
        value = metric.value if metric.value == metric.value else "NaN"
        if (metric.step, metric.at_ms, value) in _points(known):
            body: Json = {"run_id": self.runs[run], "metrics": [_model_metric(metric, self.models[model])]}
            self._try("a metric", f"{model}: {metric.key}", "POST", "2.0/mlflow/runs/log-batch", body)
        else:
            why = "the run that measured it has no such point"
            self.leave("a metric of a logged model", f"{model}: {metric.key}", why)

    def _experiment(self, experiment: ForeignExperiment) -> str:
        if experiment.name not in self._experiments:
            name = self._named or experiment.name
            query = {"experiment_name": name}
            answer = self.rest.try_call("GET", "2.0/mlflow/experiments/get-by-name", query=query)
            found = table_in(answer.body.get("experiment"))
            if answer.status not in (httpx.codes.OK, httpx.codes.NOT_FOUND):
                raise self.rest.refusal(answer, "experiments/get-by-name")
            if not found:
                body: Json = {"name": name, "tags": _listed(experiment.tags)}
                found = self.rest.call("POST", "2.0/mlflow/experiments/create", body=body)
                if experiment.deleted:
                    why = "it holds runs, which only an experiment that is there can take"
                    self.leave("the deletion of an experiment", experiment.name, why)
            elif found.get("lifecycle_stage") == "deleted":
                raise ServerUnavailable(
                    f"the experiment {experiment.name!r} is deleted there",
                    where=self.rest.source,
                    why="no run can be written into it",
                    next_command="restore it there, or write only others: --experiment NAME",
                )
            self._experiments[experiment.name] = str(found.get("experiment_id"))
        return self._experiments[experiment.name]

    def _find_run(self, run: ForeignRun, experiment: str) -> Json | None:
        """The run that was made before; or the one that ours was imported from, where that is this server."""
        if run.tags.get(_FROM[0]) == f"mlflow {self.rest.source}":
            query = {"run_id": run.tags.get(_FROM[1], "")}
            answer = self.rest.try_call("GET", "2.0/mlflow/runs/get", query=query)
            if answer.status == httpx.codes.OK:
                return table_in(answer.body.get("run"))
        if (known := self.runs.get(run.id)) is not None:
            return table_in(self.rest.call("GET", "2.0/mlflow/runs/get", query={"run_id": known}).get("run"))
        body: Json = {
            "experiment_ids": [experiment],
            "filter": f"tags.\"{OURS}\" = '{_quoted(run.id)}'",
            "run_view_type": "ALL",
            "max_results": 1,
        }
        found = tables_in(self.rest.call("POST", "2.0/mlflow/runs/search", body=body).get("runs"))
        return found[0] if found else None

    def _find_model(self, model: ForeignLoggedModel, experiment: str) -> Json | None:
        """The logged model that was made before, {} where there is none; None where the server knows no such thing."""
        body: Json = {
            "experiment_ids": [experiment],
            "filter": f"tags.`{OURS}` = '{_quoted(model.id)}'",
            "max_results": 1,
        }
        answer = self.rest.try_call("POST", "2.0/mlflow/logged-models/search", body=body)
        if answer.status != httpx.codes.OK:
            self.models[model.id] = ""
            self.leave("a logged model", model.id, f"the server has none ({answer.message or answer.status})")
            return None
        found = tables_in(answer.body.get("models"))
        return found[0] if found else {}

    def _batches(self, run: str, kind: str, values: Mapping[str, str]) -> None:
        """Write params or tags, a hundred a call; where a call is refused, one a call, and what is refused is noted."""
        items = sorted(values.items())
        for first in range(0, len(items), _PAIRS):
            part = items[first : first + _PAIRS]
            body: Json = {"run_id": self.runs[run], kind: _listed(dict(part))}
            answer = self.rest.try_call("POST", "2.0/mlflow/runs/log-batch", body=body)
            if answer.status == httpx.codes.OK:
                continue
            for key, value in part:
                one: Json = {"run_id": self.runs[run], kind: _listed({key: value})}
                where = f"{run}: {key}"
                self._try(f"a {kind.removesuffix('s')}", where, "POST", "2.0/mlflow/runs/log-batch", one)

    def _try(self, what: str, where: str, method: str, path: str, body: Mapping[str, object]) -> bool:
        """One call; what the server refuses is noted."""
        answer = self.rest.try_call(method, path, body=body)
        if answer.status != httpx.codes.OK:
            self.leave(what, where, answer.message or f"the server answered {answer.status}")
        return answer.status == httpx.codes.OK


def _points(history: History) -> list[tuple[int, int, float | str]]:
    """Points that can be compared: a NaN is a word."""
    columns = (history.steps.tolist(), history.at_ms.tolist(), history.values.tolist())
    return [(step, at, value if value == value else "NaN") for step, at, value in zip(*columns, strict=True)]


def _is_latest(latest: Json, points: Sequence[tuple[int, int, float | str]]) -> bool:
    step, at, value = points[-1]
    known = float(str(latest.get("value", 0)))
    same = (known if known == known else "NaN") == value
    return same and (int(str(latest.get("step", 0))), int(str(latest.get("timestamp", 0)))) == (step, at)


def _spelled(value: float | str) -> float | str:
    """A number as JSON can have it."""
    if isinstance(value, str) or np.isfinite(value):
        return value
    return "Infinity" if value > 0 else "-Infinity"


def _listed(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _dataset(used: DatasetInput) -> Json:
    """A data set as a server takes it: of a digest it keeps 36 letters, so that the whole is a tag."""
    known = used.dataset
    short = known.digest.rpartition(":")[2][:_DIGEST] if len(known.digest) > _DIGEST else known.digest
    said = {
        "name": known.name,
        "digest": short,
        "source_type": known.source_type,
        "source": known.source,
        "schema": known.schema,
        "profile": known.profile,
    }
    return {
        "dataset": {key: value for key, value in said.items() if value is not None},
        "tags": _listed({**used.tags, **({} if short == known.digest else {_WHOLE: known.digest})}),
    }


def _model_metric(metric: Metric, model: str) -> Json:
    value = metric.value if metric.value == metric.value else "NaN"
    said: Json = {
        "key": metric.key,
        "value": _spelled(value),
        "step": metric.step,
        "timestamp": metric.at_ms,
        "model_id": model,
    }
    if metric.dataset and metric.dataset_digest:
        said |= {"dataset_name": metric.dataset, "dataset_digest": metric.dataset_digest}
    return said


def _quoted(text: str) -> str:
    """A text inside of single quotes of a filter; ids have none."""
    return "".join(each for each in text if each not in "'\"\\")
