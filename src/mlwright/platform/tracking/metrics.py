"""Metrics: log them, read their history whole, sampled, or of many runs."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection

from mlwright.errors import BadRequest, NotFound, UsageError
from mlwright.model.ids import RunId
from mlwright.model.tracking import History, Metric
from mlwright.platform.tracking.book import Book
from mlwright.stages.tracking.batches import check_batch, check_metrics
from mlwright.stages.tracking.history import append_metrics, read_history
from mlwright.stages.tracking.logged_models import write_model_metrics
from mlwright.stages.tracking.runs import find_run, write_params, write_tags
from mlwright.stages.tracking.sampling import between, by_instant, cut, evenly, with_extremes, within


class MetricJourney:
    """Metrics: log them, read their history whole, sampled, or of many runs."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def log(self, run: RunId, metric: Metric) -> None:
        """Append one point; where it names a logged model, that one has it too.

        Raises:
            NotFound: there is no such run or logged model.
            UsageError: the run is deleted, or the metric cannot be one.
        """
        check_metrics([metric], several=False)
        with self._book.write() as tx:
            append_metrics(tx, find_run(tx, run, active=True).number, [metric])
            write_model_metrics(tx, run, [metric])

    def log_batch(
        self,
        run: RunId,
        *,
        metrics: Sequence[Metric] = (),
        params: Sequence[tuple[str, str]] = (),
        tags: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Record points, params and tags of a run: all of them, or none when one of them is refused.

        Raises:
            NotFound: there is no such run or logged model.
            UsageError: the run is deleted, one of it cannot be recorded, a param would change, or it is too much.
        """
        check_batch(metrics, params, tags)
        with self._book.write() as tx:
            number = find_run(tx, run, active=True).number
            write_params(tx, number, dict(params))
            append_metrics(tx, number, metrics)
            write_model_metrics(tx, run, metrics)
            write_tags(tx, number, dict(tags))

    def history(self, run: RunId, key: str) -> History:
        """All points of one metric by step; empty where the run has none of that name.

        Raises:
            NotFound: there is no such run.
        """
        with self._book.read() as tx:
            return read_history(tx, find_run(tx, run).number, key)

    def page(
        self, run: RunId, key: str, *, most: int | None = None, token: str | None = None
    ) -> tuple[History, str | None]:
        """Some points of one metric by instant, and the token of those that follow them.

        Args:
            run: the run.
            key: the metric.
            most: points of this page; all that are left unless given.
            token: what the page before gave.

        Raises:
            NotFound: there is no such run.
            UsageError: ``most`` is not positive, or the token is none of ours.
        """
        if most is not None and most <= 0:
            raise UsageError(
                f"Invalid value {most} for parameter 'max_results' supplied. It must be a positive integer."
            )
        start = _offset(token)
        history = by_instant(self.history(run, key))
        stop = len(history.steps) if most is None else start + most
        following = _token(stop) if stop < len(history.steps) else None
        return cut(history, start, stop), following

    def histories(self, runs: Sequence[RunId], key: str, most: int) -> list[tuple[RunId, History]]:
        """The points of one metric of several runs, by the run's id, then instant.

        Runs that are not there are left out.

        Args:
            runs: the runs.
            key: the metric.
            most: points of all runs together.
        """
        found = []
        with self._book.read() as tx:
            for run, history in _each(tx, sorted(set(runs)), key):
                if most <= 0:
                    break
                found.append((run, cut(by_instant(history), 0, most)))
                most -= len(history.steps)
        return found

    def sampled(
        self, runs: Sequence[RunId], key: str, *, most: int, first: int | None = None, last: int | None = None
    ) -> list[tuple[RunId, History]]:
        """Evenly spread points of one metric of several runs, as MLflow's charts ask for them.

        Args:
            runs: the runs; those that are not there are left out.
            key: the metric.
            most: points of each run.
            first: the first step, when a range is asked for.
            last: the last step of it.
        """
        with self._book.read() as tx:
            return [
                (
                    run,
                    evenly(history if first is None or last is None else between(history, first, last), most),
                )
                for run, history in _each(tx, runs, key)
            ]

    def series(
        self,
        runs: Sequence[RunId],
        key: str,
        points: int,
        *,
        steps: tuple[int, int] | None = None,
        instants: Mapping[RunId, tuple[int, int]] | None = None,
    ) -> list[tuple[RunId, History]]:
        """What a chart of one metric of several runs needs: at most so many points a run, no peak lost.

        Runs that are not there are left out. See :func:`mlwright.stages.tracking.sampling.with_extremes`.

        Args:
            runs: the runs.
            key: the metric.
            points: of each run.
            steps: the first and last step, when a range is asked for.
            instants: the first and last instant of each run in milliseconds, for a chart over time; the points are by
                instant then.

        Raises:
            UsageError: ``points`` is less than 4.
        """
        if points < 4:
            raise UsageError(f"a chart of {points} points cannot be drawn: ask for 4 or more")
        found = []
        with self._book.read() as tx:
            for run, history in _each(tx, runs, key):
                if instants is not None:
                    history = by_instant(history)
                    history = within(history, *instants[run]) if run in instants else history
                if steps is not None:
                    history = between(history, *steps)
                found.append((run, with_extremes(history, points)))
        return found


def _each(tx: Connection, runs: Sequence[RunId], key: str) -> Iterator[tuple[RunId, History]]:
    """One history after the other: two hundred long ones together would not fit into memory."""
    for run in runs:
        try:
            number = find_run(tx, run).number
        except NotFound:
            continue
        yield run, read_history(tx, number, key)


def _token(offset: int) -> str:
    """A token of the form that MLflow's own have."""
    return base64.b64encode(json.dumps({"offset": offset}).encode()).decode()


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        offset = json.loads(base64.b64decode(token, validate=True))["offset"]
        if isinstance(offset, int) and offset >= 0:
            return offset
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise BadRequest("Invalid page token, could not base64-decode", where="page_token")
