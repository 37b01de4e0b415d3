"""Are Linux capabilities dropped?"""

from mlwright.engineer.facts.configuration import Container
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.workloads import below, each_must, own_containers
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_NOTHING = "no Kubernetes workload here"


def look(repository: Repository) -> Answer:
    """Ask each container of a workload."""
    return each_must(own_containers(repository), _fault, "{n} containers drop capabilities", _NOTHING)


def _fault(container: Container) -> str:
    added = below(container.spec, "securityContext", "capabilities", "add")
    if isinstance(added, list) and {"SYS_ADMIN", "ALL", "CAP_SYS_ADMIN"} & set(map(str, added)):
        return f"adds {', '.join(sorted(map(str, added)))}"
    dropped = below(container.spec, "securityContext", "capabilities", "drop")
    if dropped is None:
        return "drops nothing"
    return ""


PROBE = Probe(
    id="kubernetes.capabilities_dropped",
    title="containers drop the capabilities that they do not use",
    why="Default capabilities such as NET_RAW let a broken model server spoof its neighbours.",
    remedy="set securityContext.capabilities.drop: [ALL]",
    look=look,
    when=When.ALWAYS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Kubernetes Pod Security Standards (restricted)",
)
