"""The truth about predictions arrives."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.facts.running import EndpointFact
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.probes.running._records import MANY, over_endpoints, server_of
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def _one(endpoint: EndpointFact) -> Answer:
    figures = f"{endpoint.name}: {endpoint.labels} labels, {endpoint.ripe} predictions whose label is due"
    values = {"labels": endpoint.labels, "due": endpoint.ripe}
    if endpoint.labels:
        return yes(figures, **values)
    return no(figures, **values) if endpoint.ripe >= MANY else unknown(figures, **values)


def look(repository: Repository) -> Answer:
    """Count labels at each endpoint; FALSE only where 100 of them are due and none came."""
    return over_endpoints(server_of(repository), _one)


PROBE = Probe(
    id="running.labels_arrive",
    title="the truth about predictions arrives",
    why="Without labels nobody knows how good the model is today, only how good it was at its release.",
    remedy="mlwright feedback ENDPOINT --input labels.csv, from the job that learns the truth",
    look=look,
    when=When.RUNNING,
    severity=Severity.ERROR,
    effort=Effort.DAYS,
    source="Breck et al. 2017, The ML Test Score, Monitor 7",
)
