"""Does a secret stand in the files?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.scans import own, passed_over, scan_of
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort
from mlwright.model.scans import Hit


def look(repository: Repository) -> Answer:
    """Take the scanner's errors in files that git tracks; its warnings are for a person to judge."""
    scan = scan_of(repository, "secrets")
    if isinstance(scan, Answer):
        return scan
    secrets = _shared(repository, own(repository, scan.hits, Severity.ERROR))
    if secrets:
        return no(
            f"{counted(len(secrets), 'secret')} in plain text: {listed(hit.rule for hit in secrets)}",
            *(hit.location for hit in secrets[:SHOWN]),
            secrets=len(secrets),
        )
    maybe = _shared(repository, own(repository, scan.hits, Severity.WARNING))
    if maybe:
        return unknown(
            f"{counted(len(maybe), 'place')} that may hold a secret: {listed(hit.rule for hit in maybe)}; look at them",
            *(hit.location for hit in maybe[:SHOWN]),
            places=len(maybe),
        )
    left_out = passed_over(scan)
    if left_out:
        return unknown(
            f"{left_out[0].location}: {left_out[0].message}", *(hit.location for hit in left_out[:SHOWN])
        )
    if not scan.looked_at:
        return no_question("no text to look at")
    return yes(f"{scan.scanner} finds none in {counted(scan.looked_at, 'file')}{_samples(scan.hits)}")


def _shared(repository: Repository, hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
    """Those in files that git tracks: an ignored .env on one's own disk is where a secret belongs."""
    if repository.history is None:
        return hits
    return tuple(hit for hit in hits if hit.location.path in repository.history.tracked)


def _samples(hits: tuple[Hit, ...]) -> str:
    rest = sum(hit.severity is Severity.ERROR for hit in hits)
    return f"; {rest} in tests, examples, documents or files that git ignores" if rest else ""


PROBE = Probe(
    id="security.no_secrets",
    title="no secret stands in the files",
    why="Who can read the repository, now or in ten years, has the key; deleting the line does not take it back.",
    remedy="revoke the secret first, then read it from the environment or a secret store; deleting it is not enough",
    look=look,
    when=When.ALWAYS,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="OWASP Secrets Management Cheat Sheet; CWE-798",
)
