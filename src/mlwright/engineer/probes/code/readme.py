"""Can somebody new train or run it?"""

import re

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_RUNS = re.compile(
    r"```|^\s{4}\S|^\s*\$ |\b(pip3? install|uv (run|sync|pip)|python3? |make |docker |conda |poetry |npm |bash )"
    r"|`[a-z][\w.-]* [^`\n]+`",
    re.MULTILINE,
)
# A link to where it is said: [Quickstart](https://…), <a href="…">Installation</a>.
_GUIDES = re.compile(
    r"\[[^\]\n]*\b(quick\s?-?start|getting started|install\w*|usage|tutorials?|documentation|docs|user guide)\b"
    r"[^\]\n]*\]\(\S+\)|>[^<\n]*\b(quick\s?-?start|getting started|install\w*|usage|documentation|docs)\b[^<\n]*</a>",
    re.IGNORECASE,
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
        guide = found or _GUIDES.search(each.content)
        if guide:
            line = each.content.count("\n", 0, guide.start()) + 1
            said = "says how" if found else f"points to it: {' '.join(guide.group(0).split())[:80]}"
            return yes(f"{each.path} {said}", Location(path=each.path, line=line))
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
