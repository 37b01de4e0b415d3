"""Does loading a pickle of this repository run something that nobody wants?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.scans import own, passed_over, scan_of
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_SUFFIXES = ("*.pkl", "*.pickle", "*.joblib", "*.p", "*.sav", "*.pt", "*.pth", "*.ckpt")


def look(repository: Repository) -> Answer:
    """Take what the scanner calls dangerous; what carries code of its authors is for a person to judge."""
    scan = scan_of(repository, "pickles")
    if isinstance(scan, Answer):
        return scan if repository.find(*_SUFFIXES) else no_question("no pickles here")
    dangerous = own(repository, scan.hits, Severity.ERROR)
    if dangerous:
        files = len({hit.location.path for hit in dangerous})
        return no(
            f"{counted(files, 'pickle')}: {listed(hit.message for hit in dangerous)}",
            *(hit.location for hit in dangerous[:SHOWN]),
            pickles=files,
        )
    code = own(repository, scan.hits, Severity.WARNING)
    if code:
        return unknown(
            f"{listed(hit.message for hit in code)}: so do honest pickles of functions, and malicious ones",
            *(hit.location for hit in code[:SHOWN]),
        )
    left_out = passed_over(scan)
    if left_out:
        return unknown(
            f"{left_out[0].location}: {left_out[0].message}", *(hit.location for hit in left_out[:SHOWN])
        )
    if not scan.looked_at:
        return no_question("no pickles here")
    return yes(f"{scan.scanner} finds nothing dangerous in {counted(scan.looked_at, 'pickle')}")


PROBE = Probe(
    id="model.pickles_clean",
    title="pickles import nothing dangerous",
    why="Loading a pickle runs what stands in it: with one poisoned file an attacker is on your training machine.",
    remedy="delete the file, find out who put it there, and store models with skops, safetensors or ONNX",
    look=look,
    when=When.ALWAYS,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="CWE-502; OWASP ML06",
)
