"""Runs record metrics."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.probes.running._records import finished, server_of, share
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Count the newest finished runs with a metric."""
    return share(finished(server_of(repository)), lambda run: bool(run.metrics), "have metrics")


PROBE = Probe(
    id="running.metrics_recorded",
    title="runs record metrics",
    why=("A run without a figure cannot be compared with the next one, so progress is a matter of memory."),
    remedy="log what the evaluation measured: mlwright.evaluate(…) or mlflow.log_metrics(…)",
    look=look,
    when=When.RUNNING,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Kreuzberger et al. 2023, Machine Learning Operations, principle P5",
)
