"""Predictions are logged while the endpoint serves."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.facts.running import EndpointFact
from mlwright.engineer.probe import Answer, Probe, When, unknown, yes
from mlwright.engineer.probes.running._records import count, over_endpoints, server_of
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def _one(endpoint: EndpointFact) -> Answer:
    if endpoint.predictions and endpoint.last_prediction is not None:
        many = count(endpoint.predictions, "prediction")
        evidence = f"{endpoint.name}: {many} of the last 90 days, up to {endpoint.last_prediction:%Y-%m-%d}"
        return yes(evidence, predictions=endpoint.predictions)
    return unknown(f"{endpoint.name}: no prediction within 90 days")


def look(repository: Repository) -> Answer:
    """Count what is in the log of each endpoint; an endpoint that nobody asked is unknown."""
    server = server_of(repository)
    return over_endpoints(server, _one)


PROBE = Probe(
    id="running.predictions_logged",
    title="predictions are logged while the endpoint serves",
    why=(
        "What was not written down when it was answered can be neither evaluated, explained nor learned from."
    ),
    remedy="serve through mlwright up, which logs inputs, score and version of every prediction",
    look=look,
    when=When.RUNNING,
    severity=Severity.ERROR,
    effort=Effort.HOURS,
    source="Sculley et al. 2015, Hidden Technical Debt, monitoring",
)
