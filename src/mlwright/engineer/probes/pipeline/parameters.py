"""Is the time of training a number in the code?"""

import re

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, yes
from mlwright.engineer.vocabulary.sides import training_files
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_DATE = re.compile(r"(19|20)\d\d-[01]\d(-[0-3]\d)?")
_WINDOW = re.compile(r"(start|end|from|until|cutoff|split|train|test|valid)\w*", re.IGNORECASE)


def look(repository: Repository) -> Answer:
    """Look for dates written into training code."""
    dates = [
        (file, each)
        for file in training_files(repository)
        if not file.notebook
        for each in file.assignments
        if isinstance(each.value, str) and _DATE.match(each.value) and _WINDOW.search(each.name)
    ]
    if dates:
        file, each = dates[0]
        evidence = f'{each.name} = "{each.value}" in {file.path}'
        return no(evidence, *(f.at(a) for f, a in dates), dates=len(dates))
    return yes("no date of a training window is written into the code")


PROBE = Probe(
    id="pipeline.parameters",
    title="the window of training is a parameter",
    why="Retraining on new data means changing code, so it is done late.",
    remedy="make start and end parameters of the pipeline",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    source="Sculley et al. 2015, Configuration Debt",
)
