"""Realised quality was evaluated within the last 35 days."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.facts.running import EndpointFact, ServerFacts
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.probes.running._records import (
    MANY,
    RECENT,
    days_before,
    over_endpoints,
    recent,
    server_of,
)
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def _one(endpoint: EndpointFact, server: ServerFacts) -> Answer:
    at, label = endpoint.last_evaluation, endpoint.last_label
    if at is not None and recent(at, server.seen):
        return yes(
            f"{endpoint.name}: evaluated on what was due by {at:%Y-%m-%d}",
            age_days=days_before(at, server.seen),
        )
    said = (
        f"{endpoint.name}: last evaluated on what was due by {at:%Y-%m-%d}"
        if at
        else f"{endpoint.name}: never evaluated"
    )
    if label is None or endpoint.labels < MANY:
        return unknown(f"{said}, on {endpoint.labels} labels of the last 90 days")
    since = at or endpoint.first_prediction or label
    if label - since > RECENT:
        return no(f"{said}, and labels came until {label:%Y-%m-%d}", labels=endpoint.labels)
    return unknown(f"{said}; labels came until {label:%Y-%m-%d}")


def look(repository: Repository) -> Answer:
    """See up to when each endpoint was evaluated; FALSE only where labels came for 35 days since."""
    server = server_of(repository)
    return over_endpoints(server, lambda endpoint: _one(endpoint, server))


PROBE = Probe(
    id="running.quality_evaluated",
    title="realised quality was evaluated within the last 35 days",
    why="A model decays without a sound; only its quality on what has happened since shows it.",
    remedy="keep mlwright up running, or let cron call mlwright tick",
    look=look,
    when=When.RUNNING,
    severity=Severity.ERROR,
    effort=Effort.HOURS,
    source="Breck et al. 2017, The ML Test Score, Monitor 7",
)
