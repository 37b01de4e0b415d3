"""Runs record which data they used."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.probes.running._records import finished, server_of, share
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Count the newest finished runs that name their data: a logged data set, or a param such as ``data_version``."""
    return share(
        finished(server_of(repository)),
        lambda run: run.datasets > 0,
        "name the data that they used by version or digest",
    )


PROBE = Probe(
    id="running.runs_keep_data",
    title="runs record which data they used",
    why="Without the version of its data a model can be neither made again nor explained when it fails.",
    remedy=(
        "read rows by mlwright.examples(…), or call mlflow.log_input(mlflow.data.from_pandas(rows, "
        "name=…)) in the training script"
    ),
    look=look,
    when=When.RUNNING,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    source="Breck et al. 2017, The ML Test Score, Infra 1",
)
