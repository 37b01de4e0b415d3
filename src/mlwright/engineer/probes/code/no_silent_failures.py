"""Does code go on after an error that it never looked at?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.words import counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for broad except clauses that do nothing, where nothing else takes the place of what failed."""
    handlers = [(file, each) for file in repository.production for each in file.handlers]
    silent = [(file, each) for file, each in handlers if each.broad and each.silent and not each.settled]
    if silent:
        file, each = silent[0]
        evidence = f"{file.at(each)} swallows every error ({len(silent)} of {counted(len(handlers), 'except clause')})"
        return no(evidence, *(f.at(e) for f, e in silent[:20]), handlers=len(handlers), silent=len(silent))
    if not handlers:
        return no_question("no except clause in production code")
    return yes(f"{counted(len(handlers), 'except clause')}, none swallows everything", handlers=len(handlers))


PROBE = Probe(
    id="code.no_silent_failures",
    title="no error is swallowed unseen",
    why="A swallowed error in feature code is a wrong prediction that nobody can explain.",
    remedy="catch the error that is expected and log it; let the others stop the step",
    look=look,
    when=When.ML,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    source="Sculley et al. 2015, Monitoring and Testing",
)
