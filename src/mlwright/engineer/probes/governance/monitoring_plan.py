"""Is it planned what is watched after the release?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.sections import sections, told
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_TITLES: Final = (
    r"(post[- ]market|model|production|ml) monitoring( (plan|strategy|in production))?",
    r"monitoring (plan|strategy|in production|and (maintenance|alerting|retraining|drift)( .{0,20})?)",
    r"(model |data |concept )?drift( (detection|monitoring)| ?(and|&) ?.{3,30})",
    r"what (we|is) (watch|monitor)(ed)?",
)


def look(repository: Repository) -> Answer:
    """Look for a section of a document that says it; a document that is not here is unknown."""
    return told(
        sections(repository, *_TITLES),
        "monitoring is described",
        "no section on monitoring after the release",
    )


PROBE = Probe(
    id="governance.monitoring_plan",
    title="a plan says what is watched after the release, and who acts on it",
    why="Without a plan each incident teaches anew what should have been watched.",
    remedy="write what is watched, from which figure on somebody acts, and who that is",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    elsewhere=True,
    source="Regulation (EU) 2024/1689, Article 72",
)
