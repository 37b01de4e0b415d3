"""What the engineer would change in a repository, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlwright.model.assessment import Interval
from mlwright.model.findings import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file as it would be.

    ``path`` is POSIX from the repository's root. ``before`` is the digest (``sha256:…``) of the bytes that stand there
    now, None where there is no file. ``text`` is the whole new content with its line ends as they are to be written, in
    ``encoding`` (a codec's name; ``utf-8-sig`` has a byte order mark). ``diff`` is the unified diff, as ``patch -p1``
    takes it. ``fixes`` are the ids of the fixes that touch the file.
    """

    path: str
    before: str | None
    text: str
    encoding: str
    diff: str
    fixes: tuple[str, ...]

    @property
    def content(self) -> bytes:
        """The bytes to be written."""
        return self.text.encode(self.encoding)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFix:
    """What one fix would do.

    ``changes`` are the paths that it touches, none where it would change nothing. ``turns`` are the findings that do
    not hold now and should afterwards; ``leaves`` maps those that it can only prepare to what is left to a person.
    ``notes`` are further things to know. ``refused`` says why nothing is planned although something should be done,
    and ``next_command`` what to type then.
    """

    id: str
    title: str
    changes: tuple[str, ...] = ()
    turns: tuple[str, ...] = ()
    leaves: Mapping[str, str]
    notes: tuple[str, ...] = ()
    refused: str = ""
    next_command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FixPlan:
    """All that would be changed in a repository, before anything is.

    ``path`` is the repository's folder as it was named. ``readiness`` and ``outcomes`` (of every finding, by id) are
    those of the repository as it stands.
    """

    subject: str
    path: Path
    fixes: tuple[PlannedFix, ...]
    changes: tuple[Change, ...]
    readiness: Interval
    outcomes: Mapping[str, Outcome]

    @property
    def refused(self) -> tuple[PlannedFix, ...]:
        """The fixes that cannot do what they should."""
        return tuple(each for each in self.fixes if each.refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A finding whose outcome is another one than before; ``why`` is its new evidence."""

    finding: str
    title: str
    before: Outcome
    after: Outcome
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """A finding that was to turn and did not: why, and the next step."""

    finding: str
    title: str
    why: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FixResult:
    """What was written, and what the same probes say afterwards."""

    subject: str
    written: tuple[str, ...]
    turned: tuple[Turn, ...]
    remaining: tuple[Remainder, ...]
    before: Interval
    after: Interval
