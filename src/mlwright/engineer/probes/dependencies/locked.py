"""Are also the dependencies of dependencies fixed?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.model.assessment import RepositoryKind
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location


def look(repository: Repository) -> Answer:
    """Look for a lock file with digests."""
    if repository.profile.kind is RepositoryKind.LIBRARY:
        return no_question("a library leaves the exact version to those who use it")
    hashed = [each for each in repository.locks if each.hashed]
    if hashed:
        return yes(
            f"{hashed[0].path} fixes {hashed[0].packages} packages with digests",
            *(Location(path=each.path) for each in hashed),
        )
    if repository.locks:
        first = repository.locks[0]
        return no(
            f"{first.path} fixes versions, without digests",
            Location(path=first.path),
            packages=first.packages,
        )
    files = sorted({each.at.path for each in repository.requirements})
    return no("no lock file", *(Location(path=path) for path in files[:3]))


PROBE = Probe(
    id="dependencies.locked",
    title="every dependency is locked with digests",
    why="What a dependency brings along changes under you, and a replaced file goes unnoticed.",
    remedy="uv lock, or uv pip compile --generate-hashes (mlwright assess --fix lock)",
    look=look,
    when=When.CODE,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    after="dependencies.declared",
    fix="lock",
    source="ML Test Score Infra 1; SLSA",
)
