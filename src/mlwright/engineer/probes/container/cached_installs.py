"""Does a change of one line install everything again?"""

import re

from mlwright.engineer.facts.configuration import Dockerfile, Instruction
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.images import at, run_images
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_INSTALL = re.compile(r"\b(pip3?|uv|poetry|conda|mamba)\b[^&;|]*\b(install|sync|create|update)\b")
_FROM_FILE = re.compile(r"(-r\s|--requirement|requirements|environment\.ya?ml|poetry|uv sync|pdm)")


def look(repository: Repository) -> Answer:
    """Look for an install from a file after the whole source was copied in the same stage."""
    images = [file for file in run_images(repository) if _installs(file)]
    if not images:
        return no_question("no Dockerfile installs from a requirements file")
    late = [(file, each) for file in images if (each := _late(file)) is not None]
    if late:
        file, each = late[0]
        evidence = f"{file.path}:{each.line} installs after the source was copied"
        return no(evidence, *(at(*pair) for pair in late), images=len(late))
    return yes(
        "requirements are copied and installed before the source", *(at(f, _installs(f)[0]) for f in images)
    )


def _installs(file: Dockerfile) -> list[Instruction]:
    return [each for each in file.all("RUN") if _INSTALL.search(each.value) and _FROM_FILE.search(each.value)]


def _late(file: Dockerfile) -> Instruction | None:
    for install in _installs(file):
        for copy in file.all("COPY", "ADD"):
            words = [word for word in copy.value.split() if not word.startswith("--")]
            same = copy.stage == install.stage and copy.line < install.line and "--from" not in copy.value
            if same and {".", "./"} & set(words[:-1]) and "requirements" not in copy.value:
                return install
    return None


PROBE = Probe(
    id="container.cached_installs",
    title="a change of source does not install every package again",
    why="Minutes of reinstalling torch for a changed comment, at each build of each branch.",
    remedy="COPY the lock file first, install, then COPY the source",
    look=look,
    when=When.ALWAYS,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    source="Docker documentation, Building best practices",
)
