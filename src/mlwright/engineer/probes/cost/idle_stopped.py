"""Does what nobody uses stop?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.cloud import of_types, prop
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_NOTEBOOKS = (
    "aws_sagemaker_notebook_instance",
    "AWS::SageMaker::NotebookInstance",
    "google_workbench_instance",
)
_CLUSTERS = ("databricks_cluster", "google_dataproc_cluster", "azurerm_machine_learning_compute_cluster")
_ENDS = (
    "lifecycle_config_name",
    "LifecycleConfigName",
    "autotermination_minutes",
    "lifecycle_config",
    "idle_delete_ttl",
    "scale_settings",
    "metadata",  # of a Workbench instance, where idle-timeout-seconds stands
)


def look(repository: Repository) -> Answer:
    """Look for an end at notebooks and clusters, and for services that scale to zero."""
    machines = of_types(repository, (*_NOTEBOOKS, *_CLUSTERS))
    endless = [each for each in machines if prop(each, *_ENDS) is None]
    if endless:
        evidence = f"{endless[0].type} {endless[0].name} has no idle time-out"
        return no(evidence, *(each.at for each in endless), machines=len(machines))
    ending: list[Location] = [each.at for each in machines]
    for each in repository.objects("InferenceService", "ScaledObject", "Service"):
        least = (
            each.document.get("spec", "predictor", "minReplicas"),
            each.document.get("spec", "minReplicaCount"),
        )
        if 0 in least:
            ending.append(each.at)
    if ending:
        return yes(f"{len(ending)} things stop when nobody uses them", *ending)
    return no_question("no notebook machine, cluster or scaler that could stand idle")


PROBE = Probe(
    id="cost.idle_stopped",
    title="what nobody uses stops by itself",
    why="An idle GPU endpoint or notebook costs the same as a busy one, each hour of each weekend.",
    remedy="set an idle time-out or a minimum of zero replicas",
    look=look,
    when=When.ML,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    source="AWS Machine Learning Lens MLCOST-29",
)
