"""Does somebody else know what to do?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        files=(
            "*runbook*",
            "*playbook*.md",
            "*on-call*",
            "*oncall*",
            "*incident*.md",
            "*troubleshooting*.md",
        ),
        headings=(
            "runbook",
            "playbook",
            "on.?call",
            "incident (response|process)",
            "when (it|something) (breaks|goes wrong|fails)",
        ),
    )
    return shown(found, "a runbook stands here", "no runbook")


PROBE = Probe(
    id="recovery.runbook",
    title="a runbook says what to do when it breaks",
    why="The one who knows is on holiday: that is when it breaks.",
    remedy="write docs/runbook.md: how to see, how to roll back, whom to call; mlwright assess lists what is missing",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    elsewhere=True,
    source="Google SRE Book, ch. 11",
)
