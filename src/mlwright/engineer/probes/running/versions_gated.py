"""Model versions passed a gate before they were registered."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.probes.running._records import registered, server_of, share
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Count the newest versions whose run asked a gate."""
    return share(
        registered(server_of(repository)), lambda version: version.gated, "come from a run that asked a gate"
    )


PROBE = Probe(
    id="running.versions_gated",
    title="model versions passed a gate before they were registered",
    why="Without a gate the worst model of the year is registered as easily as the best.",
    remedy='end the pipeline with gate(scores.auc > …, "…") before register(…)',
    look=look,
    when=When.RUNNING,
    severity=Severity.ERROR,
    effort=Effort.HOURS,
    source="Breck et al. 2017, The ML Test Score, Infra 4",
)
