"""Runs name the commit that they ran."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.probes.running._records import finished, server_of, share
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Count the newest finished runs with a git commit."""
    return share(
        finished(server_of(repository)), lambda run: bool(run.commit), "name the commit that they ran"
    )


PROBE = Probe(
    id="running.runs_name_commit",
    title="runs name the commit that they ran",
    why="Without the commit nobody can say which code made a model, and it cannot be made again.",
    remedy=(
        "keep the project in git and start runs inside of it: mlwright run and the mlflow client "
        "record the commit"
    ),
    look=look,
    when=When.RUNNING,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Breck et al. 2017, The ML Test Score, Infra 1",
)
