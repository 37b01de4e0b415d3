"""Is it written down how well the service must do?"""

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
            "*slo*.yaml",
            "*slo*.yml",
            "*slo*.toml",
            "*slo*.md",
            "*slo*.json",
            "*slo*.tf",
            "*sla*.md",
            "mlwright.toml",
        ),
        objects=("PrometheusServiceLevel", "ServiceLevelObjective"),
        headings=(
            "\\bSLOs?\\b",
            "\\bSLIs?\\b",
            "service level",
            "latency (target|budget|objective)",
            "error budget",
        ),
    )
    return shown(found, "objectives are written", "no service level objective")


PROBE = Probe(
    id="monitoring.slo",
    title="service levels are written down as objectives",
    why="Without an objective every page is urgent, or none is.",
    remedy="write availability and p99 latency for each endpoint: slo = {…} in mlwright.toml, or sloth/pyrra",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    elsewhere=True,
    source="Google SRE Workbook, ch. 2",
)
