"""Does the technical documentation have its parts?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, unknown, yes
from mlwright.engineer.vocabulary.sections import sections
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_PARTS: Final = {
    "purpose": (
        r".{0,30}\b(intended (use|purpose)|purpose|overview|introduction|about|model description)\b.{0,30}",
    ),
    "design": (
        r".{0,30}\b(architecture|system design|design|how it works|components|model details)\b.{0,30}",
    ),
    "data": (r".{0,30}\b(data|datasets?|training data)\b.{0,30}",),
    "training": (r".{0,30}\b(training|train|model development|methodology|hyper-?parameters)\b.{0,30}",),
    "accuracy": (r".{0,30}\b(evaluation|results|metrics|performance|accuracy|benchmarks?)\b.{0,30}",),
    "limits": (r".{0,30}\b(limitations?|caveats|known issues|bias(es)?)\b.{0,30}",),
    "oversight": (r".{0,30}\b(human (oversight|review)|oversight|human-in-the-loop|override)\b.{0,30}",),
    "risks": (r".{0,30}\b(risks?|impact assessment|threat model)\b.{0,30}",),
    "changes": (r"change ?log|release notes|(version )?history|changes|\\W*v?\\d+\\.\\d+.{0,30}",),
    "monitoring": (r".{0,30}\b(monitoring|drift|post-market)\b.{0,30}",),
}
"""What Annex IV asks for, with what its sections may be called."""
_ENOUGH: Final = 0.8


def look(repository: Repository) -> Answer:
    """Count the parts of Annex IV that some document has; what is missing may be kept elsewhere."""
    found = {part: sections(repository, *titles) for part, titles in _PARTS.items()}
    here = [part for part, each in found.items() if each]
    missing = ", ".join(part for part, each in found.items() if not each)
    places = [found[part][0].at for part in here]
    values = {"parts": len(_PARTS), "found": len(here), "completeness": round(100 * len(here) / len(_PARTS))}
    evidence = f"{len(here)} of {len(_PARTS)} parts are written here"
    if len(here) >= _ENOUGH * len(_PARTS):
        return yes(evidence + (f"; not {missing}" if missing else ""), *places, **values)
    return unknown(f"{evidence}; {missing} may be kept elsewhere", *places, **values)


PROBE = Probe(
    id="governance.technical_documentation",
    title="technical documentation has the parts of Annex IV",
    why="An auditor asks for one document, and it has to be put together from ten people's memories.",
    remedy="write what is missing into docs/technical-documentation.md; a model card and a data sheet are half of it",
    look=look,
    when=When.ML,
    severity=Severity.INFO,
    effort=Effort.DAYS,
    elsewhere=True,
    source="Regulation (EU) 2024/1689, Article 11 and Annex IV",
)
