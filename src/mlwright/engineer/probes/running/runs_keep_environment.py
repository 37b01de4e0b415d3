"""Runs record the packages that they ran on."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.probes.running._records import finished, server_of, share
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Count the newest finished runs with their packages."""
    return share(
        finished(server_of(repository)), lambda run: run.environment, "record the packages that they ran on"
    )


PROBE = Probe(
    id="running.runs_keep_environment",
    title="runs record the packages that they ran on",
    why=(
        "The same code with other packages is another model; without the list the difference is never found."
    ),
    remedy="train with mlwright run, or log the model with mlflow.log_model (it carries its requirements)",
    look=look,
    when=When.RUNNING,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    source="Breck et al. 2017, The ML Test Score, Infra 1",
)
