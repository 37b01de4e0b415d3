"""Is training done again without being asked?"""

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_SCHEDULERS = ("dagster.ScheduleDefinition", "dagster.build_schedule_from_partitioned_job")


def look(repository: Repository) -> Answer:
    """Look for a schedule at a pipeline, or at a job that trains."""
    planned = [each for each in repository.pipelines if each.schedule]
    if planned:
        return yes(
            f"{planned[0].tool} {planned[0].name}: {planned[0].schedule}", *(each.at for each in planned[:10])
        )
    for file, call in repository.calls(*_SCHEDULERS):
        return yes(f"{call.name} at {file.at(call)}", file.at(call))
    for workflow in repository.workflows:
        steps = workflow.running(r"\b(re)?train\b", r"dvc repro", r"mlwright (run|retrain)")
        if workflow.crons and steps:
            return yes(f"{workflow.path}: {workflow.crons[0]}", *(step.at for step in steps[:5]))
    for document in repository.of_kind(DocumentKind.MLWRIGHT):
        for number, each in enumerate(document.get("endpoint") or ()):
            if isinstance(each, dict) and each.get("retrain"):
                return yes(
                    f"retrain of endpoint {each.get('name')}", document.at("endpoint", number, "retrain")
                )
    return no("no schedule of training here")


PROBE = Probe(
    id="pipeline.scheduled",
    title="training is done again by schedule or trigger",
    why="A model that nobody retrains is a decision to be wrong later.",
    remedy="add a schedule to the pipeline, or retrain = { on = [schedule:monthly] } in mlwright.toml",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    elsewhere=True,
    source="ML Test Score Monitor 4; Google MLOps level 1",
)
