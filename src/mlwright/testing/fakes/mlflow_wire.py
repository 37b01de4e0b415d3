"""A server that speaks MLflow's REST API 2.0 about facts that it was given; for tests of what reads such servers.

Shapes as MLflow 3.17 sends them: int64 as numbers, empty parts left out, page tokens as opaque texts.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final
from urllib.parse import parse_qs, urlsplit

from mlwright.model.running import RunFact, VersionFact

_API: Final = "/api/2.0/mlflow/"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MLMODEL: Final = b"flavors:\n  python_function: {loader_module: mlflow.sklearn}\nsignature:\n  inputs: '[]'\n"

Answer = tuple[int, bytes]


class MlflowWire(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1 while it is entered.

    ``asked`` collects (path, body or query, authorization header). ``scripted`` maps a path to the (status, bytes)
    that is answered in place of the facts; ``page`` cuts every list after so many entries.
    """

    daemon_threads = True

    def __init__(
        self, runs: Sequence[RunFact] = (), versions: Sequence[VersionFact] = (), *, page: int = 1000
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.runs, self.versions, self.page = tuple(runs), tuple(versions), page
        self.asked: list[tuple[str, Mapping[str, object], str]] = []
        self.scripted: dict[str, Answer] = {}
        self._thread = threading.Thread(target=lambda: self.serve_forever(poll_interval=0.01))

    @property
    def uri(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> "MlflowWire":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def answer(self, path: str, given: Mapping[str, object], credentials: str) -> Answer:
        """What is said to one request."""
        self.asked.append((path, given, credentials))
        if path in self.scripted:
            return self.scripted[path]
        if path == "/model-versions/get-artifact":
            return self._artifact(given)
        names = {
            "experiments/search": self._experiments,
            "experiments/get-by-name": self._experiment,
            "runs/search": self._runs,
            "registered-models/search": self._models,
            "model-versions/search": self._versions,
        }
        made = names.get(path.removeprefix(_API)) if path.startswith(_API) else None
        if made is None:
            return 404, b"<!doctype html><title>404 Not Found</title>"
        return made(given)

    def _names(self) -> list[str]:
        return sorted({run.experiment for run in self.runs})

    def _experiments(self, given: Mapping[str, object]) -> Answer:
        known = [{"experiment_id": str(place), "name": name} for place, name in enumerate(self._names())]
        return self._paged("experiments", known, given)

    def _experiment(self, given: Mapping[str, object]) -> Answer:
        name = given.get("experiment_name")
        if name not in self._names():
            said = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"Could not find experiment {name}"}
            return 404, json.dumps(said).encode()
        found = {"experiment_id": str(self._names().index(str(name))), "name": name}
        return _json({"experiment": found})

    def _runs(self, given: Mapping[str, object]) -> Answer:
        ids = given.get("experiment_ids")
        wanted = ids if isinstance(ids, list) else []
        names = {name: str(place) for place, name in enumerate(self._names())}
        newest = sorted(self.runs, key=lambda run: run.started, reverse=True)
        found = [_run(run, names[run.experiment]) for run in newest if names[run.experiment] in wanted]
        return self._paged("runs", found, given)

    def _models(self, given: Mapping[str, object]) -> Answer:
        known = [self._model(name) for name in sorted({each.model for each in self.versions})]
        return self._paged("registered_models", known, given)

    def _model(self, name: str) -> dict[str, object]:
        own = [each for each in self.versions if each.model == name]
        aliases = [{"alias": alias, "version": each.version} for each in own for alias in each.aliases]
        latest = max(own, key=lambda each: each.created)
        return {
            "name": name,
            "latest_versions": [_version(latest)],
            **({"aliases": aliases} if aliases else {}),
        }

    def _versions(self, given: Mapping[str, object]) -> Answer:
        newest = sorted(self.versions, key=lambda each: each.created, reverse=True)
        return self._paged("model_versions", [_version(each) for each in newest], given)

    def _artifact(self, given: Mapping[str, object]) -> Answer:
        for each in self.versions:
            if (each.model, each.version) == (given.get("name"), given.get("version")) and each.signature:
                return 200, MLMODEL
        return 404, b""

    def _paged(self, key: str, rows: Sequence[object], given: Mapping[str, object]) -> Answer:
        start = int(str(given.get("page_token") or "0"))
        stop = start + min(int(str(given.get("max_results") or self.page)), self.page)
        body: dict[str, object] = {key: list(rows[start:stop])} if rows[start:stop] else {}
        if stop < len(rows):
            body["next_page_token"] = str(stop)
        return _json(body)


class _Handler(BaseHTTPRequestHandler):
    server: MlflowWire

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self._say(parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()})

    def do_POST(self) -> None:
        self._say(self.path, json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def _say(self, path: str, given: Mapping[str, object]) -> None:
        status, body = self.server.answer(path, given, self.headers.get("authorization", ""))
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        if 300 <= status < 400:
            self.send_header("location", "/login")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _run(run: RunFact, experiment: str) -> dict[str, object]:
    tags = {"mlflow.source.name": run.pipeline, "mlflow.source.git.commit": run.commit}
    data = {
        "metrics": [{"key": key, "value": 0.5, "timestamp": 0, "step": 0} for key in run.metrics],
        "params": [{"key": key, "value": "1"} for key in run.params],
        "tags": [{"key": key, "value": value} for key, value in tags.items() if value],
    }
    info: dict[str, object] = {
        "run_id": run.id,
        "run_uuid": run.id,
        "experiment_id": experiment,
        "status": run.status,
        "start_time": _ms(run.started),
        "lifecycle_stage": "active",
    }
    if run.ended is not None:
        info["end_time"] = _ms(run.ended)
    used = [{"dataset": {"name": f"d{place}", "digest": "8f3a33c6"}} for place in range(run.datasets)]
    return {
        "info": info,
        "data": {key: values for key, values in data.items() if values},
        "inputs": {"dataset_inputs": used} if used else {},
        "outputs": {"model_outputs": [{"model_id": "m-1", "step": 0}]} if run.environment else {},
    }


def _version(version: VersionFact) -> dict[str, object]:
    return {
        "name": version.model,
        "version": version.version,
        "creation_timestamp": _ms(version.created),
        "current_stage": "None",
        "description": "what it is for" if version.described else "",
        "run_id": version.run,
        "status": "READY",
    }


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _json(body: Mapping[str, object]) -> Answer:
    return 200, json.dumps(body).encode()
