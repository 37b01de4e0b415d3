"""Can whoever deploys tell that an image or model is ours?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.automation import by_a_machine
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_WORDS = (
    "cosign",
    "sigstore",
    "model[-_]signing",
    "attest-build-provenance",
    "slsa-github-generator",
    "notation sign",
)


def look(repository: Repository) -> Answer:
    """Look for it in CI."""
    return by_a_machine(repository, _WORDS, "artifacts are signed", "no step of CI signs what it builds")


PROBE = Probe(
    id="security.signed_artifacts",
    title="images and models are signed where they are built",
    why="Without a signature a registry with one stolen token serves anybody's model as yours.",
    remedy="add sigstore/cosign-installer and cosign sign IMAGE@DIGEST; model-signing for model folders",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    elsewhere=True,
    source="OpenSSF Model Signing; SLSA v1.0 Build L2",
)
