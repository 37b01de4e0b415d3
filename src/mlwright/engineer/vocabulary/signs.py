"""Signs that something is done here: an import, a call, a file, a step of a robot, a heading; each with its place."""

import re
from collections.abc import Iterator

from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, no, yes
from mlwright.engineer.vocabulary.automation import automated
from mlwright.model.findings import Location

Sign = tuple[str, Location]
MOST = 10


def signs(
    repository: Repository,
    *,
    packages: tuple[str, ...] = (),
    calls: tuple[str, ...] = (),
    files: tuple[str, ...] = (),
    robots: tuple[str, ...] = (),
    headings: tuple[str, ...] = (),
    objects: tuple[str, ...] = (),
) -> Iterator[Sign]:
    """All signs of a thing, as what was seen and where.

    Args:
        repository: where to look.
        packages: import names; seen where production code imports one.
        calls: shell patterns of dotted call names in production code.
        files: shell patterns of file names, outside of tests and vendored code.
        robots: regular expressions for steps of CI and hooks of pre-commit.
        headings: regular expressions (any case) for titles in documents for people.
        objects: kinds of Kubernetes objects.
    """
    if packages:
        for file in repository.production:
            found = file.imports_any(*packages)
            if found is not None:
                yield f"imports {found.name}", file.at(found)
    if calls:
        yield from ((f"calls {call.name}", file.at(call)) for file, call in repository.calls(*calls))
    if files:
        kept = (each for each in repository.find(*files) if each.role not in (Role.TEST, Role.VENDORED))
        yield from ((each.path, Location(path=each.path)) for each in kept)
    if robots:
        yield from automated(repository, *robots)
    if headings:
        wanted = re.compile("|".join(headings), re.IGNORECASE)
        for text in repository.texts:
            yield from (
                (f'"{title.strip()}"', Location(path=text.path, line=line))
                for title, line in text.headings
                if wanted.search(title)
            )
    if objects:
        yield from ((f"{each.kind} {each.name}", each.at) for each in repository.objects(*objects))


def shown(found: Iterator[Sign], holds: str, lacks: str) -> Answer:
    """TRUE with the first sign as evidence, or FALSE with ``lacks``."""
    seen = list(found)
    if not seen:
        return no(lacks)
    return yes(f"{holds}: {seen[0][0]}", *(place for _, place in seen[:MOST]), signs=len(seen))
