"""Runs: begin, end, look at, record, delete, restore."""

from collections.abc import Mapping, Sequence

from mlwright.errors import UsageError
from mlwright.model.ids import RunId
from mlwright.model.instants import to_micros
from mlwright.model.ledger import Edge, Node
from mlwright.model.tracking import DatasetInput, ModelOutput, RunRecord, RunStatus
from mlwright.platform.tracking.book import Book
from mlwright.stages.ledger import store as ledger
from mlwright.stages.tracking import inputs, runs
from mlwright.stages.tracking.experiments import find_experiment
from mlwright.stages.tracking.records import read_records

_MODEL_FIELDS = ("artifact_path", "flavors", "utc_time_created", "run_id")


class RunJourney:
    """Runs: begin, end, look at, record, delete, restore."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def create(
        self,
        experiment: str,
        *,
        name: str | None = None,
        actor: str = "",
        started_ms: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> RunRecord:
        """Begin a run.

        Args:
            experiment: id of its experiment.
            name: its name; that of the tag ``mlflow.runName``, or one made up, unless given.
            actor: who began it.
            started_ms: when it began; now unless given.
            tags: its first tags.

        Raises:
            NotFound: there is no such experiment.
            UsageError: the experiment is deleted, a tag cannot be one, or name and tag differ.
        """
        now_ms = self._book.now_ms()
        run = runs.new_protocol_id(now_ms)
        with self._book.write() as tx:
            number = runs.add_run(
                tx,
                run,
                experiment=find_experiment(tx, experiment, active=True),
                name=name,
                started_ms=now_ms if started_ms is None else started_ms,
                actor=actor,
                values=tags or {},
            )
            return read_records(tx, [number])[0]

    def get(self, run: RunId) -> RunRecord:
        """A run with everything recorded about it, deleted or not.

        Raises:
            NotFound: there is no such run; the error names a near one.
        """
        with self._book.read() as tx:
            return read_records(tx, [runs.find_run(tx, run).number])[0]

    def update(
        self,
        run: RunId,
        *,
        status: RunStatus | None = None,
        ended_ms: int | None = None,
        name: str | None = None,
    ) -> RunRecord:
        """Change status, end or name of a run.

        Raises:
            NotFound: there is no such run.
            UsageError: it is deleted.
        """
        with self._book.write() as tx:
            number = runs.find_run(tx, run, active=True).number
            runs.change_run(tx, number, status=status, ended_ms=ended_ms, name=name)
            return read_records(tx, [number])[0]

    def delete(self, run: RunId) -> None:
        """Mark a run as deleted; it can be restored until it is collected.

        Raises:
            NotFound: there is no such run.
        """
        with self._book.write() as tx:
            number = runs.find_run(tx, run).number
            runs.mark_run(tx, number, deleted_at=to_micros(self._book.clock.now()))
            self._book.audit(tx, "run.delete", run)

    def restore(self, run: RunId) -> None:
        """Take back the deletion of a run.

        Raises:
            NotFound: there is no such run.
        """
        with self._book.write() as tx:
            runs.mark_run(tx, runs.find_run(tx, run).number, deleted_at=None)
            self._book.audit(tx, "run.restore", run)

    def log_params(self, run: RunId, values: Mapping[str, str]) -> None:
        """Record params; one that is there must have the same value.

        Raises:
            NotFound: there is no such run.
            UsageError: the run is deleted, a key cannot be one, or a param has another value; nothing was recorded.
        """
        with self._book.write() as tx:
            runs.write_params(tx, runs.find_run(tx, run, active=True).number, values)

    def set_tags(self, run: RunId, values: Mapping[str, str]) -> None:
        """Set tags; the tag ``mlflow.runName`` changes the run's name too.

        Raises:
            NotFound: there is no such run.
            UsageError: the run is deleted, a key cannot be one, or a value is too long.
        """
        with self._book.write() as tx:
            runs.write_tags(tx, runs.find_run(tx, run, active=True).number, values)

    def delete_tag(self, run: RunId, key: str) -> None:
        """Remove a tag.

        Raises:
            NotFound: there is no such run, or it has no such tag.
            UsageError: the run is deleted.
        """
        with self._book.write() as tx:
            runs.remove_tag(tx, runs.find_run(tx, run, active=True).number, run, key)

    def log_inputs(self, run: RunId, used: Sequence[DatasetInput], models: Sequence[str] = ()) -> None:
        """Record which data sets and which logged models a run used.

        Raises:
            NotFound: there is no such run.
            UsageError: the run is deleted, or a data set has no name or no digest.
        """
        with self._book.write() as tx:
            found = runs.find_run(tx, run, active=True)
            inputs.add_inputs(tx, found, used)
            inputs.add_model_inputs(tx, found, models)
            this = Node(kind="run", id=run)
            data = [Node(kind="dataset", id=f"{each.dataset.name}@{each.dataset.digest}") for each in used]
            known = [Node(kind="logged-model", id=each) for each in models]
            ledger.add_edges(tx, [Edge(effect=this, relation="read", cause=each) for each in data])
            ledger.add_edges(tx, [Edge(effect=this, relation="used", cause=each) for each in known])

    def log_outputs(self, run: RunId, made: Sequence[ModelOutput]) -> None:
        """Record which logged models a run made.

        Raises:
            NotFound: there is no such run.
            UsageError: the run is deleted.
        """
        with self._book.write() as tx:
            inputs.add_outputs(tx, runs.find_run(tx, run, active=True), made)
            ledger.add_edges(tx, [logged_by(each.model, run) for each in made])

    def record_model(self, run: RunId, model: Mapping[str, object]) -> None:
        """Record a model in the tag where clients before MLflow 3 look for the models of a run.

        Args:
            run: the run that logged it.
            model: its description, as in its file ``MLmodel``.

        Raises:
            NotFound: there is no such run.
            UsageError: the run is deleted, or the description lacks a field.
        """
        missing = [name for name in _MODEL_FIELDS if name not in model]
        if missing:
            raise UsageError(f"Model json is missing mandatory fields: {', '.join(missing)}")
        with self._book.write() as tx:
            runs.append_model(tx, runs.find_run(tx, run, active=True).number, model)


def logged_by(model: str, run: RunId) -> Edge:
    """That a run logged a model."""
    return Edge(
        effect=Node(kind="logged-model", id=model), relation="logged by", cause=Node(kind="run", id=run)
    )
