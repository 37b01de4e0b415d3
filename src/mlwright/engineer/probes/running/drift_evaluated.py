"""Drift of the inputs was measured within the last 35 days."""

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
    at, last = endpoint.last_drift, endpoint.last_prediction
    if at is not None and recent(at, server.seen):
        return yes(
            f"{endpoint.name}: drift measured on what was due by {at:%Y-%m-%d}",
            age_days=days_before(at, server.seen),
        )
    said = (
        f"{endpoint.name}: drift last measured on what was due by {at:%Y-%m-%d}"
        if at
        else f"{endpoint.name}: drift never measured"
    )
    if last is None or endpoint.ripe < MANY:
        return unknown(f"{said}, on {endpoint.ripe} predictions of the last 90 days")
    since = at or endpoint.first_prediction or last
    if last - since > RECENT:
        return no(f"{said}, and predictions came until {last:%Y-%m-%d}", predictions=endpoint.predictions)
    return unknown(f"{said}; predictions came until {last:%Y-%m-%d}")


def look(repository: Repository) -> Answer:
    """See up to when drift was measured; FALSE only where predictions were logged for 35 days since."""
    server = server_of(repository)
    return over_endpoints(server, lambda endpoint: _one(endpoint, server))


PROBE = Probe(
    id="running.drift_evaluated",
    title="drift of the inputs was measured within the last 35 days",
    why=("When inputs move, the cause of a decay is found in minutes if it was measured, in weeks if not."),
    remedy="keep mlwright up running, or let cron call mlwright tick",
    look=look,
    when=When.RUNNING,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    source="Breck et al. 2017, The ML Test Score, Monitor 3",
)
