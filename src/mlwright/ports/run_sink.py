"""Writing runs and models into the store of another tracking tool. Open wire: MLflow's REST API, its folder layout."""

from collections.abc import Callable
from typing import BinaryIO, Protocol

from mlwright.model.moving import (
    ForeignExperiment,
    ForeignLoggedModel,
    ForeignModel,
    ForeignRun,
    LeftOut,
)
from mlwright.model.tracking import History


class RunSink(Protocol):
    """A store of others that runs of ours are written to. Every call can be made twice: the second changes nothing.

    What others refer to is named by the ids that it has here; which id a thing has there is the sink's business.
    Everything raises ``ServerUnavailable`` where the store cannot be reached or does not work.
    """

    def begin(self, run: ForeignRun, experiment: ForeignExperiment) -> str:
        """Make the run, or find the one that was made before; with params, tags and data sets.

        Returns:
            The id that it has there.
        """
        ...

    def log(self, run: str, history: History) -> int:
        """Append those points of one metric that are not there yet, and return how many those were.

        Args:
            run: the id that the run has here; :meth:`begin` was called for it.
            history: all points of the metric.
        """
        ...

    def put_file(self, owner: str, path: str, size: int, opened: Callable[[], BinaryIO]) -> bool:
        """Write one artifact of a run or logged model, and return whether it was written: not where it is there.

        Args:
            owner: the id here.
            path: below the artifacts of the owner.
            size: in bytes.
            opened: opens the bytes, where they are needed.
        """
        ...

    def end(self, run: ForeignRun) -> None:
        """Bring status, end, name, deletion and the models that the run made and used to what they are here."""
        ...

    def put_logged_model(self, model: ForeignLoggedModel, experiment: ForeignExperiment) -> bool:
        """Make a logged model, after its run; whether it was made now."""
        ...

    def put_model(self, model: ForeignModel) -> int:
        """Make a registered model with versions, tags and aliases, after all runs; how many versions were made now."""
        ...

    def left_out(self) -> tuple[LeftOut, ...]:
        """What was given and is not there, so far."""
        ...
