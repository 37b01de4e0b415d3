"""Does the cluster know whether a container is well?"""

from mlwright.engineer.facts.configuration import Container
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.workloads import cluster_containers, each_must
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_NOTHING = "no Kubernetes workload here"


def look(repository: Repository) -> Answer:
    """Ask each container of a workload."""
    return each_must(
        cluster_containers(repository, "Deployment", "StatefulSet", "Rollout"),
        _fault,
        "{n} containers have readiness probes",
        _NOTHING,
    )


def _fault(container: Container) -> str:
    if container.spec.get("readinessProbe") is None:
        return "no readinessProbe"
    return ""


PROBE = Probe(
    id="kubernetes.probes",
    title="long-running containers have a readiness probe",
    why="Without a readiness probe traffic arrives before the model is loaded, and a hung server keeps getting it.",
    remedy="add readinessProbe (GET /v2/health/ready or your own route) and livenessProbe",
    look=look,
    when=When.ALWAYS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Kubernetes documentation, Configure Liveness, Readiness and Startup Probes",
)
