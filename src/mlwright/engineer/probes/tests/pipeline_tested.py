"""Is the whole way from data to model tried out before it matters?"""

import re
from collections.abc import Iterator
from typing import Final

from mlwright.engineer.facts.code import Call, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.learning import METRIC, training, training_side
from mlwright.engineer.vocabulary.sides import importers
from mlwright.engineer.vocabulary.words import SHOWN
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_RUNS: Final = re.compile(
    r"main|run|(run_|train_|execute_|full_|\w+_)?(pipeline|flow|training|workflow|job)|run_\w*(train|pipeline|flow)\w*|train"
    r"|execute_in_process|start_training|orchestrate",
    re.IGNORECASE,
)
_PROCESSES: Final = frozenset(("subprocess.run", "subprocess.check_call", "subprocess.check_output", "subprocess.call",
                               "subprocess.Popen", "os.system", "runpy.run_path", "runpy.run_module"))  # fmt: skip
_STEP: Final = (
    r"python3?\s+(-m\s+)?[\w./-]*(train|pipeline|finetune)[\w./-]*", r"\bdvc\s+(repro|exp\s+run)\b", r"\bkedro\s+run\b",
    r"\bmake\s+\w*(train|pipeline|e2e|smoke)\w*", r"\bmlflow\s+run\b", r"\bmlwright\s+run\b",
    r"\bdagster\s+job\s+execute\b",
    r"\bzenml\s+pipeline\s+run\b", r"pytest[^\n]*\b(e2e|integration|smoke|end[-_]to[-_]end)\b", r"\bsnakemake\b",
)  # fmt: skip
_WHOLE: Final = re.compile(r"e2e|end_to_end|integration|smoke|pipeline|workflow|functional", re.IGNORECASE)

_STEPS: Final = re.compile(r"read|load|scan|fetch|split|dump|save|log_|write|register", re.IGNORECASE)

# What these start is the training itself, not a trial before a change lands.
_UNTRIED: Final = frozenset(("schedule", "manual"))


def look(repository: Repository) -> Answer:
    """Look for a test that calls the pipeline's entry or starts its script, or for a job of CI that trains."""
    side = [each for each in training_side(repository) if not each.notebook]
    near = frozenset(each.path for each in importers(repository.tests, side))
    found = [each.at(call) for each in repository.tests for call in _calls(each, side, each.path in near)]
    if found:
        return yes(f"{found[0]} runs the pipeline", *found[:SHOWN])
    steps = [
        step
        for workflow in repository.workflows
        if not workflow.triggers or not set(workflow.triggers) <= _UNTRIED
        for step in workflow.running(*_STEP)
        if not re.search(r"pip3? install", step.run) or re.search("|".join(_STEP), step.run)
    ]
    if steps:
        return yes(f"job {steps[0].job} of CI runs it", *[each.at for each in steps][:SHOWN])
    whole = [each for each in repository.tests if _WHOLE.search(each.path) and each.asserts]
    if whole:
        places = [Location(path=each.path) for each in whole][:SHOWN]
        return unknown(
            f"{whole[0].path} is named like a test of the whole; what it runs cannot be followed", *places
        )
    places = [Location(path=each.path) for each in training(repository)][:SHOWN]
    return no("no test and no job of CI runs the way from data to model", *places)


def _calls(test: PythonFile, side: list[PythonFile], imports: bool) -> Iterator[Call]:
    names = {each.path.rpartition("/")[2].lower() for each in side}
    for call in test.calls:
        if call.name in _PROCESSES:
            if any(name in arg.text.lower() for name in names for arg in call.args):
                yield call
        elif imports and _starts(call) and not _only_fits(call, side):
            yield call


def _starts(call: Call) -> bool:
    """Whether a call starts a pipeline: by the name of its entry, or by its command line."""
    if call.method == "invoke":
        return call.made_by.endswith("CliRunner")
    return not call.receiver and _RUNS.fullmatch(call.method) is not None


def _only_fits(call: Call, side: list[PythonFile]) -> bool:
    """Whether what is called is one step: ``train(rows)`` that fits, and reads, judges and keeps nothing."""
    if call.method.lower() != "train":
        return False
    inside = [
        [each for each in file.calls if each.scope == function.name]
        for file in side
        for function in file.functions
        if function.name == call.method
    ]
    return bool(inside) and not any(
        _STEPS.search(each.method) or METRIC.search(each.method) for calls in inside for each in calls
    )


PROBE = Probe(
    id="tests.pipeline_tested",
    title="a test runs the whole pipeline on a little data",
    why="Each part passes its own tests and the night run breaks between two of them, after five hours.",
    remedy="write a test that calls main() on 200 rows in a temporary folder and asserts that a model comes out",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    effort=Effort.DAYS,
    after="tests.exist",
    source="ML Test Score (Breck et al. 2017), Infrastructure 3",
)
