"""Is it written down what each feature costs?"""

import re

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, unsupported, yes
from mlwright.engineer.vocabulary.columns import feature_columns
from mlwright.engineer.vocabulary.sources import NO_TABLES, literal, only_bundled, reads_tables, table_reads
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_NAMES = re.compile(r"feature_?(costs?|latency|latencies|budget)|costs?_(of|per|by)_features?")
_TEXT = re.compile(
    r"(costs?|latency) (of|per|by) (each |a |every )?features?|features? (costs?|latency)", re.IGNORECASE
)


def look(repository: Repository) -> Answer:
    """Look for a table, a setting or a text that puts a cost on features."""
    found = [
        Location(path=each.path)
        for each in repository.python
        if any("feature" in word and _NAMES.search(word) for word in each.words)
    ]
    found += [Location(path=each.path) for each in repository.find("*feature*cost*", "*feature*latenc*")]
    for text in repository.texts:
        said = _TEXT.search(text.content)
        if said:
            found.append(Location(path=text.path, line=text.content.count("\n", 0, said.start()) + 1))
    found += [
        each.at()
        for each in repository.documents
        if isinstance(each.data, dict) and any(_NAMES.search(str(key)) for key in each.data)
    ]
    if found:
        return yes("costs of features are written down", *found[:SHOWN], places=len(found))
    if only_bundled(repository):
        return no_question("the features come with a public data set")
    if not reads_tables(repository):
        return unsupported(NO_TABLES)
    tables = len({literal(call) or f"{file.path}:{call.line}" for file, call in table_reads(repository)})
    features = len(feature_columns(repository))
    if tables < 2:
        return unknown(
            "the columns come from one table; whoever makes it knows what they cost", features=features
        )
    return no(
        f"columns come from {counted(tables, 'table')}, and nothing says what any costs in time or money",
        tables=tables,
        features=features,
    )


PROBE = Probe(
    id="data.feature_costs",
    title="what each feature costs is written down",
    why="The slowest lookup and the dearest provider decide what a prediction costs, and nobody sees whose they are.",
    remedy="keep a table beside the features: source, milliseconds per lookup, money per 1,000, what it is worth",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    source="ML Test Score (Breck et al. 2017), Data 3",
)
