"""Do manifests say which image they mean?"""

from mlwright.engineer.facts.configuration import Container
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.workloads import cluster_containers, each_must
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_NOTHING = "no Kubernetes workload here"


def look(repository: Repository) -> Answer:
    """Ask each container of a workload."""
    return each_must(cluster_containers(repository), _fault, "{n} containers name a version", _NOTHING)


def _fault(container: Container) -> str:
    image = str(container.image or "")
    if not image or "{" in image or "$" in image:
        return ""
    name = image.rpartition("/")[2]
    if "@sha256:" in image:
        return ""
    tag = name.rpartition(":")[2] if ":" in name else ""
    return f"{image} is latest" if tag == "latest" else f"{image} has no tag" if not tag else ""


PROBE = Probe(
    id="kubernetes.images_pinned",
    title="manifests name an image by version or digest",
    why="With latest nobody can say what ran yesterday, and a rollback brings back the same broken image.",
    remedy="use a version tag, better image@sha256:… as written by your CI",
    look=look,
    when=When.ALWAYS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Kubernetes documentation, Images; ML Test Score I7",
)
