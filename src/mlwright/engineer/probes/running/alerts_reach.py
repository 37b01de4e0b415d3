"""Alerts reach people."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.probes.running._records import count, server_of
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Count the channels to people, and the messages that did not leave."""
    server = server_of(repository)
    if server.channels is None:
        return unknown(f"{server.source} does not know of alerts")
    if not any(each.released for each in server.endpoints or ()):
        return no_question(f"{server.source}: nothing is served that an alert could be about")
    values = {"channels": server.channels, "overdue": server.undelivered}
    if server.channels == 0:
        return no(f"{server.source}: alerts go to no channel but its own log and pages", **values)
    if server.undelivered:
        return no(f"{server.source}: {server.undelivered} messages were tried and not delivered", **values)
    return yes(
        f"{server.source}: {count(server.channels, 'channel')} to people, no message overdue", **values
    )


PROBE = Probe(
    id="running.alerts_reach",
    title="alerts reach people",
    why="An alert that ends in a file is read after the damage.",
    remedy='[[notify]] kind = "webhook" url = "env:ALERTS_URL" in mlwright.toml, then mlwright tick',
    look=look,
    when=When.RUNNING,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="Beyer et al. 2016, Site Reliability Engineering, chapter 6",
)
