"""Carrying out the checks of one model folder: first its files, then the model in an environment of its own.

Nothing of the model is loaded in this process.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from mlwright.errors import EnvironmentFailed, EnvironmentUndecided, MissingExtra, ModelError
from mlwright.model.evidence import Check, EvidenceKind, Outcome
from mlwright.ports.environments import Built, Environments, Ran
from mlwright.ports.scanner import Scanner
from mlwright.ports.signers import FolderSigner
from mlwright.stages.registry import loading
from mlwright.stages.registry.formats import check_formats, formats
from mlwright.stages.registry.schemas import example_faults
from mlwright.stages.registry.survey import Survey, read_example, survey, unpinned
from mlwright.stages.registry.verdicts import check_loaded, check_scored, clip, environment_drift

Say: TypeAlias = Callable[[str], None]

RUN_SECONDS: Final = 600.0
RUN_BYTES: Final = 8 << 30
OUTPUTS: Final = "output_example.json"
"""What the model answered to its input example when it was saved; written by our own runtimes."""

_NATIVE: Final = tuple(loading.LOADERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofEngines:
    """What a proof is carried out with."""

    scanner: Scanner
    environments: Environments
    signer: FolderSigner
    level: str = "isolated"
    signing_key: Path | None = None
    verify_key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Predictions that a model is expected to make, and who recorded them."""

    predictions: object
    by: str


def check_files(folder: Path, scanner: Scanner) -> tuple[Survey, list[Check]]:
    """Look at a folder's files: complete, harmless, signature kept by the example. Nothing of the model is run."""
    found = survey(folder)
    present = formats(folder)
    wanted = [each.path for each in present if each.is_unsafe or scanner.wants(each.path, each.size)]
    scan = scanner.scan(folder, wanted) if wanted else None
    return found, [_package(found), check_formats(present, scan), _signature(folder, found)]


def check_isolated(
    folder: Path, found: Survey, engines: ProofEngines, reference: Reference | None, *, work: Path, say: Say
) -> list[Check]:
    """Build the environment that the model asks for, load the model there, and score its example.

    Args:
        folder: a copy of the model's files that nobody else reads: what is loaded may write there.
        found: what the files say.
        engines: the environments.
        reference: the predictions to compare with; what is recorded in the folder comes first.
        work: an empty folder for the script's files.
        say: told of each step.
    """
    say("building the environment")
    try:
        built = engines.environments.build(found.requirements, found.python)
    except (EnvironmentFailed, MissingExtra) as error:
        return [_not_built(found, error)]
    drift = environment_drift(found.saved_with, built.packages)
    checks = [_built(found, built, drift)]
    substitute = checks[0].outcome != Outcome.PASSED
    by = "mlflow" if _has_mlflow(found, built) else "native"
    if by == "native" and not any(name in found.flavors for name in _NATIVE):
        said = "nothing in its requirements can load it: neither mlflow nor a flavor that is known here"
        return [*checks, Check(kind=EvidenceKind.LOAD, outcome=Outcome.FAILED, summary=said)]
    say("loading the model and scoring its example")
    answer, ran = _run(folder, found, built, engines.environments, by, work)
    if answer is None:
        return [*checks, _cut_short(ran)]
    loaded = check_loaded(answer, drift)
    checks.append(_in_substitute(loaded, built) if substitute else loaded)
    if loaded.outcome == Outcome.PASSED:
        recorded = _recorded(folder) or reference
        scored = check_scored(
            answer,
            drift,
            recorded=recorded.predictions if recorded else None,
            recorded_by=recorded.by if recorded else "",
        )
        checks.append(_in_substitute(scored, built) if substitute else scored)
    return checks


def check_signed(folder: Path, signature: str | None, engines: ProofEngines) -> Check | None:
    """Whether the files are signed with the key that the project trusts; None where it trusts none."""
    kind, key = EvidenceKind.SIGNING, engines.verify_key
    if key is None:
        return None
    if signature is None:
        said = f"nobody signed it, and the project trusts only what {key.name} verifies"
        return Check(kind=kind, outcome=Outcome.FAILED, summary=said)
    try:
        engines.signer.verify(folder, signature, key)
    except ModelError as error:
        said = f"{error.what}: {error.why}"
        return Check(kind=kind, outcome=Outcome.FAILED, summary=said, details={"key": key.name})
    except MissingExtra as error:
        return Check(kind=kind, outcome=Outcome.UNKNOWN, summary=f"{error.what}: {error.next_command}")
    return Check(
        kind=kind,
        outcome=Outcome.PASSED,
        summary=f"{key.name} verifies its signature",
        details={"key": key.name},
    )


def _package(found: Survey) -> Check:
    details: dict[str, object] = {
        "flavors": sorted(found.flavors),
        "flavor": found.flavor,
        "python": found.python,
        "requirements": found.requirements,
        "unpinned": unpinned(found.requirements),
        "faults": [str(each) for each in found.faults],
        "notes": found.notes,
    }
    if found.faults:
        more = f" ({len(found.faults) - 1} more)" if len(found.faults) > 1 else ""
        said = f"the folder is not complete: {found.faults[0]}{more}"
        return Check(kind=EvidenceKind.PACKAGE, outcome=Outcome.FAILED, summary=said, details=details)
    said = (
        f"the folder is complete: {', '.join(sorted(found.flavors))}, {len(found.requirements)} requirements"
    )
    return Check(kind=EvidenceKind.PACKAGE, outcome=Outcome.PASSED, summary=said, details=details)


