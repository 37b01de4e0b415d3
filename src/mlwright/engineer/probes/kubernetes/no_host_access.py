"""Does a workload reach into its node?"""

from mlwright.engineer.facts.configuration import Container
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.workloads import below, cluster_containers, each_must
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_NOTHING = "no Kubernetes workload here"


def look(repository: Repository) -> Answer:
    """Ask each container of a workload."""
    return each_must(
        cluster_containers(repository),
        _fault,
        "{n} containers, none uses the host's namespaces or files",
        _NOTHING,
    )


def _fault(container: Container) -> str:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if below(container.pod, key) is True:
            return f"{key}: true"
    volumes = below(container.pod, "volumes")
    paths = [str(path) for each in volumes or () if (path := below(each, "hostPath", "path"))]
    return f"mounts {paths[0]} of the node" if paths and container.kind != "DaemonSet" else ""


PROBE = Probe(
    id="kubernetes.no_host_access",
    title="no workload reaches into its node",
    why="A host path or the host network turns one broken container into a broken node.",
    remedy="replace hostPath by a volume claim; drop hostNetwork, hostPID, hostIPC",
    look=look,
    when=When.ALWAYS,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="Kubernetes Pod Security Standards (baseline)",
)
