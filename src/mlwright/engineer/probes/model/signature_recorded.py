"""Does a kept model say what it wants to be asked?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.artifacts import Save, saves
from mlwright.engineer.vocabulary.learning import ours, said
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_WORDS: Final = frozenset(
    "infer_signature modelsignature input_example autolog initial_types input_signature input_schema "
    "feature_names_in_ tensorspec colspec serving_default".split()
)
_CARRY: Final = ("ONNX", "SavedModel", "Keras", "mlwright", "safetensors")
_BARE: Final = ("pickle", "joblib", "cloudpickle", "dill", "a whole module by torch.save")


def look(repository: Repository) -> Answer:
    """Look for a signature, a format that carries one, or the names of the features kept beside the model."""
    found = said(ours(repository), _WORDS)
    if found:
        return yes(f"{found[0][0]} records what the model takes", *[place for _, place in found][:SHOWN])
    for document in repository.documents:
        if isinstance(document.data, dict) and document.data.get("signature"):
            return yes(f"{document.path} holds a signature", document.at("signature"))
    kept = list(saves(repository))
    carried = [each for each in kept if each.format in _CARRY]
    if carried:
        return yes(f"{carried[0].format} carries the shape of the inputs", *_places(carried))
    return _bare(repository, kept) if kept else no_question("nothing is seen that keeps a model")


def _bare(repository: Repository, kept: list[Save]) -> Answer:
    named = [
        place for verb in ("*.dump", "*.to_json", "*.log_dict") for place in _names_kept(repository, verb)
    ]
    if named:
        return yes("the names of the features are kept beside the model", *named[:SHOWN])
    logged = [each for each in kept if each.format == "mlflow"]
    bare = logged or [each for each in kept if each.format in _BARE]
    if not bare:
        return unknown("whether the formats used here carry names and types cannot be told", *_places(kept))
    how = (
        "logged without signature or input_example"
        if logged
        else f"kept as {bare[0].format}, nothing beside it"
    )
    return no(f"{counted(len(bare), 'model')} {how}", *_places(bare))


def _names_kept(repository: Repository, verb: str) -> list[Location]:
    return [
        file.at(call)
        for file, call in repository.calls(verb)
        if any(word in arg.text.lower() for arg in call.args for word in ("feature", "column"))
    ]


def _places(kept: list[Save]) -> list[Location]:
    return [each.file.at(each.call) for each in kept][:SHOWN]


PROBE = Probe(
    id="model.signature_recorded",
    title="a kept model records its inputs and outputs",
    why="A model that is asked with two columns swapped answers all the same, and wrongly.",
    remedy="log_model(..., signature=infer_signature(X, y)), or write the names and types of the features beside it",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="MLflow documentation, Model Signatures and Input Examples; Open Inference Protocol v2, model metadata",
)
