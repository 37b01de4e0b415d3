"""The page of a run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from mlwright.doors.web.address import Query
from mlwright.doors.web.files import Branch, tree
from mlwright.doors.web.paper import render
from mlwright.doors.web.plots import spark
from mlwright.doors.web.shelf import Desk
from mlwright.errors import MlwrightError, NotFound
from mlwright.model.ids import RunId
from mlwright.model.registry import ModelVersion
from mlwright.model.searching import View
from mlwright.model.tracking import DatasetInput, LoggedModel, MetricSummary, RunRecord
from mlwright.platform.tracking.looking import RunFacts

_SPARKS = 60
"""Metrics that have a small line; the others wait for whoever asks for all."""
_POINTS = 160
_SHOWN = 200
"""Params, tags and metrics that a run has at once; a click shows the others."""
_CHILDREN = 50
_PARENT = "mlflow.parentRunId"


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """A data set that a run used, as a row."""

    name: str
    digest: str
    source: str
    context: str
    rows: object
    contract: str


def run_page(desk: Desk, query: Query, path: dict[str, str]) -> str:
    """Everything about one run, by whomever it was logged.

    Raises:
        NotFound: there is no such run; the error names a near one.
    """
    tracking = desk.tracking
    facts = tracking.looking.run(RunId(path["run"]))
    record = facts.record
    every = query.one("all") == "1"
    metrics = facts.summaries if every else facts.summaries[:_SHOWN]
    return render(
        "run.html",
        query=query,
        facts=facts,
        run=record,
        experiment=tracking.experiments.get(record.experiment_id),
        metrics=metrics,
        hidden=len(facts.summaries) - len(metrics),
        sparks=_sparks(desk, facts, metrics if every else metrics[:_SPARKS]),
        params=list(record.params.items()),
        own={key: value for key, value in record.tags.items() if not key.startswith("mlflow.")},
        theirs={key: value for key, value in record.tags.items() if key.startswith("mlflow.")},
        used=[_used(each) for each in record.inputs],
        made=_models(desk, [each.model for each in record.outputs]),
        taken=_models(desk, record.model_inputs),
        versions=_versions(desk, record),
        parent=_parent(desk, record),
        children=_children(desk, record),
        files=_files(desk, record),
    )


def _sparks(desk: Desk, facts: RunFacts, metrics: Sequence[MetricSummary]) -> dict[str, str]:
    by_key = {each.key: each for each in metrics}
    found: dict[str, str] = {}
    for key, summary in by_key.items():
        if summary.points > 1:
            read = desk.series([(facts.record, by_key)], key, _POINTS, axis="step")
            found[key] = spark(read[facts.record.id].values, title=f"{key} by step")
    return found


def _used(each: DatasetInput) -> Used:
    profile, source = _object(each.dataset.profile), _object(each.dataset.source)
    contract = source.get("contract")
    plain = source.get("uri") or source.get("url") or source.get("path") or each.dataset.source
    return Used(
        name=each.dataset.name,
        digest=each.dataset.digest,
        source="" if contract else f"{each.dataset.source_type}: {plain}",
        context=each.tags.get("mlflow.data.context", ""),
        rows=profile.get("num_rows"),
        contract=str(contract or ""),
    )


def _object(text: str | None) -> dict[str, object]:
    """What a client wrote, where it is a JSON object."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _models(desk: Desk, ids: Sequence[str]) -> list[tuple[str, LoggedModel | None]]:
    found: list[tuple[str, LoggedModel | None]] = []
    for id in ids[:_CHILDREN]:
        try:
            found.append((id, desk.tracking.logged_models.get(id, deleted=True)))
        except NotFound:
            found.append((id, None))
    return found


def _versions(desk: Desk, record: RunRecord) -> tuple[ModelVersion, ...]:
    page = desk.tracking.search.model_versions(f"run_id = {_quoted(record.id)}", max_results=100)
    return page.items


def _parent(desk: Desk, record: RunRecord) -> RunRecord | None:
    parent = record.tags.get(_PARENT)
    if not parent:
        return None
    found, _ = desk.tracking.looking.runs([RunId(parent)])
    return found[0][0] if found else None


def _children(desk: Desk, record: RunRecord) -> tuple[RunRecord, ...]:
    wanted = f"tags.`{_PARENT}` = {_quoted(record.id)}"
    order = ["attributes.start_time ASC"]
    return desk.tracking.search.runs(
        [record.experiment_id], wanted, view=View.ALL, order_by=order, max_results=_CHILDREN
    ).items


def _files(desk: Desk, record: RunRecord) -> list[Branch] | str:
    """The tree of a run's artifacts, or why there is none."""
    try:
        _, place = desk.tracking.artifacts.place_of_run(record.id)
        return tree(desk.tracking, place)
    except MlwrightError as error:
        return error.what


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
