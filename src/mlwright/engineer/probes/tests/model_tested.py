"""Do tests build, fit or ask the model?"""

from typing import Final

from mlwright.engineer.facts.code import PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.learning import training, training_side
from mlwright.engineer.vocabulary.sides import importers
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_ASKS: Final = frozenset(
    ("fit", "predict", "predict_proba", "forward", "train_step", "training_step", "evaluate")
)
_TRAINS: Final = (
    "train",
    "fit",
    "build_model",
    "make_model",
    "create_model",
    "get_model",
    "run_training",
    "finetune",
)


def look(repository: Repository) -> Answer:
    """Look for tests that import what trains and call it, or that fit and ask a model themselves."""
    side = training_side(repository)
    near = list(importers(repository.tests, side))
    fitted = [
        (each, each.at(call)) for each in repository.tests for call in each.calls if call.method in _ASKS
    ]
    called = [(each, each.at(call)) for each in near for call in each.calls if _trains(call.method)]
    found = [(each, at) for each, at in (*called, *fitted) if each in near or _loads(each)]
    if found:
        files = {each.path for each, _ in found}
        return yes(
            f"{counted(len(files), 'test file')} fit or ask the model", *[at for _, at in found][:SHOWN]
        )
    places = [Location(path=each.path) for each in near][:SHOWN]
    if near:
        return unknown(
            f"{near[0].path} imports code that trains; whether it fits anything cannot be told", *places
        )
    if fitted:
        return unknown(
            "tests fit or ask something; what it is cannot be followed", *[at for _, at in fitted][:SHOWN]
        )
    trained = training(repository)
    if not trained:
        return unknown("no place is seen that trains and keeps a model")
    names = listed((each.path for each in trained), 3)
    return no(f"no test imports {names}", *[Location(path=each.path) for each in trained][:SHOWN])


def _trains(method: str) -> bool:
    low = method.lower()
    return any(low == word or low.startswith(f"{word}_") for word in _TRAINS)


def _loads(file: PythonFile) -> bool:
    return any(call.method in ("load", "load_model", "load_pipeline") for call in file.calls)


PROBE = Probe(
    id="tests.model_tested",
    title="tests build, fit and ask the model",
    why="Swapped columns, a loss with the wrong sign, a fit that never converges: the job ends well all the same.",
    remedy="import the training function in a test, fit it on 50 rows, assert that it overfits them and gives 0..1",
    look=look,
    when=When.TRAINS,
    severity=Severity.ERROR,
    after="tests.exist",
    source="ML Test Score (Breck et al. 2017), Infrastructure 2",
)
