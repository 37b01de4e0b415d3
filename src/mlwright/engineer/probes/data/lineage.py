"""Is it kept what was made from what?"""

from collections.abc import Iterator

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, yes
from mlwright.engineer.vocabulary.packages import calls_of, imports_of
from mlwright.engineer.vocabulary.words import SHOWN, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_PACKAGES = {
    "openlineage": "OpenLineage",
    "datahub": "DataHub",
    "marquez_client": "Marquez",
    "ml_metadata": "ML Metadata",
    "tfx": "ML Metadata",
    "zenml": "ZenML",
    "dagster": "Dagster assets",
    "kedro": "Kedro",
    "sagemaker.lineage": "SageMaker lineage",
    "metaflow": "Metaflow",
    "clearml": "ClearML",
    "mlwright": "mlwright",
    "hamilton": "Hamilton",
    "flytekit": "Flyte",
}
_CALLS = {"*.log_input": "mlflow.log_input", "*.use_artifact": "wandb artifacts"}
_TOOLS = {
    "dvc": "DVC",
    "kedro": "Kedro",
    "snakemake": "Snakemake",
    "zenml": "ZenML",
    "metaflow": "Metaflow",
    "dagster": "Dagster",
}


def look(repository: Repository) -> Answer:
    """Look for tools that keep inputs and outputs of each step."""
    found = sorted(_kept(repository), key=lambda each: (each[1].path, each[1].line or 0, each[0]))
    if found:
        return yes(f"kept by {listed(how for how, _ in found)}", *(at for _, at in found[:SHOWN]))
    return no("no lineage tool, DVC stage or logged input is seen")


def _kept(repository: Repository) -> Iterator[tuple[str, Location]]:
    yield from imports_of(repository.production, _PACKAGES)
    yield from ((how, file.at(call)) for how, file, call in calls_of(repository, _CALLS))
    yield from ((_TOOLS[each.tool], each.at) for each in repository.pipelines if each.tool in _TOOLS)
    yield from (("dbt", each.at()) for each in repository.of_kind(DocumentKind.DBT))
    yield from (("mlwright", each.at()) for each in repository.of_kind(DocumentKind.MLWRIGHT))


PROBE = Probe(
    id="data.lineage",
    title="it is kept which data each model was made from",
    why="When a source turns out wrong, the question is which models learned from it.",
    remedy="declare inputs and outputs of each step (dvc stage add -d … -o …), or log them (mlflow.log_input)",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    effort=Effort.DAYS,
    elsewhere=True,
    source="Kreuzberger et al. 2022, principle 7; AWS ML Lens, lineage tracker",
)
