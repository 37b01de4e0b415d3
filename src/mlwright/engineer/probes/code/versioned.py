"""Is it under version control?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, unknown, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for git's history. Without one this may be a source release: nothing is claimed."""
    history = repository.history
    if history is None:
        return unknown("no git history here: a release, an export, or never committed")
    more = "+" if history.commits >= history.limit else ""
    return yes(f"{history.commits}{more} commits by {history.authors} people", commits=history.commits)


PROBE = Probe(
    id="code.versioned",
    title="code is under version control",
    why="Without history nobody can say what trained the model that runs.",
    remedy="git init && git add . && git commit -m 'First state'",
    look=look,
    when=When.ALWAYS,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="ML Test Score Model 1; Kreuzberger P4",
)
