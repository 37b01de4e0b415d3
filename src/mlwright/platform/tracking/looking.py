"""Looking: what the pages show about experiments, runs and versions beyond the calls of the protocol."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from mlwright.errors import NotFound
from mlwright.model.evidence import Evidence, Outcome, Proof, overall
from mlwright.model.ids import ModelName, RunId
from mlwright.model.ledger import Node, Trace
from mlwright.model.registry import ModelVersion
from mlwright.model.tracking import MetricSummary, Run, RunRecord
from mlwright.platform.tracking.book import Book
from mlwright.stages.ledger import store as ledger
from mlwright.stages.registry import evidence
from mlwright.stages.registry import store as registry
from mlwright.stages.tracking import store as tracked
from mlwright.stages.tracking.experiments import experiment_number
from mlwright.stages.tracking.history import read_summaries
from mlwright.stages.tracking.overview import KeysInUse, RunCount, count_runs, keys_in_use
from mlwright.stages.tracking.records import read_records
from mlwright.stages.tracking.runs import find_run

_LATEST = 300
"""Runs whose keys can be chosen as columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A run in both words: as clients know it, and as pipelines do, with its metrics' ranges."""

    record: RunRecord
    run: Run
    summaries: tuple[MetricSummary, ...]
    trace: Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFacts:
    """A version with what was found out about it: the newest of each kind, and what that comes to.

    ``outcome`` is None where nothing was found out yet.
    """

    version: ModelVersion
    evidence: tuple[Evidence, ...]
    proof: Proof | None
    outcome: Outcome | None


class LookingJourney:
    """Looking: what the pages show about experiments, runs and versions beyond the calls of the protocol."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def counts(self, experiments: Sequence[str]) -> dict[str, RunCount]:
        """How many runs each experiment has.

        Raises:
            UsageError: an id is no number.
        """
        numbers = [experiment_number(each) for each in experiments]
        with self._book.read() as tx:
            found = count_runs(tx, numbers)
        return {str(number): count for number, count in found.items()}

    def keys(self, experiment: str) -> KeysInUse:
        """Keys of metrics, params and tags that the latest 300 runs of an experiment have.

        Raises:
            UsageError: the id is no number.
        """
        with self._book.read() as tx:
            return keys_in_use(tx, experiment_number(experiment), _LATEST)

    def run(self, run: RunId) -> RunFacts:
        """Everything about one run.

        Raises:
            NotFound: there is no such run; the error names a near one.
        """
        with self._book.read() as tx:
            number = find_run(tx, run).number
            return RunFacts(
                record=read_records(tx, [number])[0],
                run=tracked.get_run(tx, run),
                summaries=read_summaries(tx, [number])[number],
                trace=ledger.trace(tx, Node(kind="run", id=run)),
            )

    def runs(
        self, runs: Sequence[RunId]
    ) -> tuple[tuple[tuple[RunRecord, Mapping[str, MetricSummary]], ...], tuple[RunId, ...]]:
        """Several runs in the order given, each with its metrics by key, and the ids of those that are not there."""
        missing: list[RunId] = []
        numbers: list[int] = []
        with self._book.read() as tx:
            for run in dict.fromkeys(runs):
                try:
                    numbers.append(find_run(tx, run).number)
                except NotFound:
                    missing.append(run)
            records = read_records(tx, numbers)
            summaries = read_summaries(tx, numbers)
        found = zip(records, (summaries[number] for number in numbers), strict=True)
        return tuple((record, {each.key: each for each in own}) for record, own in found), tuple(missing)

    def version(self, ref: str) -> tuple[VersionFacts, Trace]:
        """One version, what was found out about it, and its lineage.

        Raises:
            UsageError: the text is no reference.
            NotFound: there is no such version; the error names a near one.
        """
        with self._book.read() as tx:
            version = registry.resolve(tx, ref)
        return self.evidence([version])[0], self.trace(Node(kind="model", id=version.ref))

    def versions(self, model: str) -> tuple[ModelVersion, ...]:
        """All versions of a model, the newest first; none where there is no such model."""
        with self._book.read() as tx:
            found = registry.list_versions(tx, ModelName(model))
        return tuple(sorted(found, key=lambda each: -each.version))

    def evidence(self, versions: Sequence[ModelVersion]) -> tuple[VersionFacts, ...]:
        """What was found out about each of some versions."""
        found: list[VersionFacts] = []
        with self._book.read() as tx:
            for each in versions:
                rows = evidence.latest_evidence(tx, each.model, each.version)
                proof = None
                with suppress(NotFound):
                    proof = evidence.proof_state(tx, each.model, each.version)
                outcome = overall([row.outcome for row in rows]) if rows else None
                found.append(VersionFacts(version=each, evidence=rows, proof=proof, outcome=outcome))
        return tuple(found)

    def trace(self, node: Node) -> Trace:
        """What a thing came from and what came from it; without edges where nothing is recorded."""
        with self._book.read() as tx:
            return ledger.trace(tx, node)
