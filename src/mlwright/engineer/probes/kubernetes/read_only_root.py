"""Is the root file system read-only?"""

from mlwright.engineer.facts.configuration import Container
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.workloads import context, each_must, own_containers
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_NOTHING = "no Kubernetes workload here"


def look(repository: Repository) -> Answer:
    """Ask each container of a workload."""
    return each_must(own_containers(repository), _fault, "{n} containers have a read-only root", _NOTHING)


def _fault(container: Container) -> str:
    given = context(container, "readOnlyRootFilesystem")
    return "readOnlyRootFilesystem is not set" if given is None else "it is false" if given is False else ""


PROBE = Probe(
    id="kubernetes.read_only_root",
    title="the root file system of containers is read-only",
    why="Whoever breaks in can replace the model or the program in a writable image.",
    remedy="set securityContext.readOnlyRootFilesystem: true and mount an emptyDir at /tmp",
    look=look,
    when=When.ALWAYS,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    source="CIS Kubernetes Benchmark 5.2; NSA/CISA Kubernetes Hardening Guide",
)
