"""Is documentation kept as long as it must be?"""

import re
from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, unknown
from mlwright.engineer.vocabulary.sections import sections, told
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_TITLES: Final = (
    r"(document(ation|s)?|records?) (retention|keeping)( .{0,30})?",
    r"record[- ]keeping",
    r"retention( (policy|schedule|period|of (records?|documents?|documentation)).{0,20})?",
)
_YEARS: Final = re.compile(r"\b(10|ten|1[0-9]|[2-9][0-9]) years?\b", re.IGNORECASE)


def look(repository: Repository) -> Answer:
    """Look for a section on retention that names ten years or more."""
    found = sections(repository, *_TITLES)
    long = tuple(each for each in found if _YEARS.search(each.body))
    if found and not long:
        return unknown(f"{found[0].at} names no period of ten years for documentation", found[0].at)
    return told(long, "documentation is kept", "no section on how long documentation is kept")


PROBE = Probe(
    id="governance.documents_kept",
    title="where the documentation is kept, and that for ten years, is written down",
    why="Ten years later the question is which version was in force, and the wiki is gone.",
    remedy="write where technical documentation is kept and that for 10 years after the release",
    look=look,
    when=When.ML,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    elsewhere=True,
    source="Regulation (EU) 2024/1689, Article 18",
)
