"""Does a machine read the code first?"""

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, yes
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_TOOLS = frozenset(("ruff", "pylint", "black", "mypy", "pyright", "isort", "flake8", "basedpyright"))


def look(repository: Repository) -> Answer:
    """Look for the signs of it, also among the tools of pyproject.toml."""
    for document in repository.of_kind(DocumentKind.PYPROJECT):
        tools = document.get("tool")
        named = sorted(set(tools) & _TOOLS) if isinstance(tools, dict) else []
        if named:
            return yes(f"{document.path} sets up {named[0]}", document.at("tool", named[0]))
    declared = repository.requires(*sorted(_TOOLS))
    if declared is not None:
        return yes(f"{declared.name} is among the dependencies", declared.at)
    found = signs(
        repository,
        files=(
            "ruff.toml",
            ".ruff.toml",
            ".flake8",
            ".pylintrc",
            "pylintrc",
            "mypy.ini",
            ".mypy.ini",
            "pyrightconfig.json",
        ),
        robots=("ruff", "flake8", "pylint", "black", "mypy", "pyright", "isort", "pyflakes"),
    )
    return shown(found, "a linter is set up", "no linter is set up")


PROBE = Probe(
    id="code.linted",
    title="a linter reads the code",
    why="Names that do not exist are found by a linter in a second and by a training run after four hours.",
    remedy="add ruff to pre-commit and CI (mlwright assess --fix pre-commit)",
    look=look,
    when=When.CODE,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    fix="pre-commit",
    source="Kreuzberger P1",
)
