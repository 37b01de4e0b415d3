"""Is any container privileged?"""

from mlwright.engineer.facts.configuration import Container
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.workloads import cluster_containers, context, each_must
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_NOTHING = "no Kubernetes workload here"


def look(repository: Repository) -> Answer:
    """Ask each container of a workload."""
    return each_must(cluster_containers(repository), _fault, "{n} containers, none is privileged", _NOTHING)


def _fault(container: Container) -> str:
    if context(container, "privileged") is True:
        return "privileged: true"
    if context(container, "allowPrivilegeEscalation") is True:
        return "allowPrivilegeEscalation: true"
    return ""


PROBE = Probe(
    id="kubernetes.not_privileged",
    title="no container is privileged",
    why="A privileged container owns the node that it runs on.",
    remedy="delete privileged: true; add the one capability that is needed",
    look=look,
    when=When.ALWAYS,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="Kubernetes Pod Security Standards (baseline)",
)
