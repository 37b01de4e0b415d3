"""Do workloads say what they need?"""

from mlwright.engineer.facts.configuration import Container
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.workloads import below, cluster_containers, each_must
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Ask each container of a workload."""
    containers = cluster_containers(repository)
    return each_must(containers, _fault, "{n} containers say what they need", "no Kubernetes workload here")


def _fault(container: Container) -> str:
    requests = below(container.spec, "resources", "requests")
    if requests is None:
        # Kubernetes takes limits as requests where only those are given.
        return "" if below(container.spec, "resources", "limits") else "no resource requests"
    missing = [key for key in ("cpu", "memory") if isinstance(requests, dict) and key not in requests]
    return f"no request for {missing[0]}" if len(missing) == 2 else ""


PROBE = Probe(
    id="cost.requests_set",
    title="workloads request the CPU and memory that they need",
    why="Without requests the scheduler packs pods blindly: some nodes starve while others idle on the bill.",
    remedy="set resources.requests from a load test of the service",
    look=look,
    when=When.ALWAYS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Kubernetes documentation, Resource Management for Pods and Containers",
)
