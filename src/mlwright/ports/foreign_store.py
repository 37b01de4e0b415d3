"""Reading what another tracking tool kept. Open wire: each tool's own files, databases and APIs."""

from collections.abc import Iterator
from typing import BinaryIO, Protocol, runtime_checkable

from mlwright.model.moving import (
    ForeignFacts,
    ForeignFile,
    ForeignLoggedModel,
    ForeignModel,
    ForeignRun,
    LeftOut,
)
from mlwright.model.tracking import History


class ForeignStore(Protocol):
    """A store of runs that others wrote. It is read, never written to, and read the same way each time."""

    def about(self) -> ForeignFacts:
        """Which tool, where, and how much there is.

        Raises:
            ServerUnavailable: it cannot be reached, or is no store of this kind; the message names the file or address.
        """
        ...

    def runs(self) -> Iterator[ForeignRun]:
        """All runs in one order, always the same; parents before their children.

        What cannot be read (a truncated file, a field of another type) is noted for :meth:`left_out` and passed over.
        """
        ...

    def histories(self, run: str) -> Iterator[History]:
        """Every metric of a run, whole, in the order of its key."""
        ...

    def files(self, run: str) -> Iterator[ForeignFile]:
        """The artifacts of a run, in the order of their paths."""
        ...

    def open(self, run: str, path: str) -> BinaryIO:
        """The bytes of one artifact.

        Raises:
            DataError: it is gone or cannot be read.
        """
        ...

    def models(self) -> Iterator[ForeignModel]:
        """The registered models in the order of their names; none where the tool has no registry that can be read."""
        ...

    def left_out(self) -> tuple[LeftOut, ...]:
        """What was met and is not carried, so far; complete once everything was read."""
        ...


@runtime_checkable
class ForeignModelShelf(Protocol):
    """What a store offers beside :class:`ForeignStore` where its runs log models that have an id of their own."""

    def logged_models(self) -> Iterator[ForeignLoggedModel]:
        """All logged models in one order, always the same; ``files`` and ``open`` take their ids."""
        ...
