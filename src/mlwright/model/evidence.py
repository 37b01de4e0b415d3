"""Evidence: what was found out about a model version, kept beside it for whoever has to trust it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mlwright.model.ids import ModelName


class EvidenceKind(StrEnum):
    """What a piece of evidence is about."""

    PACKAGE = "package"
    """Whether the folder is complete."""
    DIGEST = "digest"
    """Whether the stored bytes are those that were registered."""
    SCAN = "scan"
    """What its files could do when they are loaded."""
    SIGNATURE = "signature"
    """Whether what the model takes and gives is said, and its example keeps to it."""
    ENVIRONMENT = "environment"
    """Whether its requirements can be installed."""
    LOAD = "load"
    """Whether it loads in that environment."""
    SCORE = "score"
    """Whether it answers its example there, as it did before."""
    GATE = "gate"
    APPROVAL = "approval"
    EVALUATION = "evaluation"
    SIGNING = "signing"
    """Whether somebody with a known key signed its files."""
    CONVERSION = "conversion"
    """Whether it answers as the version that it was converted from, and how much faster."""
    PROFILE = "profile"
    """How long it takes for how many rows, and what it needs; a measurement, which nothing can fail."""


class Outcome(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It could not be carried out; never to be taken for a pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One thing that was found out about a version. ``number`` orders all evidence; it is None before it is kept."""

    model: ModelName
    version: int
    kind: str
    """One of :class:`EvidenceKind`."""
    outcome: Outcome
    summary: str
    """One sentence."""
    at: datetime
    actor: str
    details: dict[str, object] = field(default_factory=dict)
    """Plain values; see ``model/plain.py``."""
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How far the proof of a version is: asked for, under way, or ended."""

    model: ModelName
    version: int
    state: str
    """``queued``, ``running``, or the outcome: ``passed``, ``failed``, ``unknown``."""
    asked: datetime
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def ref(self) -> str:
        """``name/version``."""
        return f"{self.model}/{self.version}"


QUEUED = "queued"
RUNNING = "running"


def overall(outcomes: "list[Outcome] | tuple[Outcome, ...]") -> Outcome:
    """What several checks come to: one failure fails all, one that could not be carried out leaves it open.

    >>> str(overall([Outcome.PASSED, Outcome.UNKNOWN]))
    'unknown'
    >>> str(overall([]))
    'unknown'
    """
    if Outcome.FAILED in outcomes:
        return Outcome.FAILED
    return Outcome.PASSED if outcomes and Outcome.UNKNOWN not in outcomes else Outcome.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What one look at a model's files or at its behaviour gave, before anybody keeps it as evidence."""

    kind: EvidenceKind
    outcome: Outcome
    summary: str
    details: dict[str, object] = field(default_factory=dict)
