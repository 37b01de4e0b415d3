"""A contract has refused bad data."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, unknown, yes
from mlwright.engineer.probes.running._records import server_of
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for a check that refused. None is no fault: the data may have been good."""
    server = server_of(repository)
    if server.checks is None:
        return unknown(f"{server.source} does not record checks of data")
    refused = sorted((at, name) for name, at, kept in server.checks if not kept)
    total = len(server.checks)
    if not refused:
        return unknown(f"{server.source}: {total} checks of data, and none refused any yet", checks=total)
    at, name = refused[-1]
    evidence = f"{server.source}: {len(refused)} of {total} checks refused the data, the latest {name} on {at:%Y-%m-%d}"
    return yes(evidence, checks=total, refused=len(refused))


PROBE = Probe(
    id="running.checks_have_rejected",
    title="a contract has refused bad data",
    why="A contract that has never refused anything may be too wide to.",
    remedy="let mlwright check read a file with a column missing, and see it refuse",
    look=look,
    when=When.RUNNING,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    after="running.checks_recent",
    source="Breck et al. 2017, The ML Test Score, Monitor 2",
)
