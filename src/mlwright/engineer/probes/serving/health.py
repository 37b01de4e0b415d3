"""Can a load balancer ask whether the service is well?"""

import re

from mlwright.engineer.facts.code import Class, Function, PythonFile
from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.routes import routes
from mlwright.engineer.vocabulary.sides import MODEL_SERVERS, serving_files
from mlwright.engineer.vocabulary.signs import signs
from mlwright.engineer.vocabulary.words import counted
from mlwright.engineer.vocabulary.workloads import cluster_containers
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_HEALTH = re.compile(r"(health|ready|live|ping|status|heartbeat)", re.IGNORECASE)


def look(repository: Repository) -> Answer:
    """Look for a route, a probe of the cluster, or a server that brings its own."""
    standard = list(
        signs(repository, packages=MODEL_SERVERS, objects=("InferenceService", "SeldonDeployment"))
    )
    found = [
        (f"route {each.path}", each.file.at(each.call))
        for each in routes(repository)
        if _HEALTH.search(each.path)
    ]
    found += [
        (f"{each.kind} {each.workload} has a probe", each.at)
        for each in cluster_containers(repository)
        if each.spec.get("readinessProbe") or each.spec.get("livenessProbe")
    ]
    if repository.of_kind(DocumentKind.MLWRIGHT):
        found.append(("mlwright answers /v2/health/ready", repository.of_kind(DocumentKind.MLWRIGHT)[0].at()))
    if found or standard:
        said, _ = (found or standard)[0]
        return yes(f"{said}", *(place for _, place in (found or standard)[:10]))
    named = [place for file in serving_files(repository) if (place := _named(file)) is not None]
    if named:
        return yes("something here is named after health", *named[:10])
    own = list(routes(repository))
    if own:
        return no(
            f"{counted(len(own), 'route')}, none for health", own[0].file.at(own[0].call), routes=len(own)
        )
    return unknown("no route could be read: how it serves is not understood")


def _named(file: PythonFile) -> Location | None:
    """Where a class, function or path of a file is named after health, whichever way the framework registers it."""
    defined: tuple[Class | Function, ...] = (*file.classes, *file.functions)
    for each in defined:
        if _NAMES.fullmatch(each.name.rpartition(".")[2].lower()):
            return file.at(each)
    for text, line in file.paths:
        if text.startswith("/") and _HEALTH.search(text):
            return Location(path=file.path, line=None if file.notebook else line)
    return None


_NAMES = re.compile(
    r"(get_|is_|check_)?(health|health_?check|healthz|ready|readyz|readiness|alive|live|livez|liveness|ping|heartbeat)"
    r"(_?(check|handler|resource|view|endpoint|status|route|probe))?"
)

PROBE = Probe(
    id="serving.health",
    title="the service says whether it is well",
    why="A load balancer that cannot ask keeps sending requests to a server that hangs.",
    remedy="add GET /health/live and /health/ready (the model is loaded)",
    look=look,
    when=When.SERVES,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="Kubernetes documentation, probes; Open Inference Protocol v2, health",
)
