"""Is it known who uses the predictions?"""

from typing import Final

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, yes
from mlwright.engineer.vocabulary.sections import MOST, sections, told
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_TITLES: Final = (
    r"(known |downstream |api |our )?(consumers|dependents)( .{0,30})?",
    r"downstream( (systems|users|services|applications))?",
    r"who (uses|depends on|calls) (it|this|us)( .{0,20})?",
    r"used by",
)


def look(repository: Repository) -> Answer:
    """Look for contracts of consumers, exposures of dbt, or a section that names them."""
    pacts = [Location(path=each.path) for each in repository.find("pacts/*.json", "*/pacts/*.json")]
    exposed = [each.at("exposures") for each in repository.of_kind(DocumentKind.DBT) if each.get("exposures")]
    for what, places in (("contracts of consumers", pacts), ("exposures of dbt", exposed)):
        if places:
            return yes(f"{what}: {places[0]}", *places[:MOST])
    found = sections(repository, *_TITLES)
    return told(found, "consumers are named", "no list of those who use the predictions")


PROBE = Probe(
    id="governance.consumers_declared",
    title="those who use the predictions are named",
    why="A consumer that nobody knows of breaks with the next change, or keeps it from being made.",
    remedy="list who calls the endpoint and for what, and give each a token or key of its own",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    elsewhere=True,
    source="Sculley et al. 2015, Hidden Technical Debt, undeclared consumers",
)
