"""Is it said what others may do with it?"""

from typing import Final

from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.sections import MOST, sections
from mlwright.model.assessment import RepositoryKind
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_FILES: Final = ("licen[cs]e*", "copying*", "unlicense*", "licenses/*", "licences/*")
_CODE: Final = frozenset((".py", ".pyi", ".ipynb", ".js", ".ts"))


def look(repository: Repository) -> Answer:
    """Look for a licence file, or a licence in the package's metadata; only a published library lacks one."""
    files = [
        Location(path=each.path)
        for each in repository.find(*_FILES)
        if each.path.count("/") <= 1
        and each.role not in (Role.TEST, Role.VENDORED)
        and not each.path.lower().endswith(tuple(_CODE))
    ]
    if files:
        return yes(f"{files[0]}", *files[:MOST])
    for document in repository.of_kind(DocumentKind.PYPROJECT):
        if document.path.count("/") > 0:
            continue
        if document.get("project", "license") or document.get("tool", "poetry", "license"):
            keys = (
                ("project", "license")
                if document.get("project", "license")
                else ("tool", "poetry", "license")
            )
            return yes(f"{document.path} names a licence", document.at(*keys))
        for said in document.get("project", "classifiers") or ():
            if str(said).startswith(("License ::", "Private ::")):
                return yes(f"{document.path}: {said}", document.at("project", "classifiers"))
    written = sections(repository, r"licen[cs]e|licensing|copyright( and licen[cs]e)?")
    if written:
        return yes(f"{written[0].at}", written[0].at)
    if repository.profile.kind is RepositoryKind.LIBRARY:
        return no("a library for others, without a licence file or one in its metadata")
    return unknown("no licence is here; whether others are meant to use it cannot be told")


PROBE = Probe(
    id="governance.license",
    title="a licence says what others may do with it",
    why="Without a licence nobody else may use, change or pass it on, however open it looks.",
    remedy='add a LICENSE file, or the classifier "Private :: Do Not Upload" where nobody is meant to',
    look=look,
    when=When.ALWAYS,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    source="Linux Foundation, OpenChain ISO/IEC 5230",
)
