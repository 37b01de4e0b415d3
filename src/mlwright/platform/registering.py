"""Registering what is on disk: an MLflow Model folder, or a plain function in a Python file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import polars as pl
from sqlalchemy import Connection

from mlwright.errors import Fault, ModelLoadFailed, NotFound, UsageError
from mlwright.model.evidence import Check
from mlwright.model.fitted import Fitted
from mlwright.model.functions import is_function
from mlwright.model.ids import Digest, ModelName
from mlwright.model.ledger import Edge
from mlwright.model.registry import Field, ModelVersion, Signature
from mlwright.platform.loading import refuse_harmful
from mlwright.platform.parts import Parts, node
from mlwright.platform.proving import check_files
from mlwright.platform.signatures import sign_folder
from mlwright.stages.ledger import store as ledger
from mlwright.stages.pipelines.usercode import load_module
from mlwright.stages.registry import evidence as proofs
from mlwright.stages.registry import store as registry
from mlwright.stages.registry.names import check_model_name
from mlwright.stages.registry.survey import Survey, survey

EXAMPLE: Final = "EXAMPLE"
"""The variable of a Python file that holds a few rows for its function, as dictionaries."""

_NO_SIGNATURE: Final = Signature(inputs=(), outputs=())
_BLANKS: Final = {
    "string": '"text"',
    "boolean": "True",
    "long": "1",
    "binary": 'b""',
    "datetime": "datetime.now()",
}


def register(parts: Parts, source: str, name: str) -> ModelVersion:
    """Store a folder or a function as the next version of a model; see ``ReleaseJourney.register``."""
    check_model_name(name)
    file, _, function = source.rpartition(":")
    if file.endswith(".py"):
        digest = _store_function(parts, Path(file), function)
        found = survey(parts.shelf.fetch(digest))
    else:
        found, digest = _store_folder(parts, Path(source))
    known = _known(parts, ModelName(name), digest)
    if known is not None:
        return known
    checks = checks_of(parts, digest)
    now = parts.clock.now()
    with parts.write() as tx:
        version = registry.create_version(
            tx,
            ModelName(name),
            digest,
            run=None,
            at=now,
            signature=found.signature or _NO_SIGNATURE,
            flavor=found.flavor,
            actor=parts.actor,
        )
        keep_checks(parts, tx, version, checks)
        parts.audit(tx, "register", f"model:{version.ref}", digest=digest, source=source)
        edge = Edge(
            effect=node("model", version.ref), relation="stored as", cause=node("artifact", version.digest)
        )
        ledger.add_edges(tx, [edge])
    return version


def checks_of(parts: Parts, digest: Digest) -> list[Check]:
    """What the stored files of a model show at once, and its signature where the project signs."""
    engines = parts.proofs
    if engines is None or engines.level == "off":
        return []
    folder = parts.shelf.fetch(digest)
    _, checks = check_files(folder, engines.scanner)
    if engines.signing_key is not None:
        checks.append(sign_folder(engines.signer, folder, digest, engines.signing_key))
    return checks


def keep_checks(parts: Parts, tx: Connection, version: ModelVersion, checks: Sequence[Check]) -> None:
    """Keep them as evidence of a new version, and ask for the rest of its proof."""
    engines = parts.proofs
    if engines is None or not checks or proofs.list_evidence(tx, version.model, version.version):
        return
    now, digest, actor = parts.clock.now(), version.digest, parts.actor
    proofs.keep_checks(tx, version.model, version.version, checks, digest=digest, at=now, actor=actor)
    if engines.level == "isolated":
        proofs.queue_proof(tx, version.model, version.version, now)


def refuse_own_state(folder: Path, state: Path) -> None:
    """Refuse a folder that holds what mlwright writes: it would be part of the model, and another one every time.

    Args:
        folder: that of a model.
        state: where this process writes, there or not yet.

    Raises:
        UsageError: it does.
    """
    whole, left = folder.resolve(), folder.resolve() / ".mlwright"
    if left.exists() or state.resolve().is_relative_to(whole):
        there = f"mv {left} {whole.parent / whole.name}.mlwright && " if left.exists() else ""
        raise UsageError(
            "the state of mlwright lies in the folder of this model",
            where=str(whole),
            why="it would become part of the model, which would be another one every time",
            next_command=f"{there}cd {whole.parent} && mlwright models register ./{whole.name} --name {whole.name}",
        )


def _known(parts: Parts, model: ModelName, digest: Digest) -> ModelVersion | None:
    """The version that has these files already, if it was looked at as the project asks for by now."""
    with parts.read() as tx:
        if model not in registry.list_models(tx):
            return None
        found = next(
            (each for each in reversed(registry.list_versions(tx, model)) if each.digest == digest), None
        )
        engines = parts.proofs
        if found is None or engines is None or engines.level == "off":
            return found
        return found if proofs.list_evidence(tx, found.model, found.version) else None


def _store_folder(parts: Parts, folder: Path) -> tuple[Survey, Digest]:
    if not folder.is_dir():
        raise NotFound(
            "there is no such folder, and it is no function in a file (rules.py:predict) either",
            where=str(folder),
            next_command="mlwright models register --help",
        )
    refuse_own_state(folder, parts.settings.state)
    found = survey(folder)
    if found.faults:
        raise ModelLoadFailed(
            "this is not a complete MLflow Model folder", where=str(folder), faults=found.faults[:20]
        )
    if parts.proofs is not None:
        _, checks = check_files(folder, parts.proofs.scanner)
        refuse_harmful(checks, str(folder))
    return found, parts.artifacts.put_folder(folder)


def _store_function(parts: Parts, file: Path, name: str) -> Digest:
    path = file.resolve()
    inside = path.is_relative_to(parts.settings.root.resolve())
    module = load_module(path, parts.settings.root.resolve() if inside else path.parent)
    function = getattr(module, name, None)
    if not is_function(function):
        known = [key for key, value in vars(module).items() if is_function(value) and key[0] != "_"]
        raise NotFound.named(f"function in {file.name}", name, known)
    fitted = Fitted.of(function)
    rows = _example(getattr(module, EXAMPLE, None), fitted.inputs, where=f"{file.name}: {EXAMPLE}")
    digest, _ = parts.shelf.put(fitted, rows)
    return digest


def _example(rows: object, inputs: Sequence[Field], where: str) -> pl.DataFrame:
    needed = ", ".join(f'"{each.name}": {_BLANKS.get(each.type, "1.0")}' for each in inputs)
    if not isinstance(rows, list | tuple) or not rows or not all(isinstance(each, Mapping) for each in rows):
        raise UsageError(
            "the file has no rows to try the function with",
            where=where,
            why=f"the version is warmed up and proved with them: write {EXAMPLE} = [{{{needed}}}]",
        )
    faults = [
        Fault(where=f"row {number}", what=f"{each.name!r} is missing")
        for number, row in enumerate(rows)
        for each in inputs
        if each.required and each.name not in row
    ]
    if faults:
        raise UsageError("the rows are not complete", where=where, faults=faults[:20])
    columns = {each.name: [row.get(each.name) for row in rows] for each in inputs}
    return pl.DataFrame({name: pl.Series(name, column, strict=False) for name, column in columns.items()})
