"""Are pipelines themselves delivered?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        robots=(
            "dvc repro",
            "dvc exp",
            "cml ",
            "kfp ",
            "upload_pipeline",
            "airflow",
            "prefect deploy",
            "dagster.*deploy",
            "dagster-cloud",
            "zenml pipeline",
            "flytectl",
            "pyflyte register",
            "metaflow",
            "argo (submit|template|cron)",
            "az ml job",
            "sagemaker.*pipeline",
            "gcloud ai.*pipeline",
            "databricks bundle",
            "mlwright run",
        ),
    )
    return shown(found, "CI delivers pipelines", "no step of CI delivers the pipeline")


PROBE = Probe(
    id="pipeline.deployed_by_ci",
    title="CI delivers the training pipeline",
    why="A pipeline that is deployed from a laptop is not the one that was reviewed.",
    remedy="let CI compile and upload the pipeline (kfp, sagemaker, vertex, airflow sync) after its tests",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    effort=Effort.DAYS,
    elsewhere=True,
    source="Google MLOps level 2",
)
