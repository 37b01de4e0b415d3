"""Is it said what the model is for, and what it is not for?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.sections import sections, told
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_TITLES: Final = (
    r"(the )?(model('s)? )?intended (uses?|purpose|users?|audience|application)( ?(and|&|/) ?(.{3,40}))?",
    r"(.{0,20})\bout[- ]of[- ]scope\b(.{0,30})",
    r"direct use",
    r"uses? (and|&) limitations?",
    r"when (not )?to use (it|this( model)?)",
    r"misuse(.{0,30})",
)


def look(repository: Repository) -> Answer:
    """Look for a section of a document that says it; a document that is not here is unknown."""
    return told(
        sections(repository, *_TITLES), "the intended use is written", "no section on the intended use"
    )


PROBE = Probe(
    id="governance.intended_use",
    title="what the model is for, and what it is not for, is written down",
    why="A model that was made for one question is asked another, and answers it.",
    remedy="write Intended use and Out-of-scope use into the model card: who asks what, and what it must not decide",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    source="Regulation (EU) 2024/1689, Articles 11 and 13; Mitchell et al. 2019",
)
