"""Signatures of model versions: kept as evidence, looked up, and required where the project names a key."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from mlwright.errors import MissingExtra, ModelUntrusted, UsageError
from mlwright.model.evidence import Check, EvidenceKind, Outcome
from mlwright.model.ids import Digest
from mlwright.model.registry import ModelVersion
from mlwright.ports.signers import FolderSigner
from mlwright.stages.registry import evidence as store

BUNDLE: Final = "bundle"
"""The detail of an evidence that holds the signature itself."""


def signed_check(bundle: str, digest: Digest, key: Path) -> Check:
    """The evidence that a version was signed."""
    return Check(
        kind=EvidenceKind.SIGNING,
        outcome=Outcome.PASSED,
        summary=f"its files were signed with {key.name}",
        details={BUNDLE: bundle, "digest": digest, "key": key.name},
    )


def sign_folder(signer: FolderSigner, folder: Path, digest: Digest, key: Path) -> Check:
    """Sign a folder; where that cannot be done, the evidence says why, and nothing is raised."""
    try:
        return signed_check(signer.sign(folder, key), digest, key)
    except (MissingExtra, UsageError) as error:
        said = f"it was not signed: {error.what}"
        return Check(kind=EvidenceKind.SIGNING, outcome=Outcome.UNKNOWN, summary=said)


def newest_signature(tx: Connection, version: ModelVersion) -> str | None:
    """The newest signature of the version's present files, or None."""
    for each in store.list_evidence(tx, version.model, version.version, kind=EvidenceKind.SIGNING):
        if BUNDLE in each.details and each.details.get("digest") == version.digest:
            return str(each.details[BUNDLE])
    return None


def require_signed(
    tx: Connection, version: ModelVersion, folder: Path, *, signer: FolderSigner, key: Path
) -> None:
    """Refuse to load a version that the project's key does not verify.

    Raises:
        ModelUntrusted: nobody signed it, or somebody else, or its files are others.
        MissingExtra: the library that verifies is not installed; then nothing is loaded either.
    """
    signature = newest_signature(tx, version)
    if signature is None:
        raise ModelUntrusted(
            f"model version {version.ref} is not signed",
            why=f"the project loads only what {key.name} verifies ([registry] verify_key)",
            next_command=f"mlwright models sign {version.ref} --key file:PATH",
        )
    signer.verify(folder, signature, key)
