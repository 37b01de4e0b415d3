"""Runs of this store in the words of a move, for whoever reads them: an export, or a server that they are sent to."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final

from sqlalchemy import Connection

from mlwright.model.ids import RunId
from mlwright.model.moving import ForeignExperiment, ForeignFacts, ForeignRun
from mlwright.model.tracking import Experiment, History, Lifecycle, RunRecord
from mlwright.platform.tracking.moved import PARENT, STATE
from mlwright.stages.tracking import moving
from mlwright.stages.tracking.experiments import read_experiments
from mlwright.stages.tracking.history import read_history, read_summaries
from mlwright.stages.tracking.records import read_records
from mlwright.stages.tracking.runs import find_run

RUNS_AT_ONCE: Final = 200


class OurRuns:
    """The runs of this store, as :class:`mlwright.ports.foreign_store.ForeignStore` tells runs.

    Args:
        read: opens a connection to read with.
    """

    def __init__(self, read: Callable[[], AbstractContextManager[Connection]]) -> None:
        self.read = read

    def about(self) -> ForeignFacts:
        """See ``ForeignStore.about``."""
        known = self.experiments()
        with self.read() as tx:
            count = len(moving.list_runs(tx))
        return ForeignFacts(
            tool="mlwright",
            source="this store",
            experiments=tuple(foreign_experiment(each) for each in known.values()),
            runs=count,
        )

    def runs(self) -> Iterator[ForeignRun]:
        """See ``ForeignStore.runs``: as they were begun, so that parents come first."""
        known = self.experiments()
        with self.read() as tx:
            numbers = moving.list_runs(tx)
        for first in range(0, len(numbers), RUNS_AT_ONCE):
            with self.read() as tx:
                found = read_records(tx, numbers[first : first + RUNS_AT_ONCE])
            yield from (foreign_run(each, known[each.experiment_id].name) for each in found)

    def run(self, id: RunId) -> tuple[ForeignRun, ForeignExperiment]:
        """One run with its experiment.

        Raises:
            NotFound: there is no such run.
        """
        with self.read() as tx:
            key = find_run(tx, id)
            record = read_records(tx, [key.number])[0]
            experiment = read_experiments(tx, [key.experiment])[0]
        return foreign_run(record, experiment.name), foreign_experiment(experiment)

    def histories(self, run: str) -> Iterator[History]:
        """See ``ForeignStore.histories``."""
        with self.read() as tx:
            number = find_run(tx, RunId(run)).number
            keys = [each.key for each in read_summaries(tx, [number])[number]]
        for key in sorted(keys):
            with self.read() as tx:
                history = read_history(tx, number, key)
            yield history

    def experiments(self) -> dict[str, Experiment]:
        """All experiments by id, deleted ones too."""
        with self.read() as tx:
            return {each.id: each for each in read_experiments(tx, moving.list_experiments(tx))}


def foreign_experiment(experiment: Experiment) -> ForeignExperiment:
    """An experiment of ours, in the words of a move."""
    return ForeignExperiment(
        name=experiment.name,
        tags=experiment.tags,
        deleted=experiment.lifecycle is Lifecycle.DELETED,
        created_ms=int(experiment.created.timestamp() * 1000),
    )


def foreign_run(record: RunRecord, experiment: str) -> ForeignRun:
    """A run of ours, in the words of a move."""
    return ForeignRun(
        id=record.id,
        experiment=experiment,
        name=record.name,
        status=record.status,
        started_ms=record.started_ms,
        ended_ms=record.ended_ms,
        actor=record.actor,
        params=record.params,
        tags={key: value for key, value in record.tags.items() if key != STATE},
        inputs=record.inputs,
        outputs=record.outputs,
        parent=record.tags.get(PARENT),
        deleted=record.lifecycle is Lifecycle.DELETED,
        model_inputs=record.model_inputs,
    )
