"""Model versions say what they take and give."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.probes.running._records import registered, server_of, share
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Count the newest versions with a signature."""
    return share(registered(server_of(repository)), lambda version: version.signature, "have a signature")


PROBE = Probe(
    id="running.versions_signed",
    title="model versions say what they take and give",
    why=("Without a signature a renamed or reordered column is answered with a wrong number and no error."),
    remedy=(
        "log the model with a signature: mlflow.models.infer_signature(inputs, outputs), or "
        "mlwright.register(…)"
    ),
    look=look,
    when=When.RUNNING,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Breck et al. 2017, The ML Test Score, Infra 7",
)
