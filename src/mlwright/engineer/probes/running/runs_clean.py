"""Runs ran what was committed."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.probes.running._records import finished, server_of, share
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Count the newest finished runs whose checkout had no changes; most MLflow runs cannot tell."""
    runs = finished(server_of(repository))
    return share(
        runs, lambda run: None if run.dirty is None else not run.dirty, "ran without uncommitted changes"
    )


PROBE = Probe(
    id="running.runs_clean",
    title="runs ran what was committed",
    why="A run with changes that were never committed names a commit that did not make its model.",
    remedy="commit before mlwright run, and let the schedule run from a clean checkout",
    look=look,
    when=When.RUNNING,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Breck et al. 2017, The ML Test Score, Infra 1",
)
