"""What models are proved with: a scanner of pickles, environments made by uv, signatures of the OpenSSF's library."""

from pathlib import Path

from mlwright.adapters.scanners.picklescan import PicklescanScanner
from mlwright.adapters.signing.openssf import OpenssfSigner
from mlwright.adapters.uv.environments import UvEnvironments
from mlwright.model.settings import RegistrySettings
from mlwright.platform.proving import ProofEngines


def proof_engines(registry: RegistrySettings, state: Path) -> ProofEngines:
    """The engines of a project; environments are kept below its state folder."""
    return ProofEngines(
        scanner=PicklescanScanner(),
        environments=UvEnvironments(state / "cache" / "environments"),
        signer=OpenssfSigner(),
        level=registry.prove,
        signing_key=registry.signing_key,
        verify_key=registry.verify_key,
    )
