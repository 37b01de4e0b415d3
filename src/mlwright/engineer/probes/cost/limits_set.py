"""Is the memory of workloads bounded?"""

from mlwright.engineer.facts.configuration import Container
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.workloads import below, cluster_containers, each_must
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Ask each container of a workload."""
    containers = cluster_containers(repository)
    return each_must(containers, _fault, "{n} containers have limits", "no Kubernetes workload here")


def _fault(container: Container) -> str:
    limits = below(container.spec, "resources", "limits")
    if limits is None:
        return "no memory limit"
    return "no memory limit" if isinstance(limits, dict) and "memory" not in limits else ""


PROBE = Probe(
    id="cost.limits_set",
    title="the memory of workloads is bounded",
    why="One leaking model server without a limit takes the whole node down with it.",
    remedy="set resources.limits.memory a third above the measured peak",
    look=look,
    when=When.ALWAYS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Kubernetes documentation, Resource Management for Pods and Containers",
)
