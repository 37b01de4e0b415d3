"""Does somebody look for known holes in an image?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.automation import by_a_machine
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_WORDS = ("trivy", "grype", "docker scout", "snyk", "clair", "anchore/scan")


def look(repository: Repository) -> Answer:
    """Look for it in CI."""
    return by_a_machine(repository, _WORDS, "images are scanned", "no step of CI scans the image")


PROBE = Probe(
    id="security.scanned_images",
    title="images are scanned for known holes",
    why="A base image collects known holes while nobody rebuilds it.",
    remedy="add aquasecurity/trivy-action to the build job, failing on fixed critical holes",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    elsewhere=True,
    source="CIS Docker Benchmark 4.4",
)
