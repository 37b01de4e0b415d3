"""Records that arrive one after the other, for several consumers. Open wire: Redis streams with a consumer group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One entry that this consumer has in its hands: nobody else gets it until it is claimed."""

    id: str
    fields: Mapping[str, str]
    deliveries: int = 1
    """How often it was handed out so far, this time included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What is to be written for one record."""

    source: str
    """The id of the record."""
    fields: Mapping[str, str]


class RecordStream(Protocol):
    """One consumer of a group: each record goes to one of them, and stays somebody's until it is finished or buried.

    A record may be handed out again after its consumer died; results say their source, so that a second one is known
    as that.
    """

    @property
    def name(self) -> str:
        """What is read, for people; without passwords."""
        ...

    def read(self, most: int, wait_s: float) -> Sequence[Record]:
        """The next records that no consumer of the group has had, oldest first.

        Args:
            most: at most so many.
            wait_s: how long to wait for the first of them; 0: not at all.

        Raises:
            DataError: the other end does not answer, or refuses.
        """
        ...

    def claim(self, most: int, idle_s: float) -> Sequence[Record]:
        """Take over records that some consumer has had for ``idle_s`` without finishing them; oldest first.

        Raises:
            DataError: the other end does not answer, or refuses.
        """
        ...

    def finish(self, results: Sequence[Result]) -> None:
        """Write the results, then let go of their records for good.

        Each result is in the output, with the id of its record in the field ``source``, before its record is let go
        of.

        Raises:
            DataError: the other end does not answer, or refuses; records may be handed out again.
        """
        ...

    def bury(self, records: Sequence[Record], reasons: Sequence[str]) -> None:
        """Put records aside, with a reason each, where people look at them; then let go of them for good.

        Raises:
            DataError: the other end does not answer, or refuses.
        """
        ...

    def close(self) -> None:
        """Leave the group; what is in hand stays for others to claim."""
        ...
