"""Is it written down which columns a model may not use?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, unsupported, yes
from mlwright.engineer.vocabulary.columns import about_people, policies
from mlwright.engineer.vocabulary.sources import NO_TABLES, only_bundled, reads_tables
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity

_DETECTORS = ("presidio_analyzer", "presidio_anonymizer", "scrubadub", "piicatcher")


def look(repository: Repository) -> Answer:
    """Look for lists of sensitive columns, tags of schemas, and tools that find personal data."""
    found = [*policies(repository), *repository.importing(*_DETECTORS)]
    if found:
        return yes(
            f"columns are named as sensitive at {counted(len(found), 'place')}",
            *found[:SHOWN],
            places=len(found),
        )
    if only_bundled(repository):
        return no_question("the only data seen is public and comes with a library")
    if not reads_tables(repository):
        return unsupported(NO_TABLES)
    if not about_people(repository):
        return unknown(
            "nothing named here tells that the rows are about people; if they are, a policy is missing"
        )
    return no("no list, tag or document says which columns are sensitive or must not be used")


PROBE = Probe(
    id="data.feature_policy",
    title="which columns a model may not use is written down",
    why="The person who adds the next column does not know what was promised about it.",
    remedy="tag sensitive columns in the contract, or keep SENSITIVE_COLUMNS and assert that no feature is in it",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    source="ML Test Score (Breck et al. 2017), Data 4; GDPR Art. 5 and 9",
)
