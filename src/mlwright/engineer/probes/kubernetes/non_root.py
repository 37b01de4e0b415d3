"""Do containers of the cluster run as somebody else than root?"""

from mlwright.engineer.facts.configuration import Container
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.workloads import context, each_must, own_containers
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_NOTHING = "no Kubernetes workload here"


def look(repository: Repository) -> Answer:
    """Ask each container of a workload."""
    return each_must(
        own_containers(repository), _fault, "{n} containers say that they are not root", _NOTHING
    )


def _fault(container: Container) -> str:
    if context(container, "runAsUser") == 0:
        return "runAsUser is 0"
    if context(container, "runAsNonRoot") is None and context(container, "runAsUser") is None:
        return "neither runAsNonRoot nor runAsUser is set"
    return "runAsNonRoot is false" if context(container, "runAsNonRoot") is False else ""


PROBE = Probe(
    id="kubernetes.non_root",
    title="containers of the cluster do not run as root",
    why="A process that runs as root and escapes its container is root on the node.",
    remedy="set securityContext: {runAsNonRoot: true, runAsUser: 10001} at the pod",
    look=look,
    when=When.ALWAYS,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="Kubernetes Pod Security Standards (restricted)",
)
