"""Is the data validated when training runs, or is the schema only written down?"""

from mlwright.engineer.facts.code import PythonFile, Role
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.sides import importers, serving_files, trains
from mlwright.engineer.vocabulary.validation import CALLED, commanded, declared
from mlwright.engineer.vocabulary.words import SHOWN, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location


def look(repository: Repository) -> Answer:
    """Look for calls, commands and settings that run the declared checks."""
    commands = commanded(repository)
    if commands:
        return yes("a job or step runs the validation", *commands[:SHOWN])
    found = declared(repository)
    enforced = [at for tool, at in found if tool == "mlwright contract"]
    if enforced:
        return yes("mlwright checks a data set that has a contract each time it is read", *enforced[:SHOWN])
    in_code = {at.path for _, at in found if at.path.endswith((".py", ".ipynb"))}
    declaring = [each for each in repository.python if each.path in in_code]
    answering = {each.path for each in serving_files(repository)}
    near = {each.path for each in importers(repository.python, declaring)} | in_code
    users = [
        each
        for each in repository.python
        if each.role in (Role.PRODUCTION, Role.TOOL)
        and each.path in near
        and (each.path not in answering or trains(each))
    ]
    calls = [at for each in users if (at := _validates(each)) is not None]
    if calls:
        return yes("code runs the declared checks", *calls[:SHOWN])
    tools = listed(tool for tool, _ in found)
    if not in_code or len(in_code) < len({at.path for _, at in found}):
        return unknown(f"nothing here runs the checks of {tools}; they may run where the data is made")
    return no(
        f"{tools} is imported, and nothing on the way to a model calls a check",
        *(at for _, at in found[:SHOWN]),
    )


def _validates(file: PythonFile) -> Location | None:
    """Where a file runs a check: a call of that name, or a decorator, or any use of the word."""
    for call in file.calls:
        if call.method.lower() in CALLED or call.method.startswith(("expect_", "ExpectColumn")):
            return file.at(call)
    for function in file.functions:
        if any(each.rpartition(".")[2].lower() in CALLED for each in function.decorators):
            return file.at(function)
    if not CALLED.isdisjoint(file.words):
        return Location(path=file.path)
    # ``schema(frame)`` validates too, and deepchecks and evidently run what they are given.
    place = file.imports_any(
        "deepchecks", "evidently", "pointblank", "pydeequ", "cuallee", "patito", "dataframely"
    )
    schemas = {name for call in file.calls if call.name.endswith(".DataFrameSchema") for name in call.results}
    called = next((call for call in file.calls if call.name in schemas), None)
    if called is not None:
        return file.at(called)
    return file.at(place) if place is not None else None


PROBE = Probe(
    id="data.validation_runs",
    title="the training data is validated each time it is used",
    why="A schema that nothing runs is a comment.",
    remedy="call the check before the fit and let it raise (schema.validate(frame, lazy=True)), or run it in the job",
    look=look,
    when=When.TRAINS,
    severity=Severity.ERROR,
    after="data.contract",
    source="ML Test Score (Breck et al. 2017), Data 1; Google MLOps level 1, data validation",
)
