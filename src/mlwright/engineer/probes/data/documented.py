"""Does a document say what the data is?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.datasheets import data_sections, mentions_data, sheets
from mlwright.engineer.vocabulary.sources import only_bundled
from mlwright.engineer.vocabulary.words import SHOWN
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location


def look(repository: Repository) -> Answer:
    """Look for a data sheet, a card, a metadata file or a section of a README about the data."""
    found = [Location(path=each.path) for each in sheets(repository)]
    found += [
        Location(path=each.path)
        for each in repository.find("croissant.json", "dataset_infos.json", "datapackage.json")
    ]
    if found:
        return yes("a data sheet is there", *found[:SHOWN])
    sections = data_sections(repository)
    if sections:
        return yes("a section of the documents is about the data", *sections[:SHOWN], sections=len(sections))
    if only_bundled(repository):
        return no_question("the only data seen is public and comes with a library")
    said = mentions_data(repository)
    if said:
        return unknown(
            "the documents mention a data set in passing; a section of its own would say what it is",
            *said[:SHOWN],
        )
    return no("no data sheet, data card or section about the data in any document")


PROBE = Probe(
    id="data.documented",
    title="a document says what the training data is",
    why="Who collected it, from whom and what for decides what the model may be used for; code does not say it.",
    remedy="write docs/datasheet.md: motivation, composition, collection, preprocessing, uses, distribution, upkeep",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    source="Gebru et al. 2021, Datasheets for Datasets; EU AI Act Annex IV 2(d)",
)
