"""Model versions are described."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.probes.running._records import registered, server_of, share
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Count the newest versions with a description."""
    return share(
        registered(server_of(repository)),
        lambda version: version.described,
        "have a description, or their model has",
    )


PROBE = Probe(
    id="running.versions_described",
    title="model versions are described",
    why="Who has to choose between version 12 and 14 at night needs one sentence about each.",
    remedy="write a description: client.update_model_version(name, version, description=…)",
    look=look,
    when=When.RUNNING,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    source="Mitchell et al. 2019, Model Cards for Model Reporting",
)
