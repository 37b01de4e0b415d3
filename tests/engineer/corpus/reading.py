"""The corpus: small repositories, what an experienced reader expects of a report on each, and how a report compares.

A case is a folder with ``repo/`` (or ``source``, a folder of this project) and ``expected.yaml``:

kind, trains, serves   what it is for
must_find              probe → place, or nothing: must be FALSE, at this place among others. A place is ``path``,
                       ``path:line`` or ``path ~ text`` (within two lines of one that holds this text: a call may begin
                       above its argument)
may_find               probes (shell patterns) whose FALSE is a matter of taste, or true and not what the case is about
must_not_claim         probes that must be neither FALSE nor ERROR; ``probe@path``: not at this path; ``*``: no other
                       claim of severity error than those above
holds, unknown         probes that must be TRUE; that must be NOT_AVAILABLE
history, scans         facts that files in a repository cannot hold: History fields, Scan values
scanners               topics of scanners that look at it (secrets, pickles); without them these are unknown
generated              files that are made when it is read: too large, too broken or too alike to a real secret for git
known_wrong            claims that are false and still made, with the reason: they count as false, and fail no test
known_missed           faults that are there and not found, with the reason: they count as missed
held_out               written before anybody saw a report on it

A **false claim** is a FALSE that neither must_find nor may_find nor absences.yaml allows, or one that holds, unknown or
must_not_claim forbids. A **miss** is an entry of must_find that is not FALSE at its place.
"""

import base64
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from mlwright.adapters.scanners.detect_secrets import DetectSecretsScanner
from mlwright.adapters.scanners.picklescan import PicklescanScanner
from mlwright.engineer.catalogue import own_probes
from mlwright.engineer.collect.collect import collect
from mlwright.engineer.facts.history import History
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probing import ask
from mlwright.model.contracts import Severity
from mlwright.model.findings import Finding, Location, Outcome
from mlwright.model.scans import Scan

FOLDER: Final = Path(__file__).parent
ROOT: Final = FOLDER.parents[2]
KEYS: Final = frozenset(
    "about held_out source kind trains serves must_find may_find must_not_claim holds unknown history scans scanners "
    "generated known_wrong known_missed".split()
)
PROBES: Final = {probe.id: probe for probe in own_probes()}
SCANNERS: Final = {each.topic: each for each in (DetectSecretsScanner(), PicklescanScanner())}
NEAR: Final = 2
GIT: Final[Mapping[str, Any]] = {
    "head": "0" * 40,
    "commits": 40,
    "limit": 2000,
    "authors": 2,
    "first": "2026-01-01T00:00:00Z",
    "last": "2026-03-01T00:00:00Z",
    "merges": 0,
    "tags": [],
    "shallow": False,
}


@dataclass(frozen=True, slots=True)
class Case:
    """One repository of the corpus, and what its ``expected.yaml`` says."""

    name: str
    expected: Mapping[str, Any]

    @property
    def held_out(self) -> bool:
        return bool(self.expected.get("held_out"))

    @property
    def folder(self) -> Path:
        source = self.expected.get("source")
        return ROOT / source if source else FOLDER / self.name / "repo"


@dataclass(frozen=True, slots=True)
class Claim:
    """One FALSE of a report: whether it is fair, whether it was asked for, and why not."""

    probe: str
    places: tuple[str, ...]
    fair: bool
    located: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """A report beside what was expected; ``broken`` are the other promises that it does not keep."""

    case: Case
    claims: tuple[Claim, ...]
    expected: tuple[str, ...]
    missed: tuple[str, ...]
    broken: tuple[str, ...]

    @property
    def false_claims(self) -> tuple[Claim, ...]:
        return tuple(each for each in self.claims if not each.fair)


def cases() -> tuple[Case, ...]:
    """Every case, by name."""
    found = []
    for path in sorted(FOLDER.glob("*/expected.yaml")):
        expected = yaml.safe_load(path.read_text(encoding="utf-8"))
        unknown = sorted(set(expected) - KEYS)
        if unknown:
            raise ValueError(f"{path.parent.name}: unknown keys {unknown}")
        found.append(Case(path.parent.name, expected))
    return tuple(found)


@cache
def absences() -> tuple[str, ...]:
    """Probes (patterns) whose FALSE says that there is nothing of a kind."""
    return tuple(yaml.safe_load((FOLDER / "absences.yaml").read_text(encoding="utf-8")))


def lay_out(case: Case, place: Path) -> Path:
    """The case as a repository on disk: where it stands, or a copy below ``place`` with what has to be generated."""
    generated = case.expected.get("generated") or {}
    if not generated:
        return case.folder
    root = place / case.name
    shutil.copytree(case.folder, root)
    for path, content in generated.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if "link" in content:
            target.symlink_to(content["link"])
        else:
            target.write_bytes(_made(content))
    return root


