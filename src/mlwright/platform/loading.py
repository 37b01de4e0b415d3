"""From a registered version to a model in memory, and nothing that serving does without."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from mlwright.errors import Fault, ModelLoadFailed, ModelUntrusted
from mlwright.model.batches import Columns
from mlwright.model.endpoints import Variant
from mlwright.model.evidence import Check, Evidence, EvidenceKind, Outcome
from mlwright.model.registry import ModelVersion
from mlwright.platform.proving import ProofEngines
from mlwright.platform.reading import reading
from mlwright.platform.signatures import require_signed
from mlwright.ports.runtimes import LoadedModel
from mlwright.stages.pipelines.shelf import ModelShelf
from mlwright.stages.registry import evidence
from mlwright.stages.registry import store as registry

if TYPE_CHECKING:
    from mlwright.platform.tracking.proofs import Proved


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLoader:
    """Finds versions and loads them."""

    engine: Engine
    shelf: ModelShelf
    proofs: ProofEngines | None = None
    """With a key to verify by, nothing is loaded that it does not verify."""
    take_in: "Callable[[str], Proved] | None" = None
    """Fetches, stores and checks the files of a version that a client registered by its address; None: nobody does."""

    def version(self, ref: str) -> ModelVersion:
        """One version by ``name/3``, ``name@alias`` or ``name`` (the latest).

        Raises:
            NotFound: nothing has this name; the nearest is suggested.
        """
        with reading(self.engine) as tx:
            return registry.resolve(tx, ref)

    def load(self, version: ModelVersion) -> LoadedModel:
        """Load a version, its bytes verified, and its signature where the project names a key.

        The files of a version that a client registered by its address are fetched, checked and stored first.

        Raises:
            ModelLoadFailed: nothing here loads it, or its files are not where its address says.
            ModelUntrusted: the project loads only what its key verifies, and this it does not; or a scanner found that
                loading it would do harm.
        """
        digest, flavor = self._taken_in(version).stored()
        with reading(self.engine) as tx:
            scans = evidence.list_evidence(tx, version.model, version.version, kind=EvidenceKind.SCAN)
        refuse_harmful(scans[:1], version.ref)
        engines = self.proofs
        if engines is not None and engines.verify_key is not None:
            folder = self.shelf.fetch(digest)
            with reading(self.engine) as tx:
                require_signed(tx, version, folder, signer=engines.signer, key=engines.verify_key)
        return self.shelf.load(digest, flavor)

    def load_variant(self, variant: Variant) -> LoadedModel:
        """Load what a variant of a route stands for."""
        return self.load(self.version(f"{variant.model}/{variant.version}"))

    def example(self, variant: Variant) -> Columns | None:
        """The rows that a variant's model was saved with, by column, once it is loaded; None: there are none."""
        digest = self.version(f"{variant.model}/{variant.version}").digest
        return None if digest is None else self.shelf.example(digest)

    def _taken_in(self, version: ModelVersion) -> ModelVersion:
        if version.digest is not None or version.is_prompt or self.take_in is None:
            return version
        proved = self.take_in(version.ref)
        if proved.version.digest is None:
            found = [each for each in proved.evidence if each.outcome != Outcome.PASSED]
            raise ModelLoadFailed(
                f"the files of {version.ref} could not be stored here",
                where=version.source,
                faults=[Fault(where=str(each.kind), what=each.summary) for each in found],
                next_command=f"mlwright models prove {version.ref}",
            )
        return proved.version


def refuse_harmful(checks: Sequence[Check | Evidence], where: str) -> None:
    """Refuse files that a scanner found to be dangerous to load.

    Raises:
        ModelUntrusted: they are.
    """
    for each in checks:
        if each.kind == EvidenceKind.SCAN and each.outcome == Outcome.FAILED:
            raise ModelUntrusted("loading this model could do harm", where=where, why=each.summary)
