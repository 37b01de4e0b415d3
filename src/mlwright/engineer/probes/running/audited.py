"""Every change of state is in an unbroken audit chain."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.probes.running._records import server_of
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """See whether the chain of audit rows is whole."""
    server = server_of(repository)
    if server.audited is None:
        return unknown(f"{server.source} keeps no chain of audit rows, or has none yet")
    if server.audited:
        return yes(f"{server.source}: every audit row fits the one before it")
    return no(f"{server.source}: an audit row was changed or removed after it was written")


PROBE = Probe(
    id="running.audited",
    title="every change of state is in an unbroken audit chain",
    why=("When something was changed and nobody knows by whom, the search for the cause starts from zero."),
    remedy="mlwright audit --verify names the row; restore the database from a backup made before it",
    look=look,
    when=When.RUNNING,
    severity=Severity.ERROR,
    effort=Effort.HOURS,
    source="Regulation (EU) 2024/1689, Article 12",
)
