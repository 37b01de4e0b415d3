"""Is there a way back?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        files=("*rollback*", "*roll_back*", "*roll-back*", "mlwright.toml"),
        robots=("rollback", "roll-back", "rollout undo", "revert.*(model|deploy)"),
        headings=("roll(ing)?.?back", "revert"),
        calls=("*rollback*", "*roll_back*", "*restore_previous*", "*previous_version*"),
    )
    return shown(found, "there is a way back", "no rollback in CI, scripts or documents")


PROBE = Probe(
    id="release.rollback",
    title="there is a way back to the version before",
    why="When the new model is wrong, the way back has to be one command that somebody knows.",
    remedy="keep the last versions and write the command down (helm rollback, kubectl rollout undo)",
    look=look,
    when=When.SERVES,
    severity=Severity.ERROR,
    effort=Effort.HOURS,
    elsewhere=True,
    source="ML Test Score Infra 7",
)
