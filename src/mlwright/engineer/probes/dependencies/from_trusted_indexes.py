"""Who can hand in another package?"""

import re

from mlwright.engineer.collect.walk import role_of
from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_OPEN = re.compile(
    r"trusted-host(?!.*(localhost|127\.0\.0\.1))|index(-url)?[\s=\"']+http://(?!localhost|127\.)"
)
_OURS = (Role.PRODUCTION, Role.TOOL)


def look(repository: Repository) -> Answer:
    """Look for unencrypted or unchecked sources of packages."""
    options = [
        (each.text, Location(path=each.path, line=each.line))
        for each in repository.indexes
        if role_of(each.path) in _OURS
    ]
    faults = [(text, place) for text, place in options if _OPEN.search(text)]
    faults += [
        (f"{each.name} {each.specifier}", each.at)
        for each in repository.requirements
        if role_of(each.at.path) in _OURS and each.specifier.startswith(("git+http://", "http://"))
    ]
    if faults:
        return no(f"{faults[0][0][:80]}", *(place for _, place in faults), faults=len(faults))
    if not repository.requirements:
        return no_question("no dependency is declared")
    return yes(f"{len(repository.requirements)} dependencies, no unencrypted source", indexes=len(options))


PROBE = Probe(
    id="dependencies.from_trusted_indexes",
    title="packages come over checked connections",
    why="Whoever sits on the way can hand in another package, and it runs with your rights.",
    remedy="use https indexes and drop --trusted-host",
    look=look,
    when=When.CODE,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="CWE-494; Alex Birsan 2021, Dependency Confusion",
)
