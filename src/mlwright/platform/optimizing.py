"""Journey of a faster form of a version: convert it, compare the answers, race both, and keep what is better."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from mlwright.errors import MlwrightError, ModelLoadFailed, SignatureMismatch, Unsupported, UsageError
from mlwright.model.batches import Batch
from mlwright.model.conversions import Conversion, Footprint, Pace, Parity
from mlwright.model.evidence import EvidenceKind, Outcome
from mlwright.model.ids import Digest
from mlwright.model.ledger import Edge
from mlwright.model.plain import plain
from mlwright.model.registry import ModelVersion, parse_model_ref
from mlwright.platform.parts import Parts, node
from mlwright.platform.real_rows import RealRows, real_rows
from mlwright.platform.registering import checks_of, keep_checks
from mlwright.platform.releases import ReleaseJourney
from mlwright.ports.converters import ModelConverter
from mlwright.ports.runtimes import LoadedModel
from mlwright.stages.ledger import store as ledger
from mlwright.stages.pipelines.choosing import choose, flavors_of, not_loadable
from mlwright.stages.registry import evidence as proofs
from mlwright.stages.registry import store as registry
from mlwright.stages.serving.parity import compare
from mlwright.stages.serving.profiling import race

SIZES: Final = (1, 8, 64)
TOLERANCE: Final = 1e-5
RANK: Final = 0.999
QUANTIZE: Final = ("none", "dynamic")
_REFUSES: Final = "the converted model refuses rows that the model takes"
_SLOWER: Final = 1.1
"""No batch size may take longer than this times what it took."""


class OptimizeJourney:
    """From a version to a faster one that answers the same."""

    def __init__(self, parts: Parts, releases: ReleaseJourney) -> None:
        self._parts = parts
        self._releases = releases

    def optimize(
        self,
        ref: str,
        *,
        to: str = "onnx",
        quantize: str = "none",
        tolerance: float = TOLERANCE,
        rank: float = RANK,
        sample: int = 1000,
        keep: bool = False,
        seconds: float = 3.0,
        say: Callable[[str], None] = lambda _: None,
    ) -> Conversion:
        """Convert a version, and register the result as the model's next version if it answers the same and faster.

        Aliases and routes stay as they are.

        Args:
            ref: the version.
            to: the format.
            quantize: ``none`` or ``dynamic``.
            tolerance: a number may differ by ``tolerance * max(1, |number|)``.
            rank: what Spearman's rank correlation of the first output has to reach.
            sample: how many rows to compare: logged ones, held-out ones, the example, and drawn ones where those lack.
            keep: register it even where it is not faster.
            seconds, say: how long to race, and who is told of each step.

        Raises:
            NotFound: there is no such version.
            Unsupported: nothing here converts it.
            MissingExtra: a library that is needed for it is not installed.
            ModelLoadFailed: the version does not load here.
        """
        _check(quantize, tolerance, sample)
        version = self._releases.version(ref)
        say(f"loading {version.ref}")
        before = self._releases.load(version)
        digest, _ = self._releases.version(version.ref).stored()
        folder = self._parts.shelf.fetch(digest)
        converter = self._converter(to, folder)
        with TemporaryDirectory(prefix="mlwright-converted-") as made:
            into = Path(made)
            say(f"converting {version.ref} to {to}")
            converter.convert(folder, into, quantize=quantize)
            rows = real_rows(self._parts, version, before.signature, folder, sample, draw=True)
            done = self._compared(before, into, rows, tolerance, seconds, say)
            before.close()
            say("looking at memory and load time")
            feet, notes = self._footprints((folder, into), done.notes)
            done = replace(
                done,
                source=version.ref,
                target=to,
                quantize=quantize,
                before=feet[0],
                after=feet[1],
                reasons=(*done.reasons, *_reasons(done.parity, done.paces, rank=rank, keep=keep)),
                notes=notes,
            )
            return done if done.reasons else self._keep(version, into, converter.target, done, rank)

    def _compared(
        self,
        before: LoadedModel,
        into: Path,
        rows: RealRows,
        tolerance: float,
        seconds: float,
        say: Callable[[str], None],
    ) -> Conversion:
        """How the converted model answers, and how fast; the rest of the conversion is filled in by the caller."""
        after = self._loaded(into)
        say("comparing the answers")
        parity, batch, notes = _compared(before, after, rows, tolerance)
        say("racing the two")
        paces: tuple[Pace, ...] = ()
        if not any(each.startswith(_REFUSES) for each in notes):
            paces = race(before, after, batch, SIZES, seconds=seconds)
        same = before.signature.inputs == after.signature.inputs
        after.close()
        reasons = () if same else ("the converted model takes other inputs",)
        return Conversion(
            source="", target="", quantize="", parity=parity, paces=paces, reasons=reasons, notes=tuple(notes)
        )

    def _converter(self, to: str, folder: Path) -> ModelConverter:
        known = [each.target for each in self._parts.converters]
        found = next((each for each in self._parts.converters if each.target == to), None)
        if found is None:
            raise Unsupported(
                f"nothing here converts to {to!r}",
                why=f"there is {', '.join(known) or 'no converter'}",
                next_command="mlwright models optimize --help",
            )
        flavors = flavors_of(folder)
        if not found.converts(flavors):
            raise Unsupported(
                f"a model of {_own(flavors)} is not converted to {to}",
                why="it is one already" if to in flavors else "there is no way from this kind of model to it",
            )
        return found

    def _loaded(self, folder: Path) -> LoadedModel:
        choice = choose(self._parts.shelf.runtimes, folder)
        if choice.runtime is None:
            raise not_loadable(choice, self._parts.shelf.runtimes)
        return choice.runtime.load(folder)

    def _footprints(
        self, folders: Sequence[Path], said: Sequence[str]
    ) -> tuple[list[Footprint | None], tuple[str, ...]]:
        """Of each folder, and the notes with what could not be measured."""
        measuring, notes = self._parts.measuring, list(said)
        found: list[Footprint | None] = []
        for folder in folders:
            try:
                found.append(measuring.footprint(folder) if measuring is not None else None)
            except ModelLoadFailed as error:
                notes.append(f"memory was not measured: {error.what}")
                found.append(None)
        return found, tuple(notes)

    def _keep(
        self, source: ModelVersion, folder: Path, flavor: str, done: Conversion, rank: float
    ) -> Conversion:
        parts = self._parts
        digest: Digest = parts.artifacts.put_folder(folder)
        checks = checks_of(parts, digest)
        now = parts.clock.now()
        signature = source.signature
        assert signature is not None, "it was loaded by it"
        with parts.write() as tx:
            version = registry.create_version(
                tx,
                source.model,
                digest,
                run=source.run,
                at=now,
                signature=signature,
                flavor=flavor,
                trained_from=source.trained_from,
                trained_to=source.trained_to,
                evaluation=source.evaluation,
                tags=source.tags,
                actor=parts.actor,
            )
            keep_checks(parts, tx, version, checks)
            proofs.add_evidence(
                tx,
                version.model,
                version.version,
                kind=EvidenceKind.CONVERSION,
                outcome=Outcome.PASSED,
                summary=summary_of(done),
                at=now,
                actor=parts.actor,
                details={
                    "digest": digest,
                    "source_digest": source.digest,
                    "rank": rank,
                    "conversion": plain(done),
                },
            )
            parts.audit(
                tx, "optimize", f"model:{version.ref}", source=source.ref, target=done.target, digest=digest
            )
            effect = node("model", version.ref)
            ledger.add_edges(
                tx,
                [
                    Edge(effect=effect, relation="converted from", cause=node("model", source.ref)),
                    Edge(effect=effect, relation="stored as", cause=node("artifact", digest)),
                ],
            )
        return replace(done, ref=version.ref, digest=digest, next_command=self._next(version))

    def _next(self, version: ModelVersion) -> str:
        """A rollout where an endpoint has a champion to compare with and a label to do it by, else a deployment."""
        for each in self._parts.settings.endpoints:
            if parse_model_ref(each.model)[0] != version.model:
                continue
            compared = each.rollout is not None and self._releases.status(each.name).route is not None
            return f"mlwright {'rollout start' if compared else 'deploy'} {each.name} {version.ref}"
        return f"mlwright models {version.ref}"


def _check(quantize: str, tolerance: float, sample: int) -> None:
    if quantize not in QUANTIZE:
        raise UsageError(f"there is no quantisation {quantize!r}", why=f"there are {', '.join(QUANTIZE)}")
    if not tolerance >= 0 or sample < 1:
        raise UsageError("the tolerance must be at least 0, and the sample one row")


def _own(flavors: Sequence[str]) -> str:
    return ", ".join(each for each in flavors if each != "python_function")


def summary_of(done: Conversion) -> str:
    """One sentence: how near and how fast."""
    parity = done.parity
    ratios = ", ".join(
        f"{each.ratio:.3g} × as fast at {each.rows} row{'s' * (each.rows != 1)}" for each in done.paces
    )
    sources = ", ".join(f"{count} {origin}" for origin, count in parity.origins.items())
    return (
        f"{done.target} of {done.source}: answers differ by {parity.max_abs:.2g} at most on {parity.rows:,} rows "
        f"({sources}; tolerance {parity.tolerance:g}); {ratios}"
    )


def _compared(
    before: LoadedModel, after: LoadedModel, rows: RealRows, tolerance: float
) -> tuple[Parity, Batch, list[str]]:
    """The parity of both on the rows that the model before takes, and these rows."""
    batch, origins, notes = rows.batch(), list(rows.origins), list(rows.notes)
    try:
        old = before.infer(batch)
    except SignatureMismatch:
        fine = [at for at in range(batch.rows) if _takes(before, batch, at)]
        if not fine:
            raise
        notes.append(f"{batch.rows - len(fine)} rows that the model itself refuses were left out")
        batch, origins = batch.taken(np.array(fine)), [origins[at] for at in fine]
        old = before.infer(batch)
    new = {}
    try:
        new = dict(after.infer(batch))
    except MlwrightError as error:
        notes.append(f"{_REFUSES}: {error.what} ({error.why})")
    return compare(old, new, batch, origins, tolerance=tolerance), batch, notes


def _takes(model: LoadedModel, batch: Batch, row: int) -> bool:
    try:
        model.infer(batch.taken(slice(row, row + 1)))
    except SignatureMismatch:
        return False
    return True


def _reasons(parity: Parity, paces: Sequence[Pace], *, rank: float, keep: bool) -> tuple[str, ...]:
    """Why it is not to be registered, each a sentence."""
    found = []
    if parity.beyond:
        found.append(
            f"{parity.beyond:,} of {parity.rows:,} rows have an answer outside the tolerance{_worst(parity)}"
        )
    if parity.spearman is not None and parity.spearman < rank:
        found.append(
            f"the order of the rows is not the same: Spearman {parity.spearman:.6f}, {rank:g} is asked for"
        )
    slower = [each for each in paces if each.after_s > _SLOWER * each.before_s]
    if not keep and paces and (paces[0].ratio <= 1.0 or slower):
        said = ", ".join(f"{each.ratio:.2f} × at {each.rows}" for each in paces)
        found.append(f"it is not faster: {said} rows")
    return tuple(found)


def _worst(parity: Parity) -> str:
    worst = parity.worst
    if worst is None:
        return ""
    inputs = ", ".join(f"{name}={value!r}" for name, value in list(worst.inputs.items())[:8])
    more = f" and {len(worst.inputs) - 8} more" if len(worst.inputs) > 8 else ""
    return (
        f"; most in row {worst.row} ({worst.origin}; {inputs}{more}): {worst.output} was {worst.before!r} and is "
        f"{worst.after!r}"
    )
