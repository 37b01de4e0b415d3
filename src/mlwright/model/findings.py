"""What was found, on which evidence, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum

from mlwright.model.contracts import Severity


class Outcome(StrEnum):
    """What a check found. Only TRUE is a pass: what could not be found out is unknown, not well."""

    TRUE = "true"
    FALSE = "false"
    NOT_AVAILABLE = "not_available"
    NOT_APPLICABLE = "not_applicable"
    NOT_SUPPORTED = "not_supported"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One statement that a check made.

    ``title`` is what should hold, ``outcome`` whether it does, ``evidence`` the figures, paths or ids that say so, and
    ``remedy`` the next command or step where it does not. ``severity`` says how much it matters if it does not hold.
    """

    id: str
    title: str
    outcome: Outcome
    evidence: str
    remedy: str = ""
    severity: Severity = Severity.ERROR

    @property
    def alarming(self) -> bool:
        """Whether this is a problem of severity error: it does not hold, or looking for it failed."""
        return self.severity is Severity.ERROR and self.outcome in (Outcome.FALSE, Outcome.ERROR)
