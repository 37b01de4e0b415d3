"""All that is known of one model version, gathered for whoever writes it down."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlwright.model.evidence import Evidence, EvidenceKind, Outcome
from mlwright.model.monitoring import Estimate
from mlwright.model.registry import ModelVersion
from mlwright.model.tracking import DatasetInput, LoggedModel, Run
from mlwright.stages.registry.formats import formats
from mlwright.stages.registry.survey import Survey

_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*([^;]*)")
_PINNED: Final = re.compile(r"===?\s*([^\s,*]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One file of the model. ``size`` is in bytes, ``sha256`` in hexadecimal digits."""

    path: str
    size: int
    format: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A metric on the held-out rows, with its interval."""

    name: str
    estimate: Estimate
    rows: int
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package that the model needs. ``version`` is None where none is pinned or installed; see ``wanted`` then."""

    name: str
    version: str | None
    wanted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """Facts only. What is not known is None or empty."""

    version: ModelVersion
    run: Run | None = None
    inputs: tuple[DatasetInput, ...] = ()
    logged_model: LoggedModel | None = None
    survey: Survey | None = None
    files: tuple[ModelFile, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    """The newest of each kind, and of each gate and role."""
    measured: tuple[Measured, ...] = ()
    target: str | None = None
    """The column that it predicts."""
    contracts: tuple[str, ...] = ()

    @property
    def is_classifier(self) -> bool:
        """Whether its own evaluation takes what it says for probabilities of a class."""
        return self.version.evaluation is not None and "auc" in self.version.evaluation.metrics

    def newest(self, kind: EvidenceKind, gate: str | None = None) -> Evidence | None:
        """The newest evidence of a kind, and of a gate where one is named."""
        for each in self.evidence:
            if each.kind == kind and (gate is None or each.details.get("gate") == gate):
                return each
        return None

    def packages(self) -> tuple[Package, ...]:
        """What the model needs: as it was installed for its proof where that is known, else as it asks for it."""
        asked = self.survey.requirements if self.survey else ()
        wanted = {package.name: package for package in map(parse_requirement, asked) if package}
        built = self.newest(EvidenceKind.ENVIRONMENT)
        installed = built.details.get("packages") if built and built.outcome is Outcome.PASSED else None
        if not isinstance(installed, dict):
            return tuple(wanted[name] for name in sorted(wanted))
        found = {}
        for name, version in installed.items():
            known = normal_name(str(name))
            said = wanted[known].wanted if known in wanted else ""
            found[known] = Package(name=known, version=str(version), wanted=said)
        return tuple(found[name] for name in sorted(found))


def model_files(folder: Path) -> tuple[ModelFile, ...]:
    """The files of a model with their digests."""
    found = []
    for each in formats(folder):
        with (folder / each.path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found.append(ModelFile(path=each.path, size=each.size, format=each.format, sha256=digest))
    return tuple(found)


def parse_requirement(line: str) -> Package | None:
    """One line of ``requirements.txt``; None for an option, a path or an address.

    >>> parse_requirement("Scikit_Learn[all] == 1.8.0 ; python_version > '3'")
    Package(name='scikit-learn', version='1.8.0', wanted='== 1.8.0')
    """
    found = (
        None
        if line.startswith(("-", ".", "/")) or "://" in line
        else _REQUIREMENT.fullmatch(line.split(";")[0].strip())
    )
    if found is None:
        return None
    wanted = found[2].strip()
    pinned = _PINNED.fullmatch(wanted)
    return Package(name=normal_name(found[1]), version=pinned[1] if pinned else None, wanted=wanted)


def normal_name(name: str) -> str:
    """The name of a package as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def thin(found: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The newest evidence of each kind, and of each gate and alias, and of each role and person, in the order given."""
    seen: set[tuple[object, ...]] = set()
    kept = []
    for each in found:
        key: tuple[object, ...] = (each.kind,)
        if each.kind == EvidenceKind.GATE:
            key = (each.kind, each.details.get("gate"), each.details.get("alias"))
        elif each.kind == EvidenceKind.APPROVAL:
            key = (each.kind, each.details.get("role"), each.actor)
        if key not in seen:
            seen.add(key)
            kept.append(each)
    return tuple(kept)
