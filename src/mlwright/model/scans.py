"""What an outside scanner said about files."""

from dataclasses import dataclass

from mlwright.model.contracts import Severity
from mlwright.model.findings import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One thing that a scanner reports: its own rule id, what it says, where. A secret itself is never in it."""

    rule: str
    message: str
    severity: Severity
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What one scanner said, or why it could not: then ``missing`` is the reason and ``install`` the command.

    ``topic`` is what it looks for: ``secrets``, ``pickles``, ``dockerfiles``, ``workflows``, ``infrastructure``.
    """

    scanner: str
    version: str
    topic: str
    looked_at: int = 0
    hits: tuple[Hit, ...] = ()
    missing: str = ""
    install: str = ""
