"""Is the same installed tomorrow?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.model.assessment import RepositoryKind
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location


def look(repository: Repository) -> Answer:
    """Look at what the program needs to run: a lock file fixes it, or each line does."""
    if repository.profile.kind is RepositoryKind.LIBRARY:
        return no_question("a library leaves the exact version to those who use it")
    needed = [each for each in repository.requirements if not each.group]
    if repository.locks:
        return yes(f"fixed by {repository.locks[0].path}", Location(path=repository.locks[0].path))
    if not needed:
        return no_question("no dependency is declared")
    loose = [each for each in needed if not each.pinned]
    values = {"direct": len(needed), "loose": len(loose)}
    if loose:
        said = f"{loose[0].name}{loose[0].specifier or ' (any version)'}"
        return no(
            f"{len(loose)} of {len(needed)} may change: {said}", *(each.at for each in loose[:20]), **values
        )
    return yes(f"{len(needed)} direct dependencies, all pinned", *(each.at for each in needed[:5]), **values)


PROBE = Probe(
    id="dependencies.pinned",
    title="direct dependencies are pinned",
    why="The same commit trains another model next month, with nobody having changed a line.",
    remedy="uv lock, or uv pip compile --generate-hashes (mlwright assess --fix lock)",
    look=look,
    when=When.CODE,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    after="dependencies.declared",
    fix="lock",
    source="ML Test Score Infra 1",
)
