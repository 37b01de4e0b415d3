"""Was the way back tried?"""

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
            "*drill*",
            "*game-day*",
            "*gameday*",
            "*chaos*",
            "*restore_test*",
            "*test_rollback*",
            "*rollback_test*",
        ),
        robots=("rollback.*drill", "test.*rollback", "restore.*test"),
        headings=("\\bdrills?\\b", "game ?day", "restore test"),
        objects=("ChaosEngine", "PodChaos", "NetworkChaos"),
    )
    return shown(found, "it was tried", "no drill is scripted or recorded")


PROBE = Probe(
    id="recovery.drill",
    title="the way back is tried before it is needed",
    why="A rollback or restore that nobody has tried does not work.",
    remedy="roll back once in staging and write down how long it took",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    elsewhere=True,
    source="ML Test Score Infra 7",
)
