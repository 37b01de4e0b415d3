"""Do secrets stand in manifests?"""

import re

from mlwright.engineer.facts.configuration import Container
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.workloads import below, cluster_containers, each_must
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_SECRET = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY)$", re.IGNORECASE)
# No reference, no template, no path, no placeholder such as "changeme" or "<token>".
_LITERAL = re.compile(r"(?!.*(\{\{|\$[({]|change|example|xxx|<|placeholder|your))[^/\s]{6,}", re.IGNORECASE)
_NOTHING = "no Kubernetes workload here"


def look(repository: Repository) -> Answer:
    """Ask each container of a workload."""
    return each_must(
        cluster_containers(repository), _fault, "{n} containers, no secret in their environment", _NOTHING
    )


def _fault(container: Container) -> str:
    for each in container.spec.get("env") or ():
        name, value = below(each, "name"), below(each, "value")
        if (
            isinstance(name, str)
            and isinstance(value, str)
            and _SECRET.search(name)
            and _LITERAL.fullmatch(value)
        ):
            return f"{name} has its value in the file"
    return ""


PROBE = Probe(
    id="kubernetes.secrets_referenced",
    title="secrets are referenced, not written into manifests",
    why="A password in a manifest is in every clone, every backup and every screenshot.",
    remedy="move it to a Secret (sealed or external) and use valueFrom.secretKeyRef; change the secret",
    look=look,
    when=When.ALWAYS,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="OWASP Kubernetes Top Ten K08",
)
