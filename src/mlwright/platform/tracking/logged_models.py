"""Logged models: what a run logged before anybody registers it."""

from collections.abc import Mapping

from mlwright.model.ids import RunId
from mlwright.model.instants import to_micros
from mlwright.model.tracking import LoggedModel, LoggedModelStatus
from mlwright.platform.tracking.book import Book
from mlwright.platform.tracking.runs import logged_by
from mlwright.stages.ledger import store as ledger
from mlwright.stages.tracking.experiments import find_experiment
from mlwright.stages.tracking.logged_models import (
    add_logged_model,
    change_status,
    find_logged_model,
    mark_logged_model,
    read_logged_models,
    remove_logged_model_tag,
    write_logged_model_params,
    write_logged_model_tags,
)


class LoggedModelJourney:
    """Logged models: what a run logged before anybody registers it."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def create(
        self,
        experiment: str,
        *,
        name: str | None = None,
        source_run: RunId | None = None,
        model_type: str | None = None,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> LoggedModel:
        """Begin a logged model; its files follow, and then :meth:`finish`.

        Args:
            experiment: the id of the experiment.
            name: its name, which need not be unique; one is made up unless given.
            source_run: the run that logs it.
            model_type: what the client calls its kind.
            params: its first params.
            tags: its first tags.

        Raises:
            NotFound: there is no such experiment.
            UsageError: the experiment is deleted, or the name, a param or a tag cannot be one.
        """
        with self._book.write() as tx:
            id = add_logged_model(
                tx,
                experiment=find_experiment(tx, experiment, active=True),
                name=name,
                at_ms=self._book.now_ms(),
                source_run=source_run,
                model_type=model_type,
                params=params,
                tags=tags,
            )
            if source_run:
                ledger.add_edges(tx, [logged_by(id, source_run)])
            return read_logged_models(tx, [id])[0]

    def get(self, id: str, *, deleted: bool = False) -> LoggedModel:
        """One logged model with everything recorded about it.

        Args:
            id: its id.
            deleted: whether it may be a deleted one.

        Raises:
            NotFound: there is none, or it is deleted and must not be.
        """
        with self._book.read() as tx:
            find_logged_model(tx, id, deleted=deleted)
            return read_logged_models(tx, [id])[0]

    def finish(self, id: str, status: LoggedModelStatus, message: str | None = None) -> LoggedModel:
        """Say how far the model is: ready, or failed and why.

        Raises:
            NotFound: there is no such logged model.
        """
        with self._book.write() as tx:
            find_logged_model(tx, id)
            change_status(tx, id, status, self._book.now_ms(), message)
            return read_logged_models(tx, [id])[0]

    def log_params(self, id: str, values: Mapping[str, str]) -> None:
        """Record params, which never change.

        Raises:
            NotFound: there is no such logged model.
            UsageError: a param cannot be one, or has another value already.
        """
        with self._book.write() as tx:
            find_logged_model(tx, id)
            write_logged_model_params(tx, id, values)

    def set_tags(self, id: str, values: Mapping[str, str]) -> None:
        """Set tags; one that is there gets the new value.

        Raises:
            NotFound: there is no such logged model.
            UsageError: a tag cannot be one.
        """
        with self._book.write() as tx:
            find_logged_model(tx, id)
            write_logged_model_tags(tx, id, values)

    def delete_tag(self, id: str, key: str) -> None:
        """Remove a tag.

        Raises:
            NotFound: there is no such logged model, or no such tag of it.
        """
        with self._book.write() as tx:
            find_logged_model(tx, id)
            remove_logged_model_tag(tx, id, key)

    def delete(self, id: str) -> None:
        """Mark a logged model as deleted; what it has goes when it is collected.

        Raises:
            NotFound: there is no such logged model.
        """
        with self._book.write() as tx:
            find_logged_model(tx, id)
            at = to_micros(self._book.clock.now())
            mark_logged_model(tx, id, deleted_at=at)
            self._book.audit(tx, "logged-model.delete", id)
