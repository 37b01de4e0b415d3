"""Search: runs, experiments, logged models, data sets, models and versions."""

from collections.abc import Sequence
from typing import Final

from mlwright.errors import UsageError
from mlwright.model.filter_subjects import (
    EXPERIMENTS,
    LOGGED_MODELS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    RUNS,
)
from mlwright.model.filters import parse_filter, parse_order
from mlwright.model.registry import ModelVersion, RegisteredModel
from mlwright.model.searching import DatasetUse, MeasuredOn, ModelOrder, View
from mlwright.model.tracking import Experiment, LoggedModel, Page, RunRecord
from mlwright.platform.tracking.book import Book
from mlwright.stages.registry import rows as registry
from mlwright.stages.registry import search as registry_search
from mlwright.stages.registry import versions as registry_versions
from mlwright.stages.tracking import experiments as tracked
from mlwright.stages.tracking import logged_models as logged
from mlwright.stages.tracking import records
from mlwright.stages.tracking import search_experiments as experiment_search
from mlwright.stages.tracking import search_logged_models as logged_model_search
from mlwright.stages.tracking import search_runs as run_search
from mlwright.stages.tracking.search_terms import compare

# The limits are those of MLflow.
_MOST_RUNS: Final = 50_000
_MOST_MODELS: Final = 1000
_MOST_VERSIONS: Final = 200_000
_MOST_EXPERIMENTS_OF_DATASETS: Final = 20
_LARGEST: Final = 2**63 - 1


