"""Are models kept in a format that cannot run code?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.artifacts import saves
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity

_LOADS: Final = ("joblib.load", "pickle.load", "cloudpickle.load", "dill.load")
_MODELS: Final = (
    "model",
    "clf",
    "classifier",
    "regressor",
    "pipeline",
    "estimator",
    "scaler",
    "encoder",
    "vectorizer",
)


def look(repository: Repository) -> Answer:
    """Look at what keeps a model; where nothing does, at what loads one."""
    kept = list(saves(repository))
    unsafe = [each for each in kept if each.safe is False]
    if unsafe:
        said = f"{counted(len(unsafe), 'model')} or parts of one kept as {listed(each.format for each in unsafe)}"
        return no(said, *[each.file.at(each.call) for each in unsafe][:SHOWN], saves=len(unsafe))
    unclear = [each for each in kept if each.safe is None]
    if unclear:
        said = f"what {listed(each.format for each in unclear)} keeps may or may not be a pickle of a model"
        return unknown(said, *[each.file.at(each.call) for each in unclear][:SHOWN])
    if kept:
        said = f"kept as {listed(each.format for each in kept)}"
        return yes(said, *[each.file.at(each.call) for each in kept][:SHOWN], saves=len(kept))
    loads = [
        (file, call)
        for file, call in repository.calls(*_LOADS)
        if any(
            word in " ".join((*call.results, *(arg.text for arg in call.args))).lower() for word in _MODELS
        )
    ]
    if loads:
        said = f"{counted(len(loads), 'model')} loaded with {listed(call.name for _, call in loads)}"
        return no(said, *[file.at(call) for file, call in loads][:SHOWN], loads=len(loads))
    return no_question("nothing is seen that keeps or loads a model")


PROBE = Probe(
    id="model.format_safe",
    title="models are kept in a format that cannot run code",
    why="Loading a pickle runs what stands in it: whoever can write to that folder runs his code in your service.",
    remedy='skops.io.dump for scikit-learn, save_model("m.ubj") for boosters, safetensors or a state_dict for PyTorch',
    look=look,
    when=When.ML,
    severity=Severity.WARNING,
    source="OWASP Machine Learning Security Top 10, ML06; scikit-learn user guide, Model persistence",
)
