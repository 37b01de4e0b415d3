"""What is served is retrained by itself."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.facts.running import EndpointFact
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.probes.running._records import count, over_endpoints, server_of
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def _one(endpoint: EndpointFact, ran: int) -> Answer:
    if not endpoint.released:
        return unknown(f"{endpoint.name}: nothing is served there yet")
    if not endpoint.retrain_on:
        return no(f"{endpoint.name}: nothing starts a retraining but a person")
    when = ", ".join(endpoint.retrain_on)
    if ran:
        return yes(f"{endpoint.name}: on {when}; {count(ran, 'run')} started without a person", runs=ran)
    return unknown(f"{endpoint.name}: on {when}, which has not happened yet")


def look(repository: Repository) -> Answer:
    """See what starts a retraining at each endpoint, and whether it ever did."""
    server = server_of(repository)
    ran = sum(1 for run in server.runs if run.scheduled)
    return over_endpoints(server, lambda endpoint: _one(endpoint, ran))


PROBE = Probe(
    id="running.retrains_by_itself",
    title="what is served is retrained by itself",
    why="A model that only people retrain is retrained after its users complain.",
    remedy=(
        'retrain = { pipeline = …, on = ["performance", "schedule:monthly"] } below [[endpoint]] '
        "in mlwright.toml"
    ),
    look=look,
    when=When.RUNNING,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    source="Google, MLOps: Continuous delivery and automation pipelines, level 1",
)
