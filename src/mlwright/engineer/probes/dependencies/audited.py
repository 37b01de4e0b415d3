"""Are known holes found?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        robots=(
            "pip-audit",
            "osv-scanner",
            "safety (check|scan)",
            "trivy",
            "grype",
            "snyk",
            "dependency-review-action",
            "uv audit",
            "codeql",
        ),
        files=("dependabot.yml", "dependabot.yaml"),
    )
    return shown(found, "known holes are looked for", "nothing checks dependencies for known holes")


PROBE = Probe(
    id="dependencies.audited",
    title="dependencies are checked for known holes",
    why="A hole in a library that everybody uses is scanned for by everybody within days.",
    remedy="add pip-audit (or osv-scanner) to CI",
    look=look,
    when=When.CODE,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    elsewhere=True,
    source="OpenSSF Scorecard, Vulnerabilities",
)
