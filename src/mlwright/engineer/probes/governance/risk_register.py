"""Are the risks of the system known and dealt with?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.sections import sections, told
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_TITLES: Final = (
    r"(ai |ml |model |system |project )?risk (register|management( (plan|system|process))?|log|matrix)",
    r"(ai|ml|model|algorithmic|ethical) risk(s| assessment| analysis)?",
    r"(ai |ml |model |known |main )?risks ?(and|&|,) ?(mitigations?|limitations?|countermeasures|biases)",
    r"(algorithmic |fundamental rights |data protection |ai )impact assessment",
    r"(fmea|failure modes?( and effects?)?( analysis)?)",
    r"(bias,? )?risks,? and limitations",
)


def look(repository: Repository) -> Answer:
    """Look for a section of a document that says it; a document that is not here is unknown."""
    return told(sections(repository, *_TITLES), "risks are written down", "no section on risks")


PROBE = Probe(
    id="governance.risk_register",
    title="risks of the system and what is done about them are written down",
    why="The harm that nobody wrote down beforehand is found by those whom it hits.",
    remedy="write docs/risks.md: what can go wrong, for whom, how likely, what is done, who looks again when",
    look=look,
    when=When.ML,
    severity=Severity.INFO,
    effort=Effort.DAYS,
    elsewhere=True,
    source="Regulation (EU) 2024/1689, Article 9",
)
