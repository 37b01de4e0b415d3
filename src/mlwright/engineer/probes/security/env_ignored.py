"""Does git keep away from files of secrets?"""

import re

from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.model.assessment import RepositoryKind
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_SECRET_FILES = (
    ".env",
    ".env.local",
    ".env.prod",
    ".env.production",
    "id_rsa",
    "id_ed25519",
    ".netrc",
    ".pypirc",
)
_IGNORES = re.compile(r"^/?(\*\*/)?(\.env(\*|\.\*)?|\*\.env|\.env/?)$")


def look(repository: Repository) -> Answer:
    """Look for tracked files of secrets, then for a .gitignore that keeps new ones out."""
    lying = [
        each
        for each in repository.find(*_SECRET_FILES)
        if each.role in (Role.PRODUCTION, Role.TOOL) and each.bytes
    ]
    if repository.history is not None:
        tracked = [each for each in lying if each.path in repository.history.tracked]
        if tracked:
            places = (Location(path=each.path) for each in tracked)
            return no(f"{tracked[0].path} is tracked by git", *places, tracked=len(tracked))
    if any(_IGNORES.match(pattern.strip()) for pattern in repository.ignored):
        return yes("git ignores .env", Location(path=".gitignore"))
    if repository.released or (repository.profile.kind is RepositoryKind.LIBRARY and not lying):
        return no_question("the .env that a published package reads is that of whoever uses it")
    uses = [
        file.at(call)
        for file, call in repository.calls("dotenv.load_dotenv", "load_dotenv", "environ.Env.read_env")
    ]
    if uses or lying:
        return no(
            "the program reads .env and git does not ignore it",
            *uses,
            *(Location(path=e.path) for e in lying),
        )
    return no_question("nothing here reads a file of secrets")


PROBE = Probe(
    id="security.env_ignored",
    title="git keeps away from files of secrets",
    why="One git add . and the production password is in every clone, for ever.",
    remedy="add .env to .gitignore (mlwright assess --fix gitignore); change every secret that was committed",
    look=look,
    when=When.CODE,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    fix="gitignore",
    source="OWASP Secrets Management Cheat Sheet",
)