class SearchJourney:
    """Search: runs, experiments, logged models, data sets, models and versions.

    Each page says by its token whether there are more; the token goes with the same experiments, filter and order.
    """

    def __init__(self, book: Book) -> None:
        self._book = book

    def runs(
        self,
        experiment_ids: Sequence[str],
        filter: str | None = None,
        *,
        view: View = View.ACTIVE_ONLY,
        order_by: Sequence[str] = (),
        max_results: int = 1000,
        token: str | None = None,
    ) -> Page[RunRecord]:
        """Find runs of experiments that meet a filter, the latest first unless another order is asked for.

        Args:
            experiment_ids: ids of experiments; those of none find nothing.
            filter: such as ``metrics.loss < 0.1 AND params.size = '3'``.
            view: whether deleted runs are found.
            order_by: such as ``metrics.loss DESC``; what lacks the key comes last.
            max_results: runs on the page, at most 50,000.
            token: of the page before.

        Raises:
            UsageError: the filter, the order, an id, the limit or the token is not right; says what and where.
        """
        _check_limit(max_results, _MOST_RUNS)
        conditions, orders = parse_filter(filter, RUNS), parse_order(order_by, RUNS)
        with self._book.read() as tx:
            numbers, following = run_search.search_runs(
                tx,
                _numbers(experiment_ids),
                conditions,
                orders,
                view=view,
                limit=max_results,
                token=token,
            )
            return Page(items=tuple(records.read_records(tx, numbers)), token=following)

    def experiments(
        self,
        filter: str | None = None,
        *,
        view: View = View.ACTIVE_ONLY,
        order_by: Sequence[str] = (),
        max_results: int = 1000,
        token: str | None = None,
    ) -> Page[Experiment]:
        """Find experiments that meet a filter, such as ``name LIKE 'churn%'``, the newest first.

        Raises:
            UsageError: as :meth:`runs`.
        """
        _check_limit(max_results, _MOST_RUNS)
        conditions, orders = parse_filter(filter, EXPERIMENTS), parse_order(order_by, EXPERIMENTS)
        with self._book.read() as tx:
            ids, following = experiment_search.search_experiments(
                tx, conditions, orders, view=view, limit=max_results, token=token
            )
            return Page(items=tuple(tracked.read_experiments(tx, ids)), token=following)

    def logged_models(
        self,
        experiment_ids: Sequence[str],
        filter: str | None = None,
        *,
        datasets: Sequence[MeasuredOn] = (),
        order_by: Sequence[ModelOrder] = (),
        max_results: int = 100,
        token: str | None = None,
    ) -> Page[LoggedModel]:
        """Find logged models of experiments that meet a filter, the latest first.

        Args:
            experiment_ids: ids of experiments.
            filter: such as ``metrics.accuracy > 0.9 AND name = 'forest'``.
            datasets: metrics in the filter mean those measured on one of these.
            order_by: see :func:`mlwright.model.searching.parse_model_order`.
            max_results: models on the page, at most 50,000.
            token: of the page before.

        Raises:
            UsageError: as :meth:`runs`.
        """
        _check_limit(max_results, _MOST_RUNS)
        if len(datasets) > 100 or len(order_by) > 20:
            raise UsageError(
                "too many data sets or orders", why="at most 100 data sets and 20 orders are taken"
            )
        conditions = parse_filter(filter, LOGGED_MODELS)
        with self._book.read() as tx:
            ids, following = logged_model_search.search_logged_models(
                tx,
                _numbers(experiment_ids),
                conditions,
                order_by,
                datasets=datasets,
                limit=max_results,
                token=token,
            )
            return Page(items=tuple(logged.read_logged_models(tx, ids)), token=following)

    def datasets(self, experiment_ids: Sequence[str]) -> tuple[DatasetUse, ...]:
        """Find the data sets that runs of experiments used, at most 1,000.

        Raises:
            UsageError: no experiment or more than 20 are given, or an id is no number.
        """
        if not 0 < len(experiment_ids) <= _MOST_EXPERIMENTS_OF_DATASETS:
            raise UsageError(
                f"{len(experiment_ids)} experiments are given",
                where="experiment_ids",
                why=f"data sets of 1 to {_MOST_EXPERIMENTS_OF_DATASETS} experiments are searched at once",
            )
        with self._book.read() as tx:
            return tuple(experiment_search.search_datasets(tx, _numbers(experiment_ids)))

    def registered_models(
        self,
        filter: str | None = None,
        *,
        order_by: Sequence[str] = (),
        max_results: int = 100,
        token: str | None = None,
    ) -> Page[tuple[RegisteredModel, tuple[ModelVersion, ...]]]:
        """Find registered models by name and tags, each with its newest version in each stage, ordered by name.

        Raises:
            UsageError: as :meth:`runs`; a page has at most 1,000 models.
        """
        _check_limit(max_results, _MOST_MODELS)
        conditions, orders = parse_filter(filter, REGISTERED_MODELS), parse_order(order_by, REGISTERED_MODELS)
        with self._book.read() as tx:
            names, following = registry_search.search_models(
                tx, conditions, orders, compare=compare, limit=max_results, token=token
            )
            latest = registry_versions.latest_versions(tx, names)
            found = registry.read_models(tx, names)
        return Page(items=tuple((each, tuple(latest[each.name])) for each in found), token=following)

    def model_versions(
        self,
        filter: str | None = None,
        *,
        order_by: Sequence[str] = (),
        max_results: int = 10_000,
        token: str | None = None,
    ) -> Page[ModelVersion]:
        """Find model versions by name, number, run, source and tags, those changed last first.

        Raises:
            UsageError: as :meth:`runs`; a page has at most 200,000 versions.
        """
        _check_limit(max_results, _MOST_VERSIONS)
        conditions, orders = parse_filter(filter, MODEL_VERSIONS), parse_order(order_by, MODEL_VERSIONS)
        with self._book.read() as tx:
            keys, following = registry_search.search_versions(
                tx, conditions, orders, compare=compare, limit=max_results, token=token
            )
            return Page(items=tuple(registry.read_versions(tx, keys)), token=following)


def _check_limit(max_results: int, most: int) -> None:
    if not 0 < max_results <= most:
        raise UsageError(
            f"max_results is {max_results}", where="max_results", why=f"a page has 1 to {most:,} results"
        )


def _numbers(experiment_ids: Sequence[str]) -> list[int]:
    numbers = (tracked.experiment_number(each) for each in dict.fromkeys(experiment_ids))
    return [each for each in numbers if 0 <= each <= _LARGEST]
