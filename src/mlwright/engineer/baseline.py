"""What was known before: problems with a fingerprint that survives moved lines, and the file that keeps them.

A fingerprint is the SHA-256 (its first 32 digits) of the probe's id, the path, the line's text without regard to white
space, and a counter for equal ones; of the id alone for a problem of the repository as a whole. The idea is that of
``partialFingerprints`` in SARIF 2.1.0, section 3.27.17.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from mlwright.engineer.lines import Lines
from mlwright.errors import NotFound, UsageError
from mlwright.model.assessment import Assessment, Suppression
from mlwright.model.findings import Finding, Location, Outcome

FORMAT: Final = "mlwright baseline"
VERSION: Final = 1
_REWRITE: Final = "mlwright assess --write-baseline FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One place where one thing does not hold, or a finding that has no place.

    ``accepted`` is who accepted it and why; ``inherited`` tells that a baseline or an earlier revision had it already.
    """

    finding: Finding
    location: Location | None
    fingerprint: str
    accepted: Suppression | None = None
    inherited: bool = False

    @property
    def counts(self) -> bool:
        """Whether a gate looks at it."""
        return self.accepted is None and not self.inherited


class Known(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of a baseline file; ``path`` is there for people, the fingerprint says it all."""

    finding: str
    path: str
    fingerprint: str


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    version: int
    findings: list[Known]


def problems(assessment: Assessment, lines: Lines) -> tuple[Problem, ...]:
    """Everything that does not hold, or could not be looked for because a probe broke, place by place."""
    found = []
    for finding in assessment.findings:
        if finding.outcome in (Outcome.FALSE, Outcome.ERROR):
            seen: Counter[tuple[str, str]] = Counter()
            for place in finding.locations or (None,):
                text = " ".join(lines.at(place).split()) if place is not None else ""
                key = (place.path if place is not None else "", text)
                found.append(
                    Problem(
                        finding=finding, location=place, fingerprint=_fingerprint(finding.id, *key, seen[key])
                    )
                )
                seen[key] += 1
    return tuple(found)


def write_baseline(file: Path, found: Sequence[Problem]) -> int:
    """Write every problem that nobody accepted as known; returns how many. The same problems give the same bytes.

    Raises:
        UsageError: the file cannot be written.
    """
    known = sorted(
        (
            Known(
                finding=each.finding.id,
                path=each.location.path.encode("utf-8", "replace").decode()
                if each.location is not None
                else "",
                fingerprint=each.fingerprint,
            )
            for each in found
            if each.accepted is None
        ),
        key=lambda entry: (entry.finding, entry.path, entry.fingerprint),
    )
    content = msgspec.json.encode(_File(format=FORMAT, version=VERSION, findings=known))
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_bytes(msgspec.json.format(content, indent=1) + b"\n")
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(
            "the baseline cannot be written", where=str(file), why=str(error.strerror)
        ) from error
    return len(known)


def read_baseline(file: Path) -> frozenset[str]:
    """The fingerprints that a baseline file holds.

    Raises:
        NotFound: there is no such file.
        UsageError: it is no baseline, or one of a version that this mlwright does not know.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise NotFound("there is no such baseline", where=str(file), next_command=_REWRITE) from error
    except OSError as error:
        raise UsageError("the baseline cannot be read", where=str(file), why=str(error.strerror)) from error
    try:
        head = msgspec.json.decode(content)
        if not isinstance(head, dict) or head.get("format") != FORMAT:
            raise UsageError("this is no baseline of mlwright", where=str(file), next_command=_REWRITE)
        if head.get("version") != VERSION:
            raise UsageError(
                f"this baseline has version {head.get('version')!r}, and this mlwright reads version {VERSION}",
                where=str(file),
                next_command=_REWRITE,
            )
        return frozenset(each.fingerprint for each in msgspec.convert(head, _File).findings)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            "the baseline is damaged", where=str(file), why=str(error), next_command=_REWRITE
        ) from error


def _fingerprint(id: str, path: str, text: str, number: int) -> str:
    parts = (id, path, text, str(number)) if path else (id,)
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
