"""Does the service survive one broken machine?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look at replicas of Deployments that open a port, and at the scalers that take their place."""
    scaled = {
        str(each.document.get("spec", "scaleTargetRef", "name")) for each in repository.objects(*_SCALERS)
    }
    single = []
    several = []
    for each in repository.objects("Deployment", "StatefulSet", "Rollout"):
        open = [
            c
            for c in repository.containers
            if c.workload == each.name and c.kind == each.kind and c.spec.get("ports")
        ]
        replicas = each.document.get("spec", "replicas")
        if not open or each.templated:
            continue
        if each.name in scaled or (isinstance(replicas, int) and replicas > 1):
            several.append(each)
        elif replicas is None or replicas == 1:
            single.append(each)
    if single:
        return no(
            f"{single[0].kind} {single[0].name} runs once", *(each.at for each in single), single=len(single)
        )
    if not several:
        return no_question("no Kubernetes workload here that opens a port")
    return yes(f"{len(several)} services run more than once", *(each.at for each in several))


_SCALERS = ("HorizontalPodAutoscaler", "ScaledObject")

PROBE = Probe(
    id="recovery.redundancy",
    title="services run more than once",
    why="With one replica each node upgrade and each deployment is an outage.",
    remedy="set replicas: 2 (or an autoscaler with minReplicas: 2) and a PodDisruptionBudget",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="AWS Well-Architected REL11",
)
