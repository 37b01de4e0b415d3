"""Is it known what is inside an image?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.automation import by_a_machine
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_WORDS = ("syft", "anchore/sbom", "cyclonedx", "spdx", "sbom: *true", "--sbom")


def look(repository: Repository) -> Answer:
    """Look for it in CI."""
    return by_a_machine(
        repository, _WORDS, "a bill of materials is made", "no step of CI writes a bill of materials"
    )


PROBE = Probe(
    id="security.sbom",
    title="a bill of materials is made with each build",
    why="When the next hole in a library is published, somebody has to know today whether it is in production.",
    remedy="add anchore/sbom-action (syft) to the build job",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    elsewhere=True,
    source="NTIA Minimum Elements for an SBOM",
)
