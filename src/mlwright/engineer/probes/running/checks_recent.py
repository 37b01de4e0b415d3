"""Data was checked against its contract within the last 35 days."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.probes.running._records import RECENT, count, days_before, finished, recent, server_of
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """See when a contract was last checked, and whether data was used since."""
    server = server_of(repository)
    if server.checks is None:
        return unknown(f"{server.source} does not record checks of data")
    runs = finished(server).items
    if not server.checks:
        used = [run for run in runs if run.datasets]
        if used:
            without = f"of the {count(len(used), 'newest run')} with data in {server.source}"
            return no(f"{without} none checked it against a contract")
        return unknown(f"{server.source} has no run that used data")
    name, at, _ = max(server.checks, key=lambda each: (each[1], each[0]))
    age = days_before(at, server.seen)
    evidence = f"{server.source}: {name} was last checked {count(age, 'day')} before ({at:%Y-%m-%d})"
    if recent(at, server.seen):
        return yes(evidence, age_days=age, limit_days=RECENT.days)
    if any(run.datasets and run.started > at and recent(run.started, server.seen) for run in runs):
        return no(f"{evidence}, and runs have used data since", age_days=age, limit_days=RECENT.days)
    return unknown(f"{evidence}; no run has used data since", age_days=age, limit_days=RECENT.days)


PROBE = Probe(
    id="running.checks_recent",
    title="data was checked against its contract within the last 35 days",
    why="Data that nobody checks is wrong for weeks before a model shows it.",
    remedy="name a contract for each [[dataset]] in mlwright.toml, then mlwright check",
    look=look,
    when=When.RUNNING,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    source="Breck et al. 2017, The ML Test Score, Monitor 2",
)
