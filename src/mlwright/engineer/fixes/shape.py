"""What a fix is: one mechanical change that makes findings hold, planned from facts and files, written by nobody yet.

A fix is one file below ``mlwright/engineer/fixes`` with a ``FIX``. It reads through the function that it is given, and
returns texts; showing, asking and writing are done for all fixes in one place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from mlwright.engineer.facts.repository import Repository

LARGEST: Final = 2_000_000
"""No file of more bytes is changed."""


class Read(Protocol):
    """Reads the repository as it will stand once the fixes before this one are applied."""

    def __call__(self, path: str, *, head: int | None = None) -> bytes | None:
        """The bytes of a file by its POSIX path from the root; with ``head`` no more than so many of the first.

        None where there is no regular file, or, without ``head``, one that is larger than ``LARGEST``.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a fix wants: new contents by path. Without ``changes`` and ``refused``, there is nothing to do.

    ``refused`` says why it cannot do what it should, and ``next_command`` what a person can type instead. ``notes`` are
    for the person who agrees. ``leaves`` maps findings that this draft only prepares to what remains to be done.
    """

    changes: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    refused: str = ""
    next_command: str = ""
    leaves: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One kind of change.

    ``flips`` are the probes that it is there for; it is planned where one of them is FALSE, or where it is named. Fixes
    are planned by ``rank``, then id, and each sees what those before it would write.
    """

    id: str
    title: str
    flips: tuple[str, ...]
    plan: Callable[[Repository, Read], Draft]
    rank: int = 1


NOTHING: Final = Draft()
