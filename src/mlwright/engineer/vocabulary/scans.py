"""What scanners said, as probes use it."""

from collections.abc import Iterable
from typing import Final

from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, unknown
from mlwright.model.contracts import Severity
from mlwright.model.scans import Hit, Scan

NOT_READ: Final = "not-looked-at"
"""The rule by which a scanner says that it passed over a file, or over a part of it."""
_APART: Final = frozenset({Role.TEST, Role.EXAMPLE, Role.DOCUMENT, Role.VENDORED})


def scan_of(repository: Repository, topic: str) -> Scan | Answer:
    """The scan of a topic, or the answer that it cannot be told without one."""
    scan = next((each for each in repository.scans if each.topic == topic), None)
    if scan is None:
        return unknown(f"no scanner for {topic} was asked")
    if scan.missing:
        install = f": {scan.install}" if scan.install else ""
        return unknown(f"{scan.missing}{install}")
    return scan


def own(repository: Repository, hits: Iterable[Hit], *severities: Severity) -> tuple[Hit, ...]:
    """The hits of these severities, outside of tests, examples, documents and vendored code."""
    apart = {each.path for each in repository.files if each.role in _APART}
    return tuple(
        hit
        for hit in hits
        if hit.rule != NOT_READ and hit.severity in severities and hit.location.path not in apart
    )


def passed_over(scan: Scan) -> tuple[Hit, ...]:
    """What the scanner did not look at."""
    return tuple(hit for hit in scan.hits if hit.rule == NOT_READ)
