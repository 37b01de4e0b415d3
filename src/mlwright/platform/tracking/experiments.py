"""Experiments: make, find, rename, tag, delete, restore; and what collects the deleted ones."""

from collections.abc import Mapping
from datetime import timedelta

from mlwright.errors import UsageError
from mlwright.model.instants import to_micros
from mlwright.model.tracking import Experiment, Removed
from mlwright.platform.tracking.book import Book
from mlwright.stages.tracking import collection, experiments


class ExperimentJourney:
    """Experiments: make, find, rename, tag, delete, restore."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def create(
        self, name: str, *, artifact_root: str | None = None, tags: Mapping[str, str] | None = None
    ) -> str:
        """Make an experiment, and return its id.

        Args:
            name: its name; no other experiment, deleted ones included, may have it.
            artifact_root: where artifacts of its runs go, unless with us.
            tags: its first tags.

        Raises:
            UsageError: the name, the place or a tag cannot be one.
            AlreadyExists: another experiment has the name.
        """
        with self._book.write() as tx:
            number = experiments.create_experiment(
                tx, name, self._book.clock.now(), artifact_root=artifact_root, tags=tags
            )
            self._book.audit(tx, "experiment.create", str(number), name=name)
        return str(number)

    def get(self, id: str) -> Experiment:
        """An experiment by its id, deleted or not.

        Raises:
            UsageError: the id is no number.
            NotFound: there is no such experiment.
        """
        with self._book.read() as tx:
            return experiments.read_experiments(tx, [experiments.find_experiment(tx, id)])[0]

    def get_by_name(self, name: str) -> Experiment:
        """An experiment by its name, deleted or not.

        Raises:
            NotFound: there is no such experiment.
        """
        with self._book.read() as tx:
            return experiments.named_experiment(tx, name)

    def rename(self, id: str, name: str) -> None:
        """Give an experiment another name.

        Raises:
            UsageError: the id or the name cannot be one.
            NotFound: there is no such experiment.
            Conflict: it is deleted.
            AlreadyExists: another experiment has the name.
        """
        with self._book.write() as tx:
            experiments.rename_experiment(tx, id, name, self._book.clock.now())
            self._book.audit(tx, "experiment.rename", id, name=name)

    def delete(self, id: str) -> None:
        """Mark an experiment and all of its runs as deleted; they can be restored until they are collected.

        Raises:
            UsageError: the id is no number.
            NotFound: there is no such experiment, or it is deleted already.
        """
        with self._book.write() as tx:
            experiments.delete_experiment(tx, id, self._book.clock.now())
            self._book.audit(tx, "experiment.delete", id)

    def restore(self, id: str) -> None:
        """Take back the deletion of an experiment and of all of its runs.

        Raises:
            UsageError: the id is no number.
            NotFound: there is no such experiment, or it is not deleted.
        """
        with self._book.write() as tx:
            experiments.restore_experiment(tx, id, self._book.clock.now())
            self._book.audit(tx, "experiment.restore", id)

    def set_tags(self, id: str, values: Mapping[str, str]) -> None:
        """Set tags of an experiment.

        Raises:
            UsageError: the experiment is deleted, a key cannot be one, or a value is too long.
            NotFound: there is no such experiment.
        """
        with self._book.write() as tx:
            number = experiments.find_experiment(tx, id, active=True)
            experiments.write_experiment_tags(tx, number, values)

    def delete_tag(self, id: str, key: str) -> None:
        """Remove a tag of an experiment.

        Raises:
            UsageError: the experiment is deleted.
            NotFound: there is no such experiment, or it has no such tag.
        """
        with self._book.write() as tx:
            experiments.remove_experiment_tag(tx, experiments.find_experiment(tx, id, active=True), key)

    def collect(self, older_than: timedelta = timedelta(0), *, dry_run: bool = False) -> Removed:
        """Remove for good what was deleted longer ago than that: runs, logged models, experiments, their artifacts.

        The experiment ``Default`` stays. What other things refer to (versions that were registered from a run) keeps
        the id of what is gone.

        Args:
            older_than: how long ago it must have been deleted.
            dry_run: remove nothing, and say what would be removed.

        Raises:
            UsageError: the time is negative.
        """
        if older_than < timedelta(0):
            raise UsageError(f"cannot collect what was deleted {older_than} ago: the time is negative")
        before = to_micros(self._book.clock.now() - older_than)
        with self._book.write() as tx:
            found = collection.find_deleted(tx, before)
            if not dry_run and not found.is_empty:
                collection.remove(tx, found)
                self._book.audit(
                    tx,
                    "tracking.collect",
                    "deleted",
                    experiments=list(found.experiments),
                    runs=len(found.runs),
                    logged_models=len(found.logged_models),
                )
        return found
