"""Does the Dockerfile linter have something to say that nobody argues about?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.scans import own, passed_over, scan_of
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

# Rules that other probes answer better (root, base image, pip), and pins of system packages, which distributions
# delete with their next security fix: many good teams leave them out on purpose.
_ELSEWHERE: Final = frozenset(
    (
        "DL3002",
        "DL3006",
        "DL3007",
        "DL3008",
        "DL3013",
        "DL3018",
        "DL3026",
        "DL3033",
        "DL3037",
        "DL3041",
        "DL3042",
    )
)


def look(repository: Repository) -> Answer:
    """Take the linter's errors and warnings but for those that are disputed or asked elsewhere."""
    if not repository.dockerfiles:
        return no_question("no Dockerfile here")
    scan = scan_of(repository, "dockerfiles")
    if isinstance(scan, Answer):
        return scan
    hits = tuple(
        hit
        for hit in own(repository, scan.hits, Severity.ERROR, Severity.WARNING)
        if hit.rule not in _ELSEWHERE
    )
    if hits:
        said = sorted({f"{hit.rule} {hit.message}" for hit in hits})
        return no(
            f"{counted(len(hits), 'line')}: {listed(said, 3)}",
            *(hit.location for hit in hits[:SHOWN]),
            lines=len(hits),
        )
    left_out = passed_over(scan)
    if left_out:
        return unknown(
            f"{left_out[0].location}: {left_out[0].message}", *(hit.location for hit in left_out[:SHOWN])
        )
    return yes(f"{scan.scanner} has no complaint about {counted(scan.looked_at, 'Dockerfile')}")


PROBE = Probe(
    id="container.lint",
    title="Dockerfiles pass a linter",
    why="A shell line that fails in silence, or a cache that is never cleared, is found in seconds by a linter.",
    remedy="hadolint Dockerfile",
    look=look,
    when=When.ALWAYS,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    source="hadolint's rules; Docker's best practices for building images",
)
