"""What a probe is: one question about a repository, asked of facts that were read before, answered with evidence.

A probe is one file below ``mlwright/engineer/probes`` with a ``PROBE``, or an object that another package offers under
the entry point group ``mlwright.probes``. It fetches nothing, changes nothing and knows no other probe's answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from mlwright.engineer.facts.repository import Repository
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location, Outcome, Scalar


class When(StrEnum):
    """For which repositories a question arises; elsewhere the answer is NOT_APPLICABLE without looking.

    ALWAYS; CODE: there is Python; ML: an application trains or serves a model of its own; TRAINS, SERVES: it does that;
    RUNNING: there is a project or server to ask (without one the answer is NOT_AVAILABLE).
    """

    ALWAYS = "always"
    CODE = "code"
    ML = "ml"
    TRAINS = "trains"
    SERVES = "serves"
    RUNNING = "running"


class Lifecycle(StrEnum):
    """How far a probe can be relied on; an experimental one is shown and never scored."""

    STABLE = "stable"
    EXPERIMENTAL = "experimental"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a probe found out."""

    outcome: Outcome
    evidence: str
    locations: tuple[Location, ...] = ()
    values: dict[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question.

    ``title`` is what should hold ("dependencies are locked with hashes"), ``why`` what goes wrong without it, in one
    sentence that a tired engineer believes; ``remedy`` the next step or command; ``source`` where the rule comes from.
    ``severity`` is the risk (error: harm to users or no way back; warning: will cost days; info: good practice).
    ``after`` names a probe without whose TRUE this question does not arise: what it asks counts as not shown then.
    ``elsewhere`` tells that the thing may well live outside of this repository: a FALSE is then "not seen here".
    """

    id: str
    title: str
    why: str
    remedy: str
    look: Callable[[Repository], Answer]
    when: When = When.ML
    severity: Severity = Severity.WARNING
    effort: Effort = Effort.HOURS
    after: str | None = None
    elsewhere: bool = False
    fix: str | None = None
    source: str = ""
    version: int = 1
    lifecycle: Lifecycle = Lifecycle.STABLE


def yes(evidence: str, *locations: Location, **values: Scalar) -> Answer:
    """What should hold does, as these places show."""
    return Answer(outcome=Outcome.TRUE, evidence=evidence, locations=_places(locations), values=values)


def no(evidence: str, *locations: Location, **values: Scalar) -> Answer:
    """What should hold does not; the places are those to be changed, none where something is missing altogether."""
    return Answer(outcome=Outcome.FALSE, evidence=evidence, locations=_places(locations), values=values)


def unknown(evidence: str, *locations: Location, **values: Scalar) -> Answer:
    """It cannot be told from what there is to see; the evidence says what would tell."""
    return Answer(
        outcome=Outcome.NOT_AVAILABLE, evidence=evidence, locations=_places(locations), values=values
    )


def no_question(evidence: str) -> Answer:
    """The question does not arise here, for this reason."""
    return Answer(outcome=Outcome.NOT_APPLICABLE, evidence=evidence)


def unsupported(evidence: str, *locations: Location) -> Answer:
    """The repository uses something that this probe cannot read yet."""
    return Answer(outcome=Outcome.NOT_SUPPORTED, evidence=evidence, locations=_places(locations))


def _places(locations: tuple[Location, ...]) -> tuple[Location, ...]:
    return tuple(sorted(set(locations), key=lambda each: (each.path, each.cell or 0, each.line or 0)))
