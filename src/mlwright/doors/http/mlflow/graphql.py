"""The few questions that MLflow's pages ask by GraphQL, answered over the same façade as everything else.

There is no schema here: each question known by name is answered in full, and of the answer those fields are sent that
the query selects, under the names and in the forms (64-bit numbers as text) that MLflow's own server gives them.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from mlwright.doors.http.mlflow.experiments import experiment_to_wire
from mlwright.doors.http.mlflow.runs import run_to_wire
from mlwright.doors.http.mlflow.versions import version_to_wire
from mlwright.errors import BadRequest, MlwrightError
from mlwright.model.ids import RunId
from mlwright.model.searching import View
from mlwright.platform.tracking.facade import TrackingPlatform

_MOST_RUNS: Final = 1000
_MOST_VERSIONS: Final = 10_000
_DEPTH: Final = 20
_LONGEST: Final = 100_000
_TOKEN: Final = re.compile(r'[A-Za-z_]\w*|[{}()\[\]!@$:=,]|"(?:[^"\\\n]|\\.)*"|-?\d[\d.eE+-]*|\.\.\.|#[^\n]*')
_LISTS: Final = frozenset(
    {"tags", "metrics", "params", "datasetInputs", "modelInputs", "modelOutputs", "modelVersions", "runs"}
)
_LONG: Final = frozenset(
    {"startTime", "endTime", "timestamp", "step", "lastUpdateTime", "creationTime", "creationTimestamp"}
)
_TYPES: Final = {
    "mlflowGetRun": "MlflowGetRunResponse",
    "mlflowGetExperiment": "MlflowGetExperimentResponse",
    "mlflowSearchRuns": "MlflowSearchRunsResponse",
    "run": "MlflowRunExtension",
    "runs": "MlflowRunExtension",
    "info": "MlflowRunInfo",
    "data": "MlflowRunData",
    "experiment": "MlflowExperiment",
    "modelVersions": "MlflowModelVersion",
    "metrics": "MlflowMetricExtension",
    "params": "MlflowParam",
    "inputs": "MlflowRunInputs",
    "outputs": "MlflowRunOutputs",
    "datasetInputs": "MlflowDatasetInput",
    "dataset": "MlflowDataset",
    "modelInputs": "MlflowModelInput",
    "modelOutputs": "MlflowModelOutput",
}
_TAG_TYPES: Final = {
    "data": "MlflowRunTag",
    "experiment": "MlflowExperimentTag",
    "datasetInputs": "MlflowInputTag",
}

Selection = dict[str, "Selection"]
"""Fields by name, each with those selected below it."""


class _Asked(msgspec.Struct):
    query: str
    variables: dict[str, dict[str, Any]] | None = None


def answer_graphql(tracking: TrackingPlatform, body: bytes) -> bytes:
    """The answer to a request of the pages; what cannot be answered is an error within it, as GraphQL has it.

    Raises:
        BadRequest: the body is no request of GraphQL.
    """
    try:
        asked = msgspec.json.decode(body, type=_Asked)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise BadRequest(str(fault), where="body") from fault
    selected = read_selection(asked.query)
    said = next(iter((asked.variables or {}).values()), {})
    data: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []
    for name, below in selected.items():
        data[name] = None
        try:
            if name not in _QUESTIONS:
                raise BadRequest(
                    f"{name!r} cannot be asked by GraphQL here", why=f"there is {', '.join(_QUESTIONS)}"
                )
            data[name] = _project(_QUESTIONS[name](tracking, said), below, (name,))
        except MlwrightError as fault:
            errors.append({"message": str(fault), "path": [name]})
    return msgspec.json.encode({"data": data, "errors": errors} if errors else {"data": data})


def read_selection(query: str) -> Selection:
    """The fields that a query with one operation selects.

    Raises:
        BadRequest: it is too long or too deep, or has fragments or several operations.
    """
    if len(query) > _LONGEST:
        raise BadRequest("the query is too long", where="query")
    tokens = iter([each for each in _TOKEN.findall(query) if each[0] not in "#,"])
    for token in tokens:
        if token == "{":
            return _fields(tokens, 0)
        if token == "(":
            _pass_over(tokens)
    raise BadRequest("the query selects nothing", where="query")


def _fields(tokens: Iterator[str], depth: int) -> Selection:
    if depth > _DEPTH:
        raise BadRequest("the query is too deep", where="query")
    found: Selection = {}
    last = ""
    for token in tokens:
        if token == "}":
            return found
        if token == "{":
            found[last] = _fields(tokens, depth + 1)
        elif token == "(":
            _pass_over(tokens)
        elif token in ("...", "@", ":"):
            raise BadRequest(
                "fragments, directives and other names of fields are not read here", where="query"
            )
        else:
            last = token
            found.setdefault(last, {})
    raise BadRequest("the query has no end", where="query")


def _pass_over(tokens: Iterator[str]) -> None:
    open_ones = 1
    for token in tokens:
        open_ones += {"(": 1, ")": -1}.get(token, 0)
        if open_ones == 0:
            return


def _project(value: Any, selected: Selection, path: tuple[str, ...]) -> Any:
    """What of a message is selected; a field of 64 bits is text, and a number that JSON lacks is null."""
    name = path[-1]
    if isinstance(value, list):
        return [_project(each, selected, path) for each in value]
    if isinstance(value, Mapping):
        return {
            field: _type_of(path)
            if field == "__typename"
            else _project(_field(value, field), below, (*path, field))
            for field, below in selected.items()
        }
    if name in _LONG and value is not None:
        return str(value)
    # Numbers that JSON lacks are words on the wire of protocol buffers.
    lacks = value in ("NaN", "Infinity", "-Infinity") or (
        isinstance(value, float) and not math.isfinite(value)
    )
    return None if name == "value" and path[-2] == "metrics" and lacks else value


def _field(message: Mapping[str, Any], field: str) -> Any:
    snake = re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", field)
    return message.get(snake, [] if field in _LISTS else None)


def _type_of(path: Sequence[str]) -> str:
    if path[-1] == "tags":
        return _TAG_TYPES.get(path[-2], "MlflowRunTag")
    return _TYPES.get(path[-1], "")


def _get_run(tracking: TrackingPlatform, said: Mapping[str, Any]) -> dict[str, Any]:
    run = run_to_wire(tracking.runs.get(RunId(str(said.get("runId") or said.get("runUuid") or ""))))
    return {"run": _with_relatives(tracking, [run])[0]}


def _get_experiment(tracking: TrackingPlatform, said: Mapping[str, Any]) -> dict[str, Any]:
    return {"experiment": experiment_to_wire(tracking.experiments.get(str(said.get("experimentId", ""))))}


def _search_runs(tracking: TrackingPlatform, said: Mapping[str, Any]) -> dict[str, Any]:
    view = said.get("runViewType") or View.ACTIVE_ONLY.value
    most = said.get("maxResults") or _MOST_RUNS
    if view not in set(View) or not isinstance(most, int):
        raise BadRequest("runViewType or maxResults cannot be used", where="variables")
    page = tracking.search.runs(
        [str(each) for each in said.get("experimentIds") or ()],
        said.get("filter"),
        view=View(view),
        order_by=said.get("orderBy") or (),
        max_results=min(most, _MOST_RUNS),
        token=said.get("pageToken"),
    )
    runs = _with_relatives(tracking, [run_to_wire(each) for each in page.items])
    return {"runs": runs, "next_page_token": page.token}


def _with_relatives(tracking: TrackingPlatform, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Runs with their experiment, and with the versions that were registered from them."""
    if not runs:
        return runs
    ids = {run["info"]["run_id"] for run in runs}
    places = {run["info"]["experiment_id"] for run in runs}
    experiments = {each: experiment_to_wire(tracking.experiments.get(each)) for each in places}
    quoted = ", ".join("'" + each.replace("'", "''") + "'" for each in sorted(ids))
    found = tracking.search.model_versions(f"run_id IN ({quoted})", max_results=_MOST_VERSIONS).items
    versions: dict[str, list[dict[str, object]]] = {}
    for wire in map(version_to_wire, found):
        versions.setdefault(str(wire.get("run_id")), []).append(wire)
    for run in runs:
        run["experiment"] = experiments[run["info"]["experiment_id"]]
        run["model_versions"] = versions.get(run["info"]["run_id"], [])
    return runs


_QUESTIONS: Final[dict[str, Callable[[TrackingPlatform, Mapping[str, Any]], dict[str, Any]]]] = {
    "mlflowGetRun": _get_run,
    "mlflowGetExperiment": _get_experiment,
    "mlflowSearchRuns": _search_runs,
}
