"""Do those who use it know how, and where it ends?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, unknown, yes
from mlwright.engineer.vocabulary.sections import sections
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_USE: Final = (
    r"instructions( for use)?",
    r"(how to use|usage|using|use)( (it|this|the) ?(model|service|api|endpoint)?)?",
    r"(api|endpoints?)( (reference|usage|documentation|docs))?",
    r"(inputs? and outputs?|request( and response)?( format)?|interpret(ing|ation)( of)?( the)? .{3,30})",
)
_LIMITS: Final = (
    r"(known )?(limitations?|caveats|known issues|weaknesses|failure modes)( ?(and|&|,) ?.{3,40})?",
    r"(bias,? )?risks,? and limitations",
    r"(intended )?uses? (and|&) limitations?",
    r"caveats and recommendations",
)


def look(repository: Repository) -> Answer:
    """Look for a section on the use and one on the limits; the first without the second is unknown."""
    use, limits = sections(repository, *_USE), sections(repository, *_LIMITS)
    if not use or not limits:
        what = "its limits" if use else "how to use it" if limits else "how to use it, and none on its limits"
        return unknown(f"no section on {what}; it may be kept elsewhere")
    return yes(f"use: {use[0].at}; limits: {limits[0].at}", use[0].at, limits[0].at)


PROBE = Probe(
    id="governance.instructions",
    title="those who use it are told how, and where its limits are",
    why="Who does not know the limits of a model takes every answer as equally good.",
    remedy="write instructions for use: purpose, inputs and outputs, accuracy on which population, limits, oversight",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    elsewhere=True,
    source="Regulation (EU) 2024/1689, Article 13",
)
