"""Can text become a command?"""

from mlwright.engineer.facts.code import Call, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, yes
from mlwright.engineer.vocabulary.sides import SCREENS, WEB, serving_files
from mlwright.engineer.vocabulary.words import counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_ALWAYS = frozenset(("eval", "exec", "os.system", "os.popen"))
_SHELLS = frozenset(f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen"))


def look(repository: Repository) -> Answer:
    """Look for eval, exec and shells in code that answers requests; elsewhere only the author can hurt himself."""
    serving = [file for file in serving_files(repository) if _answers(file)]
    faults = [(file, call) for file in serving for call in file.calls if _dangerous(call)]
    if faults:
        file, call = faults[0]
        evidence = f"{file.at(call)} hands text to {call.name}"
        return no(evidence, *(f.at(c) for f, c in faults), calls=len(faults))
    return yes(
        f"of {counted(len(serving), 'file')} that may answer requests none hands text to eval, exec or a shell"
    )


def _answers(file: PythonFile) -> bool:
    """Whether a file defines what answers; one that only imports a model server may train, pack or deploy."""
    defines = any(each.decorators for each in file.functions) or any(each.bases for each in file.classes)
    return file.imports_any(*WEB, *SCREENS) is not None or defines


def _dangerous(call: Call) -> bool:
    first = call.args[0] if call.args else None
    if first is None or first.constant or first.keyword is not None:
        return False
    shell = call.argument("shell")
    return call.name in _ALWAYS or (call.name in _SHELLS and shell is not None and shell.value is True)


PROBE = Probe(
    id="code.no_shell_injection",
    title="no text of a request becomes a command",
    why="What a stranger types into a field runs with the rights of the service.",
    remedy="subprocess.run([...]) with a list and without shell; ast.literal_eval or a parser for eval",
    look=look,
    when=When.SERVES,
    severity=Severity.ERROR,
    effort=Effort.HOURS,
    source="CWE-78, CWE-95",
)
