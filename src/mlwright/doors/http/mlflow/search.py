"""Calls of the MLflow protocol about search."""

from collections.abc import Iterable
from typing import Final

import msgspec

from mlwright.doors.http.mlflow.call import Asked, Call
from mlwright.doors.http.mlflow.experiments import experiment_to_wire
from mlwright.doors.http.mlflow.logged_models import logged_model_to_wire
from mlwright.doors.http.mlflow.models import model_to_wire
from mlwright.doors.http.mlflow.runs import run_to_wire
from mlwright.doors.http.mlflow.versions import version_to_wire
from mlwright.errors import BadRequest
from mlwright.model.searching import DatasetUse, MeasuredOn, View, parse_model_order
from mlwright.platform.tracking.facade import TrackingPlatform

# By the protocol's words, and by the numbers of its enumeration, which some clients send.
_VIEWS: Final[dict[str, View]] = {each.value: each for each in View} | {
    str(number): each for number, each in enumerate(View, 1)
}


class _Search(msgspec.Struct):
    filter: str | None = None
    max_results: int | None = None
    order_by: list[str] = []
    page_token: str | None = None


class _Runs(_Search):
    experiment_ids: list[str] = []
    run_view_type: str | None = None


class _Experiments(_Search):
    view_type: str | None = None


class _OrderBy(msgspec.Struct):
    field_name: str = ""
    ascending: bool | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class _Measured(msgspec.Struct):
    dataset_name: str = ""
    dataset_digest: str | None = None


class _LoggedModels(msgspec.Struct):
    experiment_ids: list[str] = []
    filter: str | None = None
    datasets: list[_Measured] = []
    max_results: int | None = None
    order_by: list[_OrderBy] = []
    page_token: str | None = None


class _Datasets(msgspec.Struct):
    experiment_ids: list[str] = []


def _view(word: str | None) -> View:
    if not word:
        return View.ACTIVE_ONLY
    if word not in _VIEWS:
        raise BadRequest(f"{word!r} is no view type", why=f"there is {', '.join(View)}")
    return _VIEWS[word]


def _limit(asked: int | None, default: int) -> int:
    return default if asked is None else asked


def _page(name: str, found: Iterable[dict[str, object]], token: str | None) -> dict[str, object]:
    # An empty list is left out, as every field without a value.
    answer: dict[str, object] = {}
    if items := list(found):
        answer[name] = items
    if token:
        answer["next_page_token"] = token
    return answer


def _search_runs(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_Runs)
    page = tracking.search.runs(
        body.experiment_ids,
        body.filter,
        view=_view(body.run_view_type),
        order_by=body.order_by,
        max_results=_limit(body.max_results, 1000),
        token=body.page_token,
    )
    return _page("runs", map(run_to_wire, page.items), page.token)


def _search_experiments(tracking: TrackingPlatform, asked: Asked) -> object:
    return _experiments(tracking, asked.parse(_Experiments))


def _get_experiments(tracking: TrackingPlatform, asked: Asked) -> object:
    return _experiments(tracking, asked.parse_query(_Experiments))


def _experiments(tracking: TrackingPlatform, said: _Experiments) -> object:
    page = tracking.search.experiments(
        said.filter,
        view=_view(said.view_type),
        order_by=said.order_by,
        max_results=_limit(said.max_results, 1000),
        token=said.page_token,
    )
    return _page("experiments", map(experiment_to_wire, page.items), page.token)


def _search_logged_models(tracking: TrackingPlatform, asked: Asked) -> object:
    body = asked.parse(_LoggedModels)
    if not all(each.dataset_name for each in body.datasets):
        raise BadRequest("a data set without dataset_name", where="datasets")
    page = tracking.search.logged_models(
        body.experiment_ids,
        body.filter,
        datasets=[
            MeasuredOn(dataset=each.dataset_name, digest=each.dataset_digest or None)
            for each in body.datasets
        ],
        order_by=[
            parse_model_order(
                each.field_name,
                ascending=each.ascending is not False,
                dataset=each.dataset_name,
                digest=each.dataset_digest,
            )
            for each in body.order_by
        ],
        max_results=_limit(body.max_results, 50),
        token=body.page_token,
    )
    return _page("models", map(logged_model_to_wire, page.items), page.token)


def _search_datasets(tracking: TrackingPlatform, asked: Asked) -> object:
    found = tracking.search.datasets(asked.parse(_Datasets).experiment_ids)
    return _page("dataset_summaries", map(_dataset_to_wire, found), None)


def _dataset_to_wire(use: DatasetUse) -> dict[str, object]:
    wire: dict[str, object] = {"experiment_id": use.experiment_id, "name": use.name, "digest": use.digest}
    if use.context is not None:
        wire["context"] = use.context
    return wire


def _search_models(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse_query(_Search)
    page = tracking.search.registered_models(
        said.filter,
        order_by=said.order_by,
        max_results=_limit(said.max_results, 100),
        token=said.page_token,
    )
    found = (model_to_wire(model, latest) for model, latest in page.items)
    return _page("registered_models", found, page.token)


def _search_versions(tracking: TrackingPlatform, asked: Asked) -> object:
    said = asked.parse_query(_Search)
    page = tracking.search.model_versions(
        said.filter,
        order_by=said.order_by,
        max_results=_limit(said.max_results, 200_000),
        token=said.page_token,
    )
    return _page("model_versions", map(version_to_wire, page.items), page.token)


CALLS: Final[tuple[Call, ...]] = (
    Call(method="POST", path="2.0/mlflow/runs/search", handler=_search_runs),
    Call(method="POST", path="2.0/mlflow/experiments/search", handler=_search_experiments),
    Call(method="GET", path="2.0/mlflow/experiments/search", handler=_get_experiments),
    Call(method="POST", path="2.0/mlflow/logged-models/search", handler=_search_logged_models),
    Call(method="POST", path="2.0/mlflow/experiments/search-datasets", handler=_search_datasets),
    Call(method="GET", path="2.0/mlflow/registered-models/search", handler=_search_models),
    Call(method="GET", path="2.0/mlflow/model-versions/search", handler=_search_versions),
)