def _signature(folder: Path, found: Survey) -> Check:
    kind = EvidenceKind.SIGNATURE
    faults = [str(each) for each in found.signature_faults]
    details: dict[str, object] = {"inputs": found.inputs, "outputs": found.outputs, "notes": found.notes}
    if not faults and not found.example:
        said = "the signature is there, but no input example shows that it can be kept"
        return Check(kind=kind, outcome=Outcome.UNKNOWN, summary=said, details=details)
    if not faults:
        try:
            faults = example_faults(found.inputs, read_example(folder, found.example))
        except (OSError, ValueError) as error:
            faults = [f"the input example cannot be read: {error}"]
        faults = [f"the input example breaks it: {each}" for each in faults]
    if faults:
        said = faults[0] + (f" ({len(faults) - 1} more)" if len(faults) > 1 else "")
        details["faults"] = faults
        return Check(kind=kind, outcome=Outcome.FAILED, summary=f"the signature: {said}", details=details)
    said = (
        f"the input example keeps the signature of {len(found.inputs)} input{'s' * (len(found.inputs) != 1)}"
    )
    return Check(kind=kind, outcome=Outcome.PASSED, summary=said, details=details)


def _not_built(found: Survey, error: EnvironmentFailed | MissingExtra) -> Check:
    undecided = isinstance(error, EnvironmentUndecided | MissingExtra)
    hint = f" ({error.next_command})" if isinstance(error, MissingExtra) else ""
    said = (
        "it is not known whether its environment can be made"
        if undecided
        else "its environment cannot be made"
    )
    return Check(
        kind=EvidenceKind.ENVIRONMENT,
        outcome=Outcome.UNKNOWN if undecided else Outcome.FAILED,
        summary=f"{said}: {error.what}{hint}",
        details={
            "requirements": found.requirements,
            "python_wanted": found.python,
            "faults": [{"package": each.where, "what": each.what} for each in error.faults],
            "said": error.why,
        },
    )


def _built(found: Survey, built: Built, drift: dict[str, dict[str, str]]) -> Check:
    details: dict[str, object] = {
        "python_wanted": found.python,
        "python": built.python,
        "requirements": found.requirements,
        "packages": built.packages,
        "unpinned": unpinned(found.requirements),
        "drift": drift,
        "cached": built.cached,
        "seconds": round(built.seconds, 3),
    }
    if found.python and _minor(found.python) != _minor(built.python):
        said = (
            f"it asks for Python {found.python}, which is not installed here: "
            f"it was tried with {built.python}, which shows less"
        )
        return Check(kind=EvidenceKind.ENVIRONMENT, outcome=Outcome.UNKNOWN, summary=said, details=details)
    how = "it was there" if built.cached else f"made in {built.seconds:.1f} s"
    said = f"its {len(built.packages)} packages can be installed with Python {built.python} ({how})"
    return Check(kind=EvidenceKind.ENVIRONMENT, outcome=Outcome.PASSED, summary=said, details=details)


def _run(
    folder: Path, found: Survey, built: Built, environments: Environments, by: str, work: Path
) -> tuple[dict[str, object] | None, Ran]:
    home, answer = work / "home", work / "answer.json"
    home.mkdir()
    job = {
        "folder": str(folder),
        "answer": str(answer),
        "by": by,
        "flavors": dict(found.flavors),
        "example": found.example,
    }
    (work / "job.json").write_text(json.dumps(job, default=str), encoding="utf-8")
    ran = environments.run(
        built,
        Path(loading.__file__),
        [str(work / "job.json")],
        folder=home,
        seconds=RUN_SECONDS,
        memory=RUN_BYTES,
    )
    try:
        said = json.loads(answer.read_text("utf-8"))
    except (OSError, ValueError):
        return None, ran
    return said if isinstance(said, dict) else None, ran


def _cut_short(ran: Ran) -> Check:
    """What is known of a model that ended its process, or that was ended."""
    details: dict[str, object] = {"code": ran.code, "limit": ran.limit, "said": ran.said, "peak": ran.peak}
    if ran.limit:
        limit = f"{RUN_SECONDS:.0f} s" if ran.limit == "time" else f"{RUN_BYTES >> 30} GiB of memory"
        said = f"it was ended while it loaded or answered, because it took more than {limit}"
        return Check(kind=EvidenceKind.LOAD, outcome=Outcome.UNKNOWN, summary=said, details=details)
    how = f"signal {-ran.code}" if ran.code < 0 else f"exit code {ran.code}"
    said = f"its process ended with {how} while it loaded or answered"
    return Check(kind=EvidenceKind.LOAD, outcome=Outcome.FAILED, summary=said, details=details)


def _in_substitute(check: Check, built: Built) -> Check:
    """What a model did under another Python than its own proves nothing, for or against it."""
    return Check(
        kind=check.kind,
        outcome=Outcome.UNKNOWN,
        summary=f"under Python {built.python}: {check.summary}",
        details=check.details,
    )


def _recorded(folder: Path) -> Reference | None:
    try:
        found = json.loads((folder / OUTPUTS).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    predictions = found.get("predictions") if isinstance(found, dict) else None
    return None if predictions is None else Reference(predictions=clip(predictions), by="when it was saved")


def _has_mlflow(found: Survey, built: Built) -> bool:
    return "python_function" in found.flavors and not built.packages.keys().isdisjoint(
        ("mlflow", "mlflow-skinny")
    )


def _minor(version: str) -> str:
    return ".".join(version.strip().split(".")[:2])
