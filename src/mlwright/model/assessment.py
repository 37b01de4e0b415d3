"""What an assessment says of a repository: findings, the rubrics that read them, and what to do first."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from mlwright.model.findings import Effort, Finding, Location, Rung


class RepositoryKind(StrEnum):
    """What a repository is for, as far as its files tell.

    APPLICATION trains or serves a model of its own; LIBRARY is published for others to build with, and the duties of
    whoever runs a model in production are not its own; OTHER shows no machine learning.
    """

    APPLICATION = "application"
    LIBRARY = "library"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What was understood of the repository before anything was judged; a person can see at once where it is wrong.

    ``reasons`` says why, with places: "trains: train.py:31 calls fit".
    """

    kind: RepositoryKind
    trains: bool
    serves: bool
    frameworks: tuple[str, ...]
    tools: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A score between what is shown and what could at best be shown: unknown counts nothing below, fully above."""

    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether nothing about it is unknown."""
        return self.low == self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of a rubric: what it asks, how well it is shown, by which findings, and what would raise it.

    ``because`` holds ids of findings that speak for it, ``against`` of those that speak against it or are unknown.
    ``applies`` is false where the question does not arise for this repository.
    """

    id: str
    title: str
    applies: bool
    rung: Rung
    points: Interval
    because: tuple[str, ...]
    against: tuple[str, ...]
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A group of items; ``points`` is None where none of them applies."""

    title: str
    points: Interval | None
    out_of: float
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RubricView:
    """The findings as one published rubric reads them.

    ``verdict`` is the level or band in the rubric's own words, as an interval where something is unknown ("0 to 1").
    ``blocking`` names the findings that keep the next level away. ``note`` says what the rubric cannot see, or must not
    be taken for.
    """

    id: str
    title: str
    source: str
    verdict: str
    points: Interval | None
    out_of: float
    sections: tuple[Section, ...]
    next_level: str
    blocking: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One thing worth doing: a finding, why it matters, what it would change, and how.

    ``gain`` is by how much the lower end of readiness (0 to 100) rises once the finding holds; ``items`` are the rubric
    items that rise, as ``rubric/item``.
    """

    finding: str
    title: str
    why: str
    remedy: str
    effort: Effort
    gain: float
    items: tuple[str, ...]
    locations: tuple[Location, ...]
    fix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A finding that somebody accepted: where, why, by what, until when. An expired one accepts nothing."""

    finding: str
    location: Location | None
    reason: str
    expires: date | None
    source: Location
    expired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The report.

    ``readiness`` is the share, 0 to 100, of the risk that the findings cover which is shown to be in hand. ``unread``
    names what was not read, with the reason; ``engines`` the scanners that took part, with versions. ``inherited``
    holds findings that a baseline or an earlier revision already had.
    """

    subject: str
    profile: Profile
    readiness: Interval
    findings: tuple[Finding, ...]
    rubrics: tuple[RubricView, ...]
    recommendations: tuple[Recommendation, ...]
    suppressions: tuple[Suppression, ...] = ()
    inherited: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    files: int = 0
    bytes: int = 0
