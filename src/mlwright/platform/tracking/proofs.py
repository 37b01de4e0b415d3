"""Proofs of model versions: ask for one, carry it out, look at what was found, verify and sign."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from mlwright.errors import (
    ArtifactCorrupt,
    ArtifactMissing,
    MlwrightError,
    ModelLoadFailed,
    NotFound,
    UsageError,
)
from mlwright.model.evidence import Check, Evidence, EvidenceKind, Outcome, Proof, overall
from mlwright.model.ids import Digest
from mlwright.model.ledger import Edge, Node
from mlwright.model.registry import ModelVersion, Signature
from mlwright.platform.proving import (
    ProofEngines,
    Reference,
    Say,
    check_files,
    check_isolated,
    check_signed,
)
from mlwright.platform.signatures import BUNDLE, newest_signature, sign_folder, signed_check
from mlwright.platform.tracking.artifacts import ArtifactJourney
from mlwright.platform.tracking.book import Book
from mlwright.platform.tracking.sources import artifact_path
from mlwright.stages.ledger import store as ledger
from mlwright.stages.registry import evidence as store
from mlwright.stages.registry import store as registry
from mlwright.stages.registry.survey import Survey
from mlwright.stages.registry.versions import attach_folder

LEVELS: Final = ("files", "isolated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """What a proof or a verification of one version came to."""

    version: ModelVersion
    outcome: Outcome
    evidence: tuple[Evidence, ...]


class ProofJourney:
    """Proofs of model versions: ask for one, carry it out, look at what was found, verify and sign."""

    def __init__(self, book: Book, artifacts: ArtifactJourney, engines: ProofEngines | None = None) -> None:
        self._book = book
        self._artifacts = artifacts
        self._engines = engines

    def ask(self, ref: str) -> Proof:
        """Put a version into the queue; asking again while it waits changes nothing.

        Raises:
            NotFound: there is no such version.
            UsageError: it is a prompt.
        """
        with self._book.write() as tx:
            version = _provable(registry.resolve(tx, ref))
            store.queue_proof(tx, version.model, version.version, self._book.clock.now())
            return store.proof_state(tx, version.model, version.version)

    def state(self, ref: str) -> Proof | None:
        """How far the proof of a version is; None where nobody asked for one.

        Raises:
            NotFound: there is no such version.
        """
        with self._book.read() as tx:
            version = registry.resolve(tx, ref)
            try:
                return store.proof_state(tx, version.model, version.version)
            except NotFound:
                return None

    def evidence(self, ref: str) -> tuple[Evidence, ...]:
        """All that was found out about a version, the newest first.

        Raises:
            NotFound: there is no such version.
        """
        with self._book.read() as tx:
            version = registry.resolve(tx, ref)
            return store.list_evidence(tx, version.model, version.version)

    def take(self) -> Proof | None:
        """Take the proof that has waited longest, for the caller to carry out; None where none waits."""
        with self._book.write() as tx:
            now = self._book.clock.now()
            store.requeue_lost(tx, now)
            return store.take_proof(tx, now)

    def give_up(self, ref: str, why: str) -> None:
        """Say that a proof that was begun could not be carried out; one that has ended stays as it is."""
        with self._book.read() as tx:
            version = registry.resolve(tx, ref)
            state = store.proof_state(tx, version.model, version.version)
        if state.ended is None:
            self._finish(version, [_given_up(why)], Outcome.UNKNOWN, ends=True)

    def run(self, ref: str, *, level: str | None = None, say: Say = lambda _: None) -> Proved:
        """Prove a version now: check its files, and load and score it in an environment of its own.

        A version that a client registered by its address is fetched, stored and digested first.

        Args:
            ref: ``name``, ``name/3`` or ``name@alias``.
            level: ``files`` or ``isolated``; as the project says unless given.
            say: told of each step.

        Raises:
            NotFound: there is no such version.
            UsageError: it is a prompt, or there is no such level.
        """
        engines = self._require_engines()
        level = level or ("files" if engines.level == "off" else engines.level)
        if level not in LEVELS:
            raise UsageError(f"{level!r} is none of {', '.join(LEVELS)}")
        # Looking at the files alone does not answer a question that asked for more.
        ends = level == "isolated" or engines.level != "isolated"
        with self._book.write() as tx:
            version = _provable(registry.resolve(tx, ref))
            if ends:
                store.begin_proof(tx, version.model, version.version, self._book.clock.now())
        try:
            with self._workplace() as place:
                version, checks = self._prove(version, place, engines, level, say)
        except SystemExit:
            raise  # ended from outside: whoever takes the next proof finds that this one was not carried out
        except BaseException as error:
            why = error.what if isinstance(error, MlwrightError) else f"{type(error).__name__}: {error}"
            self._finish(version, [_given_up(why)], Outcome.UNKNOWN, ends=ends)
            raise
        return self._finish(version, checks, _outcome(checks), ends=ends)

    def verify(self, ref: str) -> Proved:
        """Read all bytes of a version again and compare them with their digest, its source and its signature.

        Raises:
            NotFound: there is no such version.
            ModelLoadFailed: no copy of it was ever stored: prove it first.
        """
        engines = self._require_engines()
        with self._book.read() as tx:
            version = _provable(registry.resolve(tx, ref))
        version.stored()
        with self._workplace() as place:
            checks = [self._digested(version, place / "model")]
            if checks[0].outcome == Outcome.PASSED:
                signed = check_signed(place / "model", self._signature(version), engines)
                checks += [signed] if signed else []
                checks += self._source_unchanged(version, place / "source")
        return self._finish(version, checks, overall([each.outcome for each in checks]))

    def sign(self, ref: str, key: Path | None = None) -> Proved:
        """Sign the files of a version, with the project's key unless one is given.

        Raises:
            NotFound: there is no such version.
            UsageError: there is no key, or it is none.
            ModelLoadFailed: no copy of it was ever stored: prove it first.
            MissingExtra: the library that signs is not installed.
        """
        engines = self._require_engines()
        key = key or engines.signing_key
        if key is None:
            raise UsageError(
                "there is no key to sign with", next_command=f"mlwright models sign {ref} --key file:PATH"
            )
        with self._book.read() as tx:
            version = _provable(registry.resolve(tx, ref))
        digest, _ = version.stored()
        with self._workplace() as place:
            folder = self._book.artifacts.get_folder(digest, place / "model")
            check = signed_check(engines.signer.sign(folder, key), digest, key)
        return self._finish(version, [check], check.outcome)

    def _prove(
        self, version: ModelVersion, place: Path, engines: ProofEngines, level: str, say: Say
    ) -> tuple[ModelVersion, list[Check]]:
        folder = place / "model"
        say("fetching the files")
        if version.digest is not None:
            digested = self._digested(version, folder)
            if digested.outcome != Outcome.PASSED:
                return version, [digested]
            digest = version.digest
        else:
            missing = self._fetch(version, folder)
            if missing is not None:
                return version, [missing]
            digest = self._book.artifacts.put_folder(folder)
            digested = _stored(digest)
        say("checking the files")
        found, checks = check_files(folder, engines.scanner)
        checks = [digested, *checks]
        if version.digest is None and not found.faults:
            version = self._attach(version, digest, found)
        if (
            engines.signing_key is not None
            and version.digest is not None
            and self._signature(version) is None
        ):
            checks.append(sign_folder(engines.signer, folder, digest, engines.signing_key))
        signature = _bundle(checks) or self._signature(version)
        signed = check_signed(folder, signature, engines)
        checks += [signed] if signed else []
        refused = [each for each in checks if each.outcome == Outcome.FAILED and each.kind in _STOPS]
        if level == "isolated" and not refused:
            work = place / "work"
            work.mkdir()
            checks += check_isolated(
                folder, found, engines, self._reference(version, digest), work=work, say=say
            )
        return version, checks

    def _fetch(self, version: ModelVersion, folder: Path) -> Check | None:
        """Bring the files of a version that was registered by its address; what keeps them from coming."""
        kind = EvidenceKind.DIGEST
        try:
            with self._book.read() as tx:
                path = artifact_path(tx, version)
            if path is None:
                said = (
                    f"its files lie at {version.source}, where they can change unseen: they are not fetched"
                )
                return Check(kind=kind, outcome=Outcome.UNKNOWN, summary=said)
            self._artifacts.fetch_folder(path, folder)
        except NotFound as error:
            said = f"there are no files where it was registered from: {error.what}"
            return Check(kind=kind, outcome=Outcome.FAILED, summary=said, details={"source": version.source})
        except ArtifactCorrupt as error:
            return Check(kind=kind, outcome=Outcome.FAILED, summary=f"its files are damaged: {error.what}")
        return None

    def _digested(self, version: ModelVersion, folder: Path) -> Check:
        digest = version.digest or Digest("")
        try:
            self._book.artifacts.get_folder(digest, folder)
        except (ArtifactCorrupt, ArtifactMissing) as error:
            said = f"its stored files are not those that were registered: {error.what}"
            return Check(
                kind=EvidenceKind.DIGEST,
                outcome=Outcome.FAILED,
                summary=said,
                details={"digest": digest, "where": error.where},
            )
        return _stored(digest)

    def _source_unchanged(self, version: ModelVersion, folder: Path) -> list[Check]:
        """Clients load a version from where it was registered: those bytes must be the proved ones still."""
        if version.source is None:
            return []
        missing = self._fetch(version, folder)
        if missing is not None:
            return [missing]
        digest = self._book.artifacts.put_folder(folder)
        same = digest == version.digest
        said = (
            "the files at its source are those that were proved"
            if same
            else "the files at its source were changed since they were proved; clients that load it get others"
        )
        return [
            Check(
                kind=EvidenceKind.DIGEST,
                outcome=Outcome.PASSED if same else Outcome.FAILED,
                summary=said,
                details={"digest": version.digest, "at_source": digest, "source": version.source},
            )
        ]

    def _attach(self, version: ModelVersion, digest: Digest, found: Survey) -> ModelVersion:
        signature = found.signature or Signature(inputs=(), outputs=())
        with self._book.write() as tx:
            edge = Edge(
                effect=Node(kind="model", id=version.ref),
                relation="stored as",
                cause=Node(kind="artifact", id=digest),
            )
            ledger.add_edges(tx, [edge])
            return attach_folder(
                tx, version.model, version.version, digest, signature=signature, flavor=found.flavor
            )

    def _signature(self, version: ModelVersion) -> str | None:
        with self._book.read() as tx:
            return newest_signature(tx, version)

    def _reference(self, version: ModelVersion, digest: Digest) -> Reference | None:
        """What the first proof of the same bytes recorded."""
        with self._book.read() as tx:
            scores = store.list_evidence(tx, version.model, version.version, kind=EvidenceKind.SCORE)
        for each in reversed(scores):
            same = each.details.get("digest") == digest
            if same and each.outcome == Outcome.PASSED and each.details.get("predictions") is not None:
                by = f"the proof of {each.at:%Y-%m-%d %H:%M}"
                return Reference(predictions=each.details["predictions"], by=by)
        return None

    @contextmanager
    def _workplace(self) -> Iterator[Path]:
        """A folder for the time of the block: a private copy, as what is loaded may write into its own files."""
        cache = self._book.state / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="proof-", dir=cache, ignore_cleanup_errors=True) as place:
            yield Path(place)

    def _finish(
        self, version: ModelVersion, checks: Sequence[Check], outcome: Outcome, *, ends: bool = False
    ) -> Proved:
        now, model, number = self._book.clock.now(), version.model, version.version
        with self._book.write() as tx:
            kept = store.keep_checks(
                tx, model, number, checks, digest=version.digest, at=now, actor=self._book.actor
            )
            if ends:
                store.end_proof(tx, model, number, outcome, now)
            self._book.audit(
                tx,
                "prove" if ends else "verify",
                f"model:{version.ref}",
                outcome=outcome,
                checks={str(each.kind): str(each.outcome) for each in checks},
            )
        return Proved(version=version, outcome=outcome, evidence=kept)

    def _require_engines(self) -> ProofEngines:
        if self._engines is None:
            raise ModelLoadFailed(
                "this process proves no models", next_command="mlwright models prove NAME/VERSION"
            )
        return self._engines


_STOPS: Final = (EvidenceKind.PACKAGE, EvidenceKind.SCAN, EvidenceKind.SIGNING, EvidenceKind.DIGEST)
"""What keeps a model from being loaded at all when it failed."""


def _provable(version: ModelVersion) -> ModelVersion:
    """The version, if it is a model.

    Raises:
        UsageError: it is a prompt.
    """
    if version.is_prompt:
        raise UsageError(f"{version.ref} is a prompt: there is nothing to prove")
    return version


def _stored(digest: Digest) -> Check:
    return Check(
        kind=EvidenceKind.DIGEST,
        outcome=Outcome.PASSED,
        summary=f"all files have the digest {digest[:19]}…",
        details={"digest": digest},
    )


def _given_up(why: str) -> Check:
    said = f"the proof could not be carried out: {why}"
    return Check(kind=EvidenceKind.LOAD, outcome=Outcome.UNKNOWN, summary=said)


def _bundle(checks: Sequence[Check]) -> str | None:
    found = [each.details[BUNDLE] for each in checks if BUNDLE in each.details]
    return str(found[0]) if found else None


def _outcome(checks: Sequence[Check]) -> Outcome:
    """What all checks come to. A scan that leaves a doubt stands beside the proof: whether the model loads is known."""
    return overall(
        [each.outcome for each in checks if each.kind != EvidenceKind.SCAN or each.outcome == Outcome.FAILED]
    )
