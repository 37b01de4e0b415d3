"""Can a person overrule it?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.sections import sections, told
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_TITLES: Final = (
    r"human[- ](oversight|review|in[- ]the[- ]loop|supervision|control)( .{0,40})?",
    r"(manual|human) (review|override|fallback|escalation)( .{0,40})?",
    r"(overriding|overrule|override) (a |the )?(decisions?|predictions?|model)",
    r"oversight( .{0,30})?",
)


def look(repository: Repository) -> Answer:
    """Look for a section of a document that says it; a document that is not here is unknown."""
    return told(sections(repository, *_TITLES), "oversight is described", "no section on human oversight")


PROBE = Probe(
    id="governance.human_oversight",
    title="who may overrule the system, and how, is written down",
    why="Where nobody knows how to say no to the model, nobody does.",
    remedy="write who looks at which decisions, who may overrule or stop the system, and by which command",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    elsewhere=True,
    source="Regulation (EU) 2024/1689, Article 14",
)
