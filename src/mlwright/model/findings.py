"""What was found, on which evidence, where, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from mlwright.model.contracts import Severity

Scalar = str | int | float | bool | None


class Outcome(StrEnum):
    """What a check found. Only TRUE is a pass: what could not be found out is unknown, not well."""

    TRUE = "true"
    FALSE = "false"
    NOT_AVAILABLE = "not_available"
    NOT_APPLICABLE = "not_applicable"
    NOT_SUPPORTED = "not_supported"
    ERROR = "error"


class Effort(StrEnum):
    """How long a person who knows the project needs to put it right."""

    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"
    WEEKS = "weeks"


class Rung(IntEnum):
    """The evidence ladder: how well something is shown to be done.

    DECLARED a document or setting says so; EXECUTABLE a test or job is defined and parses; EXECUTED a record of one run
    exists; AUTOMATIC it ran by itself, recently, and was green. Reading files reaches EXECUTABLE at most.
    """

    ABSENT = 0
    DECLARED = 1
    EXECUTABLE = 2
    EXECUTED = 3
    AUTOMATIC = 4


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Location:
    """A place in the repository: a POSIX path from its root, and a line (from 1) where there is one.

    ``cell`` is the number (from 1) of a notebook's cell; the line then counts within it.
    """

    path: str
    line: int | None = None
    cell: int | None = None

    def __str__(self) -> str:
        place = f":cell {self.cell}" if self.cell is not None else ""
        return f"{self.path}{place}" + (f":{self.line}" if self.line is not None else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One statement that a check or probe made.

    ``title`` is what should hold, ``outcome`` whether it does, ``evidence`` the figures, paths or ids that say so, and
    ``remedy`` the next command or step where it does not. ``severity`` says how much it matters if it does not hold.
    ``locations`` are the places that made the outcome, ``values`` its figures, ``fix`` the id of a mechanical fix.
    """

    id: str
    title: str
    outcome: Outcome
    evidence: str
    remedy: str = ""
    severity: Severity = Severity.ERROR
    locations: tuple[Location, ...] = ()
    values: Mapping[str, Scalar] = field(default_factory=dict)
    effort: Effort = Effort.HOURS
    fix: str | None = None

    @property
    def alarming(self) -> bool:
        """Whether this is a problem of severity error: it does not hold, or looking for it failed."""
        return self.severity is Severity.ERROR and self.outcome in (Outcome.FALSE, Outcome.ERROR)
