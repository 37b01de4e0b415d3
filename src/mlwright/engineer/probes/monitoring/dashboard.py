"""Is there a picture of how the model does?"""

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
            "*dashboard*.json",
            "grafana/*.json",
            "dashboards/*",
            "*dashboard*.yaml",
            "*dashboard*.yml",
            "*dashboard*.tf",
        ),
        objects=("GrafanaDashboard",),
        packages=("grafanalib", "evidently.ui"),
    )
    return shown(found, "a dashboard stands here", "no dashboard as code")


PROBE = Probe(
    id="monitoring.dashboard",
    title="there is a dashboard",
    why="Without a picture everybody asks the one engineer who can read the logs.",
    remedy="keep the dashboard as JSON beside the service; mlwright up serves one",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    elsewhere=True,
    source="Google SRE Book, ch. 6",
)
