"""Is training made of parts?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.sides import training_files
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_LONG = 300


def look(repository: Repository) -> Answer:
    """Look at the size of training files that are one long script."""
    files = training_files(repository)
    if not files:
        return unknown("no file that trains could be read")
    long = [
        file
        for file in files
        if not file.notebook
        and not file.functions
        and not file.classes
        and file.lines > _LONG
        and len(file.calls) > 60
    ]
    if long:
        return no(
            f"{long[0].path} is one script of {long[0].lines} lines", *(Location(path=f.path) for f in long)
        )
    return yes(f"{len(files)} files train, none is one long script", files=len(files))


PROBE = Probe(
    id="pipeline.modular",
    title="training is made of functions that can be tested",
    why="Nobody can test, cache or reuse a part of one long script.",
    remedy="cut it into load, features, train, evaluate",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    effort=Effort.DAYS,
    source="Kreuzberger P2",
)
