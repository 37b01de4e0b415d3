"""Is there one place where features are defined?"""

from itertools import combinations

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.columns import feature_lists
from mlwright.engineer.vocabulary.sides import feature_functions
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_STORES = (
    "feast",
    "tecton",
    "hopsworks",
    "hsfs",
    "featureform",
    "databricks.feature_store",
    "databricks.feature_engineering",
    "sagemaker.feature_store",
    "chalk",
    "featuretools",
    "hamilton",
    "fennel",
)
_REPEATED = 3


def look(repository: Repository) -> Answer:
    """Look for a feature store or a module of features; the same columns listed in two files are a fault."""
    found = [*repository.importing(*_STORES)]
    found += [Location(path=each.path) for each in repository.find("feature_store.yaml")]
    found += [
        each.at("feature_view")
        for each in repository.documents
        if each.path.endswith("mlwright.toml") and each.get("feature_view")
    ]
    if found:
        return yes("features are declared in a feature store or as feature views", *found[:SHOWN])
    lists = [(at, frozenset(columns)) for _, at, columns in feature_lists(repository)]
    twice = [
        (one, other, mine & theirs)
        for (one, mine), (other, theirs) in combinations(lists, 2)
        if one.path != other.path and len(mine & theirs) >= _REPEATED
    ]
    if twice:
        one, other, shared = twice[0]
        return no(
            f"{listed(shared, 3)} are listed in {one} and again in {other}",
            *sorted({place for first, second, _ in twice for place in (first, second)})[:SHOWN],
            pairs=len(twice),
        )
    functions = feature_functions(repository)
    paths = sorted({file.path for file, _ in functions})
    if len(paths) == 1:
        return yes(
            f"features are made in {paths[0]} ({counted(len(functions), 'function')})",
            *[file.at(each) for file, each in functions][:SHOWN],
        )
    if len({at.path for at, _ in lists}) == 1:
        return yes("the columns of the model are listed in one file", *[at for at, _ in lists][:SHOWN])
    return unknown("no feature store, list or module of features was recognised")


PROBE = Probe(
    id="data.feature_definitions",
    title="features are defined in one place",
    why="A feature that lives in two lists reaches one of them first, and the other one serves.",
    remedy="keep one list (or feature view) and import it where rows are made and where they are asked for",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    effort=Effort.DAYS,
    source="ML Test Score (Breck et al. 2017), Data 6",
)
