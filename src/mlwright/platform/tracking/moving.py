"""Moving in: what another tracking tool kept becomes experiments, runs and models of ours.

Every step can be done twice: runs have ids that follow from the source, histories are compared point by point, files by
path and size. Whoever is killed in the middle calls again. Nothing is ever taken away or turned back here: what was
changed here since the last time (an alias, a deletion) stays as it is.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import Final

from sqlalchemy import Connection

from mlwright.errors import NotFound, UsageError
from mlwright.model.ids import RunId
from mlwright.model.ledger import Edge, Node
from mlwright.model.moving import (
    ForeignExperiment,
    ForeignFile,
    ForeignRun,
    MoveProgress,
    MoveReport,
)
from mlwright.model.tracking import History
from mlwright.platform.tracking.artifacts import ArtifactJourney
from mlwright.platform.tracking.book import Book
from mlwright.platform.tracking.moved import (
    FROM,
    ID,
    INCOMPLETE,
    MARK,
    PARENT,
    STATE,
    Move,
    derived_id,
)
from mlwright.platform.tracking.moving_models import carry_logged_models, carry_models
from mlwright.ports.foreign_store import ForeignStore
from mlwright.stages.ledger import store as ledger
from mlwright.stages.tracking import inputs, moving, runs
from mlwright.stages.tracking.experiments import write_experiment_tags
from mlwright.stages.tracking.history import append_history
from mlwright.stages.tracking.runs import RunKey

_POINTS_AT_ONCE: Final = 200_000
"""Points of one transaction, about: other writers wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A run that is being carried."""

    id: RunId
    key: RunKey
    root: str


class ImportJourney:
    """Moves what another tool kept into this store."""

    def __init__(self, book: Book, artifacts: ArtifactJourney) -> None:
        self._book = book
        self._artifacts = artifacts

    def look(self, store: ForeignStore, *, experiments: Sequence[str] = ()) -> MoveReport:
        """What :meth:`carry` would do, as far as that is known without reading histories and artifacts.

        Raises:
            ServerUnavailable: the source cannot be reached or read.
            NotFound: it has no experiment of one of the names.
        """
        move = self._move(store, experiments, None)
        for experiment in move.facts.experiments:
            if move.wants(experiment.name):
                move.count("experiments", 1)
        for run in store.runs():
            if move.wants(run.experiment):
                _, known = self._place(move, run)
                new = known is None
                move.count("runs", int(new), int(not new))
                move.count("params", len(run.params) if new else 0, 0 if new else len(run.params))
        for model in () if move.is_partial else store.models():
            move.count("registered models", 1)
            move.count("model versions", len(model.versions))
        return move.report(dry=True)

    def carry(
        self,
        store: ForeignStore,
        *,
        experiments: Sequence[str] = (),
        on_progress: Callable[[MoveProgress], None] | None = None,
    ) -> MoveReport:
        """Carry everything that is not here yet; whoever is interrupted calls again.

        Args:
            store: where from.
            experiments: the names of those to carry; all of them without.
            on_progress: told after every run and artifact.

        Raises:
            ServerUnavailable: the source cannot be reached or read, or cannot be any more.
            NotFound: it has no experiment of one of the names.
        """
        move = self._move(store, experiments, on_progress)
        try:
            numbers = self._carry_experiments(move)
            for run in store.runs():
                if move.wants(run.experiment):
                    self._carry_run(move, run, numbers)
                    move.say(run.name)
            carry_logged_models(move, lambda name: self._number(move, numbers, name))
            carry_models(move)
        finally:
            self._note(move)
        return move.report()

    def _move(
        self,
        store: ForeignStore,
        experiments: Sequence[str],
        on_progress: Callable[[MoveProgress], None] | None,
    ) -> Move:
        move = Move(self._book, self._artifacts, store, experiments, on_progress)
        known = [each.name for each in move.facts.experiments]
        for name in experiments:
            if name not in known:
                raise NotFound.named("experiment of the source", name, known, "mlwright import … --dry-run")
        return move

    def _note(self, move: Move) -> None:
        """Leave an audit row where anything came over, whether it ended well or not."""
        counts = {kind: count for kind, count in move.new.items() if count}
        if counts:
            with self._book.write() as tx:
                self._book.audit(tx, "import", move.origin, **counts)

    def _carry_experiments(self, move: Move) -> dict[str, int]:
        numbers: dict[str, int] = {}
        for each in move.facts.experiments:
            if move.wants(each.name):
                numbers[each.name] = self._put_experiment(move, each)
        return numbers

    def _number(self, move: Move, numbers: dict[str, int], name: str) -> int:
        """The number of an experiment; a run may name one that the source did not list."""
        if name not in numbers:
            numbers[name] = self._put_experiment(move, ForeignExperiment(name=name))
        return numbers[name]

    def _put_experiment(self, move: Move, foreign: ForeignExperiment) -> int:
        tags = move.texts(foreign.tags.items(), "tag", foreign.name)
        plain = ForeignExperiment(name=foreign.name, tags=tags, deleted=foreign.deleted)
        with self._book.write() as tx:
            number, made = moving.put_experiment(tx, plain, self._book.clock.now(), mark=FROM)
            if made:
                write_experiment_tags(tx, number, {FROM: move.origin})
        move.count("experiments", int(made), int(not made))
        return number

    def _place(self, move: Move, run: ForeignRun) -> tuple[RunId, moving.KnownRun | None]:
        """The id that a run gets here, and the run when it is here already.

        A run that has its id and began in the same millisecond is the same one. Any other keeps the id, and this one
        gets one that follows from its start too.
        """
        id = move.run_id(run.id)
        with self._book.read() as tx:
            known = moving.find_known_run(tx, id, MARK)
            if known is not None and known.started_ms != run.started_ms:
                id = RunId(derived_id(move.facts.tool, run.id, run.started_ms))
                known = moving.find_known_run(tx, id, MARK)
        move.ids[run.id] = id
        return id, known

    def _carry_run(self, move: Move, run: ForeignRun, numbers: dict[str, int]) -> None:
        id, known = self._place(move, run)
        state = sha256(repr(run).encode("utf-8", "replace")).hexdigest()[:32]
        unchanged = known is not None and known.marks.get(STATE) == state and INCOMPLETE not in known.marks
        own = known is not None and FROM not in known.marks
        move.count("runs", int(known is None), int(known is not None))
        if own:
            return  # It began here, and whoever exported it once now sees it again.
        skips = unchanged and bool(run.state)
        batches = iter(() if skips else _batches(move.store.histories(run.id)))
        first, second = next(batches, ()), next(batches, None)
        files = iter(move.store.files(run.id))
        file = next(files, None)
        small = second is None and file is None
        experiment = self._number(move, numbers, run.experiment)
        with self._book.write() as tx:
            begun = self._begin(tx, move, run, id, known, experiment)
            if not small:
                runs.write_tags(
                    tx, begun.key.number, {INCOMPLETE: "histories and artifacts are on their way"}
                )
            self._log(tx, move, begun, first)
            if small:
                self._settle(tx, begun, state)
        if small:
            return
        for batch in chain([second] if second else [], batches):
            with self._book.write() as tx:
                self._log(tx, move, begun, batch)
            move.say(run.name)
        if file is not None:
            move.carry_files(run.id, begun.root, _chained(file, files))
        with self._book.write() as tx:
            self._settle(tx, begun, state)

    def _begin(
        self,
        tx: Connection,
        move: Move,
        run: ForeignRun,
        id: RunId,
        known: moving.KnownRun | None,
        experiment: int,
    ) -> _Begun:
        """Write everything of a run but histories and artifacts."""
        now = self._book.clock.now()
        if known is None:
            number = moving.put_run(tx, id, run, experiment=experiment, at=now)
            cause = Node(kind=move.facts.tool, id=f"{move.facts.source}#{run.id}")
            ledger.add_edges(
                tx, [Edge(effect=Node(kind="run", id=id), relation="imported from", cause=cause)]
            )
        else:
            number, experiment = known.number, known.experiment
            moving.renew_run(tx, number, run, now)
        params = move.texts(run.params.items(), "param", run.id)
        before = moving.read_params(tx, number) if known else {}
        for key, value in params.items():
            if before.get(key, value) != value:
                move.leave("a changed param", f"{run.id}: {key}", "a param that is here never changes")
        runs.write_params(tx, number, {key: value for key, value in params.items() if key not in before})
        move.count("params", len(params.keys() - before.keys()), len(params.keys() & before.keys()))
        runs.write_tags(tx, number, self._tags(move, run))
        move.count("tags", len(run.tags) if known is None else 0, 0 if known is None else len(run.tags))
        place = RunKey(number=number, experiment=experiment, deleted=False)
        self._link(tx, move, run, place, new=known is None)
        root = known.artifact_root if known else f"mlflow-artifacts:/{experiment}/{id}/artifacts"
        return _Begun(id=id, key=place, root=root)

    def _tags(self, move: Move, run: ForeignRun) -> dict[str, str]:
        tags = move.texts(run.tags.items(), "tag", run.id)
        if run.actor and move.facts.tool != "mlflow":  # where a run without the tag has none on purpose
            tags.setdefault("mlflow.user", run.actor)
        if run.parent:
            tags[PARENT] = move.run_id(run.parent)
        return {**tags, runs.RUN_NAME: run.name, FROM: move.origin, ID: run.id}

    def _link(self, tx: Connection, move: Move, run: ForeignRun, key: RunKey, *, new: bool) -> None:
        """Record the data sets and logged models that a run used and made."""
        for each in run.inputs:
            try:
                inputs.add_inputs(tx, key, [each])
            except UsageError as fault:
                move.leave("a data set", f"{run.id}: {each.dataset.name}", fault.what)
        move.count("datasets", len(run.inputs) if new else 0, 0 if new else len(run.inputs))
        inputs.add_model_inputs(tx, key, run.model_inputs)
        inputs.add_outputs(tx, key, run.outputs)

    def _log(self, tx: Connection, move: Move, begun: _Begun, batch: Iterable[History]) -> None:
        for each in batch:
            kept = move.key(each.key, "metric", begun.id)
            history = History(key=kept, steps=each.steps, at_ms=each.at_ms, values=each.values)
            new = append_history(tx, begun.key.number, history)
            move.count("points", new, len(each.steps) - new)
            move.count("metrics", int(new > 0), int(new == 0))

    def _settle(self, tx: Connection, begun: _Begun, state: str) -> None:
        """Say that a run is here whole."""
        runs.write_tags(tx, begun.key.number, {STATE: state})
        runs.drop_tag(tx, begun.key.number, INCOMPLETE)


def _batches(histories: Iterator[History]) -> Iterator[list[History]]:
    """Histories in groups of some 200,000 points: one transaction each."""
    batch: list[History] = []
    points = 0
    for each in histories:
        batch.append(each)
        points += len(each.steps)
        if points >= _POINTS_AT_ONCE or len(batch) >= 500:
            yield batch
            batch, points = [], 0
    if batch:
        yield batch


def _chained(first: ForeignFile, others: Iterator[ForeignFile]) -> Iterator[ForeignFile]:
    yield first
    yield from others
