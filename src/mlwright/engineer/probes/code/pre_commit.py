"""Is a mistake caught before it is committed?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the settings of hooks."""
    files = (".pre-commit-config.yaml", ".pre-commit-config.yml", "lefthook.yml", ".husky/*", "prek.toml")
    return shown(signs(repository, files=files), "hooks are set up", "no hooks before a commit")


PROBE = Probe(
    id="code.pre_commit",
    title="hooks look at a change before it is committed",
    why="A hook takes two seconds; the same mistake found in CI takes twenty minutes.",
    remedy="mlwright assess --fix pre-commit, then pre-commit install",
    look=look,
    when=When.CODE,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    fix="pre-commit",
    source="pre-commit documentation",
)
