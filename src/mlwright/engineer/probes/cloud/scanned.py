"""Does a scanner of infrastructure find something that nobody would defend?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.scans import own, passed_over, scan_of
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

# Without an account with its makers checkov gives no severities, and most of its rules are advice (event
# notifications, copies in a second region). These are not: doors that are open to all, keys in the text, all rights.
_GRAVE: Final = frozenset(
    (
        "CKV_AWS_17",  # database with a public address
        "CKV_AWS_20",  # bucket that all can read
        "CKV_AWS_24",  # ssh from everywhere
        "CKV_AWS_25",  # remote desktop from everywhere
        "CKV_AWS_41",  # keys in the provider
        "CKV_AWS_45",  # keys in a function's environment
        "CKV_AWS_46",  # keys in a machine's start script
        "CKV_AWS_57",  # bucket that all can write
        "CKV_AWS_62",  # all rights on everything
        "CKV_AWS_63",
        "CKV_AZURE_9",  # remote desktop from everywhere
        "CKV_AZURE_10",  # ssh from everywhere
        "CKV_GCP_2",  # ssh from everywhere
        "CKV_GCP_3",  # remote desktop from everywhere
        "CKV_GCP_28",  # bucket that all can read
        "CKV_K8S_16",  # privileged container
        "CKV_K8S_17",  # the host's processes
        "CKV_K8S_19",  # the host's network
        "CKV_K8S_27",  # docker's socket
        "CKV_K8S_49",  # all rights on everything
    )
)


def look(repository: Repository) -> Answer:
    """Take what is grave by the scanner's own severity, or by the list above."""
    if not repository.resources and not repository.kubernetes:
        return no_question("no infrastructure as code here")
    scan = scan_of(repository, "infrastructure")
    if isinstance(scan, Answer):
        return scan
    hits = own(repository, scan.hits, Severity.ERROR, Severity.WARNING)
    grave = tuple(hit for hit in hits if hit.severity is Severity.ERROR or hit.rule in _GRAVE)
    if grave:
        return no(
            f"{counted(len(grave), 'grave finding')}: {listed(f'{hit.rule} {hit.message}' for hit in grave)}",
            *(hit.location for hit in grave[:SHOWN]),
            grave=len(grave),
            others=len(hits) - len(grave),
        )
    left_out = passed_over(scan)
    if left_out:
        return unknown(
            f"{left_out[0].location}: {left_out[0].message}", *(hit.location for hit in left_out[:SHOWN])
        )
    if not scan.looked_at:
        return unknown(f"{scan.scanner} found no file that it can read")
    lesser = f"; {counted(len(hits), 'piece')} of advice" if hits else ""
    return yes(
        f"{scan.scanner} finds nothing grave in {counted(scan.looked_at, 'file')}{lesser}", advice=len(hits)
    )


PROBE = Probe(
    id="cloud.scanned",
    title="a scanner finds nothing grave in the infrastructure",
    why="A door that is open to all is found by others within minutes; a scanner finds it before it is built.",
    remedy="checkov --directory . --compact",
    look=look,
    when=When.ALWAYS,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    source="checkov's policies; CIS benchmarks",
)
