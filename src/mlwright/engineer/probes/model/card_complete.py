"""Does the model card answer all that it should?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.cards import SECTIONS, cards, written
from mlwright.engineer.vocabulary.words import enumerated
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location


def look(repository: Repository) -> Answer:
    """Compare the filled sections of the most complete card with the nine of the paper."""
    known = [(written(repository, each), each.path) for each in cards(repository)]
    if not known:
        return unknown("the model is described elsewhere than in a document with sections")
    there, path = max(known, key=lambda each: (len(each[0]), each[1]))
    missing = [name for name in SECTIONS if name not in there]
    percent = round(100 * len(there) / len(SECTIONS))
    parts = {name: name in there for name in SECTIONS}
    said = f"{len(there)} of {len(SECTIONS)} sections are filled in"
    if not missing:
        return yes(said, Location(path=path), complete=percent, **parts)
    lacks = enumerated([name.replace("_", " ") for name in missing], len(SECTIONS))
    return no(f"{said}; missing: {lacks}", Location(path=path), complete=percent, **parts)


PROBE = Probe(
    id="model.card_complete",
    title="the model card has its nine sections",
    why="The section that was left out is the one that a user needed: for whom it was never tested.",
    remedy="add a heading and three honest sentences for each missing section; “not measured” is an answer",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    after="model.card",
    source="Mitchell et al. 2019, Model Cards for Model Reporting, section 4",
)
