"""Are there tests that can fail?"""

import re
from typing import Final

from mlwright.engineer.facts.code import PythonFile, Role
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

# Frameworks whose checks are no assert statements.
_CHECKS: Final = frozenset(
    "data_regression num_regression file_regression snapshot doctest testmod check_estimator approvaltests verify "
    "parametrize_with_checks benchmark image_regression cram matches_snapshot should expect gradcheck".split()
)
_FEW: Final = 3


def look(repository: Repository) -> Answer:
    """Count the test files that assert something; a test without any only shows that nothing raises."""
    files = [each for each in repository.python if _is_test(each)]
    asserting = [each for each in files if each.asserts or each.words & _CHECKS]
    values = {"files": len(files), "asserts": sum(each.asserts for each in files)}
    if asserting:
        said = f"{counted(values['asserts'], 'assert')} in {counted(len(asserting), 'test file')}"
        return yes(said, *[Location(path=each.path) for each in asserting][:SHOWN], **values)
    if any(_functions(each) for each in files):
        places = [Location(path=each.path) for each in files][:SHOWN]
        return unknown(
            f"{counted(len(files), 'test file')} without an assert: they show that nothing raises", *places
        )
    ours = [each for each in repository.production if each.calls]
    if sum(map(_statements, ours)) < _FEW * 7 and len(ours) < _FEW:
        return no_question("too little code to be tested")
    return no(f"{counted(len(ours), 'file')} of production code and no test", **values)


def _statements(file: PythonFile) -> int:
    """The lines that do something: comments and room between them make no program longer."""
    lines = {(each.cell, each.line) for each in file.calls} | {
        (each.cell, each.line) for each in file.bindings
    }
    lines |= {(each.cell, each.line) for each in file.imports} | {
        (each.cell, each.line) for each in file.assignments
    }
    lines |= {(each.cell, each.line) for each in file.functions} | {
        (each.cell, each.line) for each in file.classes
    }
    return len(lines)


def _is_test(file: PythonFile) -> bool:
    if file.role is Role.TEST:
        return True
    name = file.path.rpartition("/")[2]
    return name in ("tests.py", "test.py") and bool(_functions(file))


def _functions(file: PythonFile) -> list[str]:
    return [
        each.name for each in file.functions if re.match(r"test", each.name.rpartition(".")[2], re.IGNORECASE)
    ]


PROBE = Probe(
    id="tests.exist",
    title="there are tests that can fail",
    why="Without a test every change is tried out on the users, and so nobody dares to change anything.",
    remedy="write tests/test_features.py: five rows in, the answer that you worked out by hand; run it with pytest",
    look=look,
    when=When.CODE,
    severity=Severity.ERROR,
    source="ML Test Score (Breck et al. 2017), Infrastructure 2; Google, Software Engineering at Google, chapter 11",
)
