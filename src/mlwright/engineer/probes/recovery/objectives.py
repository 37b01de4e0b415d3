"""Is it known how much may be lost, and for how long?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        files=("*disaster*recovery*", "*rpo*rto*", "*dr-plan*", "*dr_plan*"),
        headings=("\\bRPO\\b", "\\bRTO\\b", "recovery (point|time|objectives?)", "disaster recovery"),
    )
    return shown(found, "objectives are written", "no recovery objectives")


PROBE = Probe(
    id="recovery.objectives",
    title="what may be lost, and for how long, is written down",
    why="At three in the morning nobody can decide how much data may go.",
    remedy="write RPO and RTO for the registry, the prediction log and the endpoint into the runbook",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    elsewhere=True,
    source="AWS Well-Architected REL13",
)
