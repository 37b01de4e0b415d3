"""Is a secret caught before it is pushed?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, yes
from mlwright.engineer.vocabulary.automation import by_a_machine
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_SCANNERS = (
    "gitleaks",
    "detect-secrets",
    "trufflehog",
    "detect-private-key",
    "ggshield",
    "talisman",
    "secretlint",
)


def look(repository: Repository) -> Answer:
    """Look for a scanner in CI, in pre-commit, or its settings."""
    settings = repository.find(".gitleaks.toml", ".secrets.baseline", ".gitguardian.yaml", ".talismanrc")
    if settings:
        return yes(settings[0].path, *(Location(path=each.path) for each in settings))
    return by_a_machine(
        repository, _SCANNERS, "secrets are scanned for", "no scanner of secrets in CI or pre-commit"
    )


PROBE = Probe(
    id="security.secret_scanning",
    title="a machine looks for secrets before they are pushed",
    why="People push keys; a hook is cheaper than changing them all.",
    remedy="add gitleaks or detect-secrets to pre-commit (mlwright assess --fix pre-commit)",
    look=look,
    when=When.CODE,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    elsewhere=True,
    fix="pre-commit",
    source="OWASP Secrets Management Cheat Sheet",
)
