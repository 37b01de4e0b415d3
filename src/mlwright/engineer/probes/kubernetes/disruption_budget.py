"""Does maintenance of the cluster leave a replica standing?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for a budget where a workload asks for several replicas."""
    several = [
        each
        for each in repository.objects("Deployment", "StatefulSet", "Rollout")
        if isinstance(replicas := each.document.get("spec", "replicas"), int) and replicas > 1
    ]
    if not several:
        return no_question("no workload with several replicas here")
    budgets = repository.objects("PodDisruptionBudget")
    if budgets:
        return yes(f"PodDisruptionBudget {budgets[0].name}", *(each.at for each in budgets))
    return no(f"{several[0].kind} {several[0].name} has replicas and no PodDisruptionBudget", several[0].at)


PROBE = Probe(
    id="kubernetes.disruption_budget",
    title="maintenance of the cluster leaves replicas standing",
    why="A node upgrade may take all replicas at once.",
    remedy="add a PodDisruptionBudget with minAvailable: 1",
    look=look,
    when=When.ALWAYS,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    source="Kubernetes documentation, Specifying a Disruption Budget for your Application",
)
