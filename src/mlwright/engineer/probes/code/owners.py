"""Is it known whose it is?"""

from collections.abc import Iterator

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import Sign, shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for CODEOWNERS, maintainers or authors."""
    return shown(_owners(repository), "owners are named", "nobody is named as owner")


def _owners(repository: Repository) -> Iterator[Sign]:
    yield from signs(
        repository,
        files=("CODEOWNERS", "MAINTAINERS*", "OWNERS", "catalog-info.yaml", "AUTHORS*"),
        headings=("maintainers?$", "owners?$", "contacts?$", "team$", "authors?$"),
    )
    for document in repository.of_kind(DocumentKind.PYPROJECT):
        for keys in (("project", "authors"), ("project", "maintainers"), ("tool", "poetry", "authors")):
            if document.get(*keys):
                yield f"{keys[-1]} of {document.path}", document.at(*keys)


PROBE = Probe(
    id="code.owners",
    title="somebody is named as owner",
    why="A model without an owner is everybody's alert and nobody's work.",
    remedy="add CODEOWNERS with a team for training code, contracts and deployment files",
    look=look,
    when=When.ML,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    source="Kreuzberger P5",
)
