"""Somebody chose what each endpoint promises."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.facts.running import EndpointFact
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.probes.running._records import over_endpoints, server_of
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def _one(endpoint: EndpointFact) -> Answer:
    if endpoint.slo is None:
        return unknown(f"{endpoint.name}: whether its limits were chosen cannot be told")
    if endpoint.slo:
        return yes(f"{endpoint.name} has an slo of its own")
    return no(f"{endpoint.name} has the default limits")


def look(repository: Repository) -> Answer:
    """See whether each endpoint has limits of its own in mlwright.toml."""
    return over_endpoints(server_of(repository), _one)


PROBE = Probe(
    id="running.slo_set",
    title="somebody chose what each endpoint promises",
    why="Without a promise nobody can say whether tonight's slowness is an incident.",
    remedy='slo = { latency_p99 = "50ms", availability = 0.999 } below [[endpoint]] in mlwright.toml',
    look=look,
    when=When.RUNNING,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Beyer et al. 2016, Site Reliability Engineering, chapter 4",
)
