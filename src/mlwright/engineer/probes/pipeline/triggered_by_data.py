"""Does new data or falling quality start training?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        packages=(
            "airflow.sensors",
            "airflow.providers.google.cloud.sensors",
            "airflow.providers.amazon.aws.sensors",
            "airflow.datasets",
            "prefect.events",
        ),
        calls=(
            "*Sensor",
            "dagster.sensor",
            "*asset_sensor",
            "airflow.Dataset",
            "*trigger_retrain*",
            "*retrain_if*",
            "*should_retrain*",
            "*start_retraining*",
        ),
        objects=("Sensor", "EventSource", "Trigger"),
        robots=("repository_dispatch",),
        files=("mlwright.toml",),
    )
    return shown(found, "training is triggered", "nothing but people and clocks starts training")


PROBE = Probe(
    id="pipeline.triggered_by_data",
    title="new data or falling quality starts training",
    why="A calendar retrains too late after a change and too often without one.",
    remedy="add a sensor or webhook: retrain on performance (mlwright.toml: retrain on = [performance])",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    effort=Effort.DAYS,
    elsewhere=True,
    source="Google MLOps level 1; Microsoft level 4",
)
