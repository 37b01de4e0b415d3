"""Does a declaration say what the training data must look like?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, unsupported, yes
from mlwright.engineer.vocabulary.learning import feeds
from mlwright.engineer.vocabulary.sources import NO_TABLES, only_bundled, reads_tables, table_reads
from mlwright.engineer.vocabulary.validation import checks_by_hand, declared
from mlwright.engineer.vocabulary.words import SHOWN, counted, enumerated, listed
from mlwright.model.contracts import Severity


def look(repository: Repository) -> Answer:
    """Look for tools that declare expectations; checks written by hand leave the question open."""
    found = declared(repository)
    if found:
        tools = listed(tool for tool, _ in found)
        return yes(f"declared with {tools}", *(at for _, at in found[:SHOWN]), declarations=len(found))
    if only_bundled(repository):
        return no_question("the only data seen is public and comes with a library")
    by_hand = checks_by_hand(repository)
    if by_hand:
        names = enumerated([name for name, _ in by_hand], 3)
        return unknown(
            f"{names} may check the data by hand; a declared schema would tell which columns, and for what",
            *(at for _, at in by_hand[:SHOWN]),
        )
    if not reads_tables(repository):
        return unsupported(NO_TABLES)
    reads = [(file, call) for file, call in table_reads(repository)]
    feeding = feeds(repository)
    read = [file.at(call) for file, call in reads if file.path in feeding]
    if reads and not read:
        return unknown(
            f"tables are read at {counted(len(reads), 'place')}, none of them seen to reach a training",
            *[file.at(call) for file, call in reads][:SHOWN],
        )
    return no(
        f"tables are read at {counted(len(read), 'place')}, and no schema, contract or expectation is declared",
        *read[:SHOWN],
        reads=len(read),
    )


PROBE = Probe(
    id="data.contract",
    title="expectations on the training data are declared",
    why="A column that changes its unit or fills with nulls trains a worse model without any error.",
    remedy="write down types, ranges and nulls of each column: mlwright assess --fix contract drafts it from a sample",
    look=look,
    when=When.TRAINS,
    severity=Severity.ERROR,
    fix="contract",
    source="ML Test Score (Breck et al. 2017), Data 1",
)
