"""Can somebody new train or run it?"""

import re

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_RUNS = re.compile(
    r"```|^\s{4}\S|^\s*\$ |\b(pip3? install|uv (run|sync|pip)|python3? |make |docker |conda |poetry |npm |bash )|`[a-z][\w.-]* [^`\n]+`",
    re.MULTILINE,
)


def look(repository: Repository) -> Answer:
    """Look for a README with a command in it."""
    readmes = [each for each in repository.texts if re.fullmatch(r"readme(\.\w+)?", each.path, re.IGNORECASE)]
    if not readmes:
        there = [each for each in repository.find("readme*") if "/" not in each.path]
        if there:
            return yes(there[0].path, Location(path=there[0].path))
        return no("no README in the root")
    for each in readmes:
        found = _RUNS.search(each.content)
        if found:
            line = each.content.count("\n", 0, found.start()) + 1
            return yes(f"{each.path} says how", Location(path=each.path, line=line))
    return no(f"{readmes[0].path} names no command to type", Location(path=readmes[0].path))


PROBE = Probe(
    id="code.readme",
    title="the README says how to train or run it",
    why="The second person needs a day to find out what the first one types.",
    remedy="write the three commands from clone to a trained model into README.md",
    look=look,
    when=When.CODE,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Kreuzberger P5",
)
