"""Does an image carry a secret?"""

import re

from mlwright.engineer.facts.configuration import Instruction
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.images import NOTHING, at
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_NAME = r"[A-Z0-9_]*(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY)"
# No reference, no empty value, no placeholder, no path.
_VALUE = r"(?!.*(\$|change|example|xxx|<|placeholder|your|dummy|none|null|true|false))[^\s/'\"]{6,}"
_GIVEN = re.compile(rf"\b({_NAME})[= ]['\"]?{_VALUE}", re.IGNORECASE)
_COPIED = re.compile(r"(^|[\s/])(\.env|id_rsa|id_ed25519|credentials\.json|\.netrc|\.pypirc|\.aws)(\s|$)")


def look(repository: Repository) -> Answer:
    """Look at ENV, ARG, COPY and ADD of every Dockerfile."""
    if not repository.dockerfiles:
        return no_question(NOTHING)
    faults = [
        (file, each, said)
        for file in repository.dockerfiles
        for each in file.instructions
        if (said := _fault(each))
    ]
    if faults:
        file, each, said = faults[0]
        places = (at(file, each) for file, each, _ in faults)
        return no(f"{file.path}:{each.line}: {said}", *places, faults=len(faults))
    return yes(f"{len(repository.dockerfiles)} Dockerfiles, no secret in sight")


def _fault(instruction: Instruction) -> str:
    if instruction.name in ("ENV", "ARG"):
        found = _GIVEN.search(instruction.value)
        return f"{instruction.name} sets {found[1]}" if found else ""
    if instruction.name in ("COPY", "ADD"):
        found = _COPIED.search(instruction.value)
        return f"copies {found[2]} into the image" if found else ""
    return ""


PROBE = Probe(
    id="container.no_secrets",
    title="images carry no secret",
    why="Whoever can pull the image can read every layer of it, also those that a later step deleted.",
    remedy="use RUN --mount=type=secret at build time and the environment at run time; change the secret",
    look=look,
    when=When.ALWAYS,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="CIS Docker Benchmark 4.10",
)
