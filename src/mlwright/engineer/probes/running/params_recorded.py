"""Runs record their params."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.probes.running._records import finished, server_of, share
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Count the newest finished runs with a param."""
    return share(finished(server_of(repository)), lambda run: bool(run.params), "have params")


PROBE = Probe(
    id="running.params_recorded",
    title="runs record their params",
    why="A good result whose settings nobody wrote down is luck that cannot be repeated.",
    remedy="give settings as arguments of the pipeline, or call mlflow.log_params(…)",
    look=look,
    when=When.RUNNING,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Kreuzberger et al. 2023, Machine Learning Operations, principle P5",
)
