"""Can a scaler run away with the bill?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_MOST_IN = {
    "HorizontalPodAutoscaler": ("spec", "maxReplicas"),
    "ScaledObject": ("spec", "maxReplicaCount"),
    "InferenceService": ("spec", "predictor", "maxReplicas"),
}
_MOST_OF = {
    "aws_appautoscaling_target": "max_capacity",
    "aws_autoscaling_group": "max_size",
    "AWS::ApplicationAutoScaling::ScalableTarget": "MaxCapacity",
    "AWS::AutoScaling::AutoScalingGroup": "MaxSize",
}


def look(repository: Repository) -> Answer:
    """Look for an upper bound at every scaler."""
    bounded: list[Location] = []
    faults: list[tuple[str, Location]] = []
    for each in repository.objects(*_MOST_IN):
        if each.kind == "InferenceService" and each.document.get("spec", "predictor", "minReplicas") is None:
            continue  # says nothing of scaling: the platform's own bound holds
        if each.document.get(*_MOST_IN[each.kind]) is None:
            faults.append((f"{each.kind} {each.name} has no upper bound", each.at))
        else:
            bounded.append(each.at)
    for resource in repository.resources:
        key = _MOST_OF.get(resource.type)
        if key and isinstance(resource.properties, dict):
            if key in resource.properties:
                bounded.append(resource.at)
            else:
                faults.append((f"{resource.type} {resource.name} has no {key}", resource.at))
    if faults:
        return no(faults[0][0], *(place for _, place in faults), faults=len(faults))
    if not bounded:
        return no_question("no autoscaler here")
    return yes(f"{len(bounded)} autoscalers, all bounded", *bounded, scalers=len(bounded))


PROBE = Probe(
    id="cost.autoscaling_bounded",
    title="autoscalers have an upper bound",
    why="A retry storm scales an unbounded endpoint until the quota or the budget ends it.",
    remedy="set the largest number of replicas that the budget allows, and alert at 80 % of it",
    look=look,
    when=When.ALWAYS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="AWS Machine Learning Lens, auto scaling endpoints",
)