def _made(content: Mapping[str, Any]) -> bytes:
    if "parts" in content:
        return "".join(content["parts"]).encode()
    if "nested" in content:
        return b"[" * content["nested"] + b"]" * content["nested"]
    if "base64" in content:
        text = content["base64"]
        return base64.b64decode(text + "=" * (-len(text) % 4)) + bytes(content.get("padding", 0))
    return b"1,2\n" * (content["bytes"] // 4)


def facts(case: Case, root: Path) -> Repository:
    """What is read of a case, with a history of its own: the one of this project is none of its."""
    scanners = [SCANNERS[topic] for topic in case.expected.get("scanners") or ()]
    repository = collect(root, scanners=scanners)
    scans = tuple(msgspec.convert(case.expected.get("scans") or [], list[Scan]))
    return replace(with_history(repository, case), scans=(*repository.scans, *scans), server=None)


def with_history(repository: Repository, case: Case) -> Repository:
    """Every file is tracked, unless the case says otherwise."""
    tracked = sorted(each.path for each in repository.files)
    history = {**GIT, "tracked": tracked, **(case.expected.get("history") or {})}
    return replace(repository, name=case.name, history=msgspec.convert(history, History))


def report(repository: Repository) -> dict[str, Finding]:
    """All findings, by probe."""
    return {each.id: each for each in ask(repository, PROBES.values())}


def compare(case: Case, root: Path, repository: Repository, found: Mapping[str, Finding]) -> Compared:
    """A report beside what was expected of it."""
    must = case.expected.get("must_find") or {}
    missed = [id for id, place in must.items() if (id not in found) or not _at(found[id], place, root)]
    claims = [_claim(case, each) for each in found.values() if each.outcome is Outcome.FALSE]
    return Compared(
        case=case,
        claims=tuple(claims),
        expected=tuple(sorted(must)),
        missed=tuple(sorted(missed)),
        broken=tuple(_broken(case, repository, found)),
    )


def _at(finding: Finding, place: str | None, root: Path) -> bool:
    if finding.outcome is not Outcome.FALSE:
        return False
    if place is None:
        return True
    path, found, text = place.partition(" ~ ")
    if found:
        lines = (root / path).read_text(encoding="utf-8").splitlines()
        numbers = [number for number, line in enumerate(lines, 1) if text in line]
        if not numbers:
            raise ValueError(f"{path} holds no {text!r}")
        near = {number + step for number in numbers for step in range(-NEAR, NEAR + 1)}
        return any(each.path == path and each.line in near for each in finding.locations)
    path, _, line = place.partition(":")
    return any(each.path == path and (not line or each.line == int(line)) for each in finding.locations)


def _claim(case: Case, finding: Finding) -> Claim:
    expected = case.expected
    places = tuple(sorted({str(each) for each in finding.locations}))
    located = bool(finding.locations) and not _among(finding.id, absences())
    why = _forbidden(expected, finding)
    if not why and finding.id not in (expected.get("must_find") or {}):
        allowed = [*(expected.get("may_find") or ()), *absences()]
        why = "" if _among(finding.id, allowed) else "nothing in expected.yaml allows it"
    return Claim(finding.id, places, fair=not why, located=located, why=why)


def _forbidden(expected: Mapping[str, Any], finding: Finding) -> str:
    for key in ("holds", "unknown"):
        if finding.id in (expected.get(key) or ()):
            return f"{key}"
    for entry in expected.get("must_not_claim") or ():
        id, _, path = entry.partition("@")
        if id == finding.id and (not path or any(each.path == path for each in finding.locations)):
            return f"must_not_claim {entry}"
    everything = "*" in (expected.get("must_not_claim") or ())
    named = {*(expected.get("must_find") or {}), *(expected.get("may_find") or ())}
    grave = finding.severity is Severity.ERROR and not _among(finding.id, named)
    return "must_not_claim *" if everything and grave and not _among(finding.id, absences()) else ""


def _among(id: str, patterns: Sequence[str] | set[str]) -> bool:
    return any(fnmatchcase(id, pattern) for pattern in patterns)


def _broken(case: Case, repository: Repository, found: Mapping[str, Finding]) -> Iterator[str]:
    profile = repository.profile
    for name, said in (("kind", profile.kind.value), ("trains", profile.trains), ("serves", profile.serves)):
        if said != case.expected[name]:
            yield f"{name} is {said}, not {case.expected[name]}: {'; '.join(profile.reasons)}"
    for each in found.values():
        if each.outcome is Outcome.ERROR:
            yield f"{each.id} broke: {each.evidence}"
    for key, outcome in (("holds", Outcome.TRUE), ("unknown", Outcome.NOT_AVAILABLE)):
        for id in case.expected.get(key) or ():
            if id in found and found[id].outcome is not outcome:
                yield f"{id} is {found[id].outcome}, not {outcome}: {found[id].evidence}"


def named(case: Case) -> Iterator[str]:
    """Every probe that an expected.yaml names."""
    expected = case.expected
    yield from (expected.get("must_find") or {})
    for key in ("must_not_claim", "holds", "unknown"):
        yield from (entry.partition("@")[0] for entry in expected.get(key) or ())
    for key in ("known_wrong", "known_missed"):
        yield from expected.get(key) or {}


def place_of(text: str) -> Location:
    """``path:line`` as a location."""
    found = re.fullmatch(r"(.+?)(?::(\d+))?", text)
    assert found is not None
    return Location(path=found[1], line=int(found[2]) if found[2] else None)
