"""The page of all experiments, and the table of one experiment's runs."""

from collections.abc import Sequence

from mlwright.doors.web import columns
from mlwright.doors.web.address import Query
from mlwright.doors.web.columns import Column
from mlwright.doors.web.paper import render
from mlwright.doors.web.shelf import Desk
from mlwright.errors import UsageError, near_match
from mlwright.model.filter_subjects import RUNS
from mlwright.model.filters import Kind, parse_filter
from mlwright.model.searching import View
from mlwright.model.tracking import Experiment, Page, RunRecord
from mlwright.stages.tracking.overview import KeysInUse

VIEWS = {"": View.ACTIVE_ONLY, "deleted": View.DELETED_ONLY, "all": View.ALL}
_SIZE = 100
_LARGEST = 500
_PARENT = "mlflow.parentRunId"


def experiments_page(desk: Desk, query: Query, path: dict[str, str]) -> str:
    """All experiments, the newest first."""
    found: Page[Experiment] = Page(items=())
    fault = None
    try:
        found = desk.tracking.search.experiments(
            query.one("q") or None,
            view=_view(query),
            order_by=_order_of_experiments(query),
            max_results=query.whole("size", _SIZE, 1, _LARGEST),
            token=query.one("page") or None,
        )
    except UsageError as error:
        fault = error
    return render(
        "experiments.html",
        query=query,
        fault=fault,
        experiments=found.items,
        counts=desk.tracking.looking.counts([each.id for each in found.items]),
        following=query.but(page=found.token) if found.token else None,
        view=query.one("view"),
    )


def experiment_page(desk: Desk, query: Query, path: dict[str, str], remembered: Query) -> str:
    """The runs of one experiment.

    Args:
        desk: what is asked.
        query: ``q`` a filter, ``sort`` and ``desc`` an order, ``columns``, ``view``, ``size`` and ``page``.
        path: the experiment's id.
        remembered: columns that were chosen before.

    Raises:
        NotFound: there is no such experiment.
        UsageError: the id is no number.
    """
    experiment = desk.tracking.experiments.get(path["experiment"])
    keys = desk.tracking.looking.keys(experiment.id)
    found: Page[RunRecord] = Page(items=())
    fault = None
    sort = columns.parse(query.one("sort", "started")) or Column("", "started")
    try:
        found = desk.tracking.search.runs(
            [experiment.id],
            query.one("q") or None,
            view=_view(query),
            order_by=[f"{sort.order} {'DESC' if _descends(query) else 'ASC'}"],
            max_results=query.whole("size", _SIZE, 1, _LARGEST),
            token=query.one("page") or None,
        )
    except UsageError as error:
        fault = error
    known = {each.id for _, group in columns.offered(keys, ()) for each in group}
    chosen = _chosen(query.all("columns")) or _chosen(
        [each for each in remembered.all("columns") if each in known]
    )
    shown = chosen or columns.usual(keys, found.items)
    return render(
        "experiment.html",
        query=query,
        fault=fault,
        hints=[] if fault or found.items else _hints(query.one("q"), keys),
        experiment=experiment,
        count=desk.tracking.looking.counts([experiment.id])[experiment.id],
        runs=found.items,
        columns=[columns.NAME, *shown],
        ids={each.id for each in shown},
        offered=columns.offered(keys, shown),
        sort=sort,
        descends=_descends(query),
        following=query.but(page=found.token) if found.token else None,
        view=query.one("view"),
        parents=_parents(found.items),
    )


def _hints(filter: str, keys: KeysInUse) -> list[str]:
    """Keys of a filter that found nothing which no run of late has, with near ones."""
    groups = {Kind.METRIC: keys.metrics, Kind.PARAM: keys.params, Kind.TAG: keys.tags}
    found = []
    for each in parse_filter(filter, RUNS):
        known = groups.get(each.kind)
        if known is not None and each.key not in known and not each.key.startswith("mlflow."):
            near = near_match(each.key[:200], known)
            found.append(f"no {each.kind} {each.key!r}" + (f", but {near!r}" if near else ""))
    return found


def _chosen(ids: Sequence[str]) -> list[Column]:
    found = (columns.parse(each) for each in ids[: columns.MOST])
    return [each for each in found if each is not None and each.id != "name"]


def _view(query: Query) -> View:
    return VIEWS.get(query.one("view"), View.ACTIVE_ONLY)


def _descends(query: Query) -> bool:
    return query.one("desc", "1" if query.one("sort", "started") == "started" else "0") == "1"


def _order_of_experiments(query: Query) -> list[str]:
    known = {"name": "name", "created": "creation_time", "changed": "last_update_time"}
    sort = known.get(query.one("sort"))
    return [f"{sort} {'DESC' if query.one('desc') == '1' else 'ASC'}"] if sort else []


def _parents(runs: Sequence[RunRecord]) -> dict[str, str]:
    """The run that each of some runs is a part of."""
    return {each.id: each.tags[_PARENT] for each in runs if _PARENT in each.tags}
