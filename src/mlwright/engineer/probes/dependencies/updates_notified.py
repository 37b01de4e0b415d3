"""Does anybody hear of new versions and holes?"""

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
            "dependabot.yml",
            "dependabot.yaml",
            "renovate.json",
            "renovate.json5",
            ".renovaterc",
            ".renovaterc.json",
            ".pyup.yml",
            ".snyk",
        ),
        robots=(
            "pip-audit",
            "renovate",
            "dependabot",
            "safety check",
            "safety scan",
            "osv-scanner",
            "uv lock --upgrade",
            "pre-commit autoupdate",
        ),
    )
    return shown(found, "updates are announced", "neither Dependabot, Renovate nor a scheduled audit")


PROBE = Probe(
    id="dependencies.updates_notified",
    title="changes of dependencies are announced",
    why="A library changes its defaults, or a hole in it is published, and nobody here hears of it.",
    remedy="add .github/dependabot.yml or renovate.json",
    look=look,
    when=When.CODE,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    elsewhere=True,
    source="ML Test Score Monitor 1",
)
