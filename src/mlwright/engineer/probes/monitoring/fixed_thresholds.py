"""Is a decision a bare number in the code?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.sides import serving_files
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_NAMES = frozenset(
    ("threshold", "decision_threshold", "cutoff", "score_threshold", "classification_threshold")
)


def look(repository: Repository) -> Answer:
    """Look for a threshold among the settings, and for a literal one in serving code."""
    serving = serving_files(repository)
    literal = [
        (file, each)
        for file in serving
        for each in file.assignments
        if each.name.rpartition(".")[2].lower() in _NAMES
        and isinstance(each.value, float)
        and 0 < each.value < 1
    ]
    if literal:
        file, each = literal[0]
        return no(
            f"{each.name} = {each.value} in {file.path}",
            *(f.at(a) for f, a in literal),
            literals=len(literal),
        )
    named = [file for file in serving if file.words & _NAMES]
    if named:
        return yes(
            "the threshold comes from outside of the code", *(Location(path=file.path) for file in named[:5])
        )
    return no_question("no decision threshold in the serving code")


PROBE = Probe(
    id="monitoring.fixed_thresholds",
    title="decision thresholds come from a calibration, not from the code",
    why="A threshold that was right for the first model is wrong for the second, and nobody remembers why it is 0.37.",
    remedy="write the threshold into the model package at training and read it there",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    source="Sculley et al. 2015, Fixed Thresholds in Dynamic Systems",
)
