"""Is everything declared that is imported?"""

import re

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.distributions import DISTRIBUTIONS
from mlwright.model.assessment import RepositoryKind
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_REQUIREMENTS = re.compile(r"(requirements/)?[\w-]*requirements?[\w-]*\.(txt|in)")


def look(repository: Repository) -> Answer:
    """Compare the imports of production code with what is declared, over a table of well-known names."""
    if repository.profile.kind is RepositoryKind.LIBRARY:
        return no_question("a library may import what it does not need: its users bring it")
    declared = {each.name for each in repository.requirements}
    if len(declared) < 2:
        return unknown("too little is declared to compare with")
    elsewhere = _read_by_setup(repository)
    if elsewhere:
        return unknown(f"setup.py takes them from {elsewhere}, which is not here", Location(path="setup.py"))
    own = {
        part for each in repository.files if each.path.endswith(".py") for part in each.path[:-3].split("/")
    }
    missing: dict[str, Location] = {}
    programs = [file for file in repository.production if not file.notebook]
    for file in programs or repository.production:
        for each in file.imports:
            if each.optional:  # the program runs without it, or whoever asks for this part of it brings it
                continue
            names = DISTRIBUTIONS.get(each.name.partition(".")[0], ())
            if names and not declared & set(names) and each.name.partition(".")[0] not in own:
                missing.setdefault(names[0], file.at(each))
    if missing:
        said = ", ".join(sorted(missing)[:5])
        return no(
            f"imported and not declared: {said}",
            *(missing[name] for name in sorted(missing)),
            missing=len(missing),
        )
    return yes(f"{len(declared)} declared, nothing well known is missing", declared=len(declared))


def _read_by_setup(repository: Repository) -> str:
    """The file of requirements that setup.py reads and that is missing, as in some source releases; "" for none."""
    setup = next((each for each in repository.python if each.path == "setup.py"), None)
    here = {each.path for each in repository.files}
    named = [path for path, _ in setup.paths if _REQUIREMENTS.fullmatch(path)] if setup else []
    return next((path for path in sorted(named) if path not in here), "")


PROBE = Probe(
    id="dependencies.complete",
    title="what is imported is declared",
    why="It works here because something else brings the package; in the next environment it does not.",
    remedy="add them to the dependencies (uv add NAME)",
    look=look,
    when=When.CODE,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    after="dependencies.declared",
    source="deptry documentation",
)
