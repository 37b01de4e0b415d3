"""Does ready mean that the model is there?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, unknown, yes
from mlwright.engineer.vocabulary.routes import calls_in, routes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look at what the readiness route reads."""
    ready = [each for each in routes(repository) if "ready" in each.path.lower() and each.answers is not None]
    if not ready:
        return unknown("no readiness route whose code could be read")
    for each in ready:
        function = each.answers
        looks = function is not None and (
            function.statements > 1 or any(True for _ in calls_in(each.file, function))
        )
        if looks:
            return yes(f"{each.path} looks before it answers", each.file.at(each.call))
    place = ready[0].file.at(ready[0].call)
    return unknown(f"{ready[0].path} answers without a look, unless the model is loaded at import", place)


PROBE = Probe(
    id="serving.ready_means_loaded",
    title="ready means that the model is loaded",
    why="Traffic that arrives before the model is loaded fails at each deployment.",
    remedy="answer 503 from the readiness route until the model is loaded and warm",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    source="Kubernetes documentation, probes",
)
