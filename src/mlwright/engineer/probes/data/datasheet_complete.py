"""Does the data sheet answer all that it should?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.datasheets import SECTIONS, sections_of, sheets
from mlwright.engineer.vocabulary.words import enumerated
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location


def look(repository: Repository) -> Answer:
    """Compare the headings of the most complete data sheet with the seven sections."""
    found = sheets(repository)
    if not found:
        return unknown(
            "the data is described in a README or a metadata file, not in a data sheet with headings"
        )
    best = max(found, key=lambda each: (len(sections_of(each)), each.path))
    there = sections_of(best)
    missing = [title for title in SECTIONS if title not in there]
    share = round(100 * len(there) / len(SECTIONS))
    parts = {title: title in there for title in SECTIONS}
    values = {"sections": len(there), "of": len(SECTIONS), "percent": share, **parts}
    said = f"{len(there)} of {len(SECTIONS)} sections"
    if not missing:
        return yes(said, Location(path=best.path), **values)
    return no(f"{said}; missing: {enumerated(missing, 7)}", Location(path=best.path), **values)


PROBE = Probe(
    id="data.datasheet_complete",
    title="the data sheet has its seven sections",
    why="The section that was left out is the one that the next user needed: consent, or who keeps it up.",
    remedy="add a heading and three honest sentences for each missing section; “not known” is an answer",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    after="data.documented",
    source="Gebru et al. 2021, Datasheets for Datasets, section 3",
)
