"""Is it known what happens after an incident?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.sections import sections, told
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_TITLES: Final = (
    r"(serious )?incidents?( (response|process|management|reporting|report|handling|procedure|plan).{0,20})",
    r"report(ing)? (an |serious )?incidents?",
    r"(post-?mortems?|escalation( (path|policy|process|procedure))?)",
    r"report(ing)? (a )?(harm|problem with the model)( .{0,20})?",
)


def look(repository: Repository) -> Answer:
    """Look for a section of a document that says it; a document that is not here is unknown."""
    return told(sections(repository, *_TITLES), "incidents have a process", "no section on incidents")


PROBE = Probe(
    id="governance.incident_process",
    title="how an incident is reported, to whom and by when, is written down",
    why="A serious incident has to be reported within days; the first day is lost to asking whom.",
    remedy="write whom to tell, by when (15 days, 2 for the gravest), and where it is recorded",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    elsewhere=True,
    source="Regulation (EU) 2024/1689, Article 73",
)
