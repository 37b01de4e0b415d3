"""Model versions name the run that made them."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.probes.running._records import registered, server_of, share
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Count the newest versions with a run."""
    return share(
        registered(server_of(repository)), lambda version: bool(version.run), "name the run that made them"
    )


PROBE = Probe(
    id="running.versions_from_runs",
    title="model versions name the run that made them",
    why="A version that nobody's run made cannot be traced to code, data or settings.",
    remedy="register inside of the run: mlwright.register(…), or log_model(…, registered_model_name=…)",
    look=look,
    when=When.RUNNING,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Kreuzberger et al. 2023, Machine Learning Operations, principle P4",
)
