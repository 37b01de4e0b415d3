"""How models are kept: the calls that write one, in which format, and the files that hold one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mlwright.engineer.facts.code import Call, PythonFile
from mlwright.engineer.facts.memory import remembered
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.vocabulary.dataflow import positional
from mlwright.engineer.vocabulary.learning import training_side
from mlwright.engineer.vocabulary.sides import importers

MODEL_SUFFIXES: Final = (
    ".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".keras", ".onnx", ".pb", ".tflite", ".safetensors", ".gguf",
    ".ggml", ".caffemodel", ".mlmodel", ".skops", ".cbm", ".ubj", ".dill", ".sav", ".pdparams", ".mar", ".engine",
)  # fmt: skip
AMBIGUOUS: Final = re.compile(
    r"(model|weight|checkpoint|best|net)[^/]*\.(h5|hdf5|bin|npz|json)$", re.IGNORECASE
)

PICKLERS: Final = ("pickle.dump", "joblib.dump", "cloudpickle.dump", "dill.dump", "_pickle.dump")
_MODEL_NAME: Final = re.compile(
    r"(?:\w*_)?(?:model\d?|clf\d?|classifier|regressor|reg|estimator|pipeline|pipe|net|network|lgbm?|xgb|rf|svm|svc|knn|lr"
    r"|logreg|gbm|booster|forest|kmeans|ensemble|best_estimator_?|grid|grid_search|gs|search|scaler|encoder|vectori[sz]er"
    r"|preprocessor|imputer|pca)(?:_(?:model|final|best|fitted|trained|v\d+|obj))?",
    re.IGNORECASE,
)
# ``torch.save`` keeps any tensor; these names speak of a model's state, in what is saved and in where it goes.
_STATE: Final = re.compile(
    r"model|net(work)?\b|state|ckpt|checkpoint|chkpt|weight|param|save|package|pkg|module|self\b|\.\w*coder\b|^\{|^dict\(",
    re.IGNORECASE,
)
_STATE_FILE: Final = re.compile(r"model|ckpt|checkpoint|weights|best|last|epoch|\.pth?\b", re.IGNORECASE)
_SAFE: Final = {
    "safetensors.torch.save_file": "safetensors", "safetensors.torch.save_model": "safetensors",
    "safetensors.numpy.save_file": "safetensors", "torch.onnx.export": "ONNX", "torch.onnx.dynamo_export": "ONNX",
    "onnx.save": "ONNX", "onnx.save_model": "ONNX", "skl2onnx.to_onnx": "ONNX", "skl2onnx.convert_sklearn": "ONNX",
    "skops.io.dump": "skops", "skops.io.dumps": "skops", "torch.jit.save": "TorchScript",
    "mlwright.register": "mlwright",
    "tensorflow.saved_model.save": "SavedModel", "tensorflow.keras.models.save_model": "Keras",
    "keras.models.save_model": "Keras", "keras.saving.save_model": "Keras", "tf2onnx.convert.from_keras": "ONNX",
}  # fmt: skip
# The methods of all that may keep a model; no other call need be looked at.
_KEEPING: Final = tuple(
    sorted(
        {each.rpartition(".")[2] for each in (*_SAFE, *PICKLERS)}
        | {"save", "save_pretrained", "save_model", "save_weights", "export", "log_model"}
    )
)
_BOOSTERS: Final = ("xgboost.", "lightgbm.", "catboost.")
_KERAS: Final = ("keras.", "tensorflow.keras.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Save:
    """A call that keeps a model. ``safe`` is None where a tool decides: what it writes may or may not be a pickle."""

    file: PythonFile
    call: Call
    format: str
    safe: bool | None


@remembered
def saves(repository: Repository) -> tuple[Save, ...]:
    """The calls of production code that write a model, a part of one or its weights."""
    return tuple(_saves(repository))


@remembered
def kept_by_training(repository: Repository) -> tuple[Save, ...]:
    """Those on the training side, or in what calls it: what only converts, exports or stores for others is left out."""
    side = training_side(repository)
    paths = {each.path for each in (*side, *importers(repository.production, side))}
    return tuple(each for each in saves(repository) if each.file.path in paths)


def _saves(repository: Repository) -> Iterator[Save]:
    for file in repository.production:
        for call in file.called(*_KEEPING):
            found = _written(file, call)
            if found is not None:
                yield Save(file=file, call=call, format=found[0], safe=found[1])


def _written(file: PythonFile, call: Call) -> tuple[str, bool | None] | None:
    if call.name in _SAFE:
        return _SAFE[call.name], True
    if call.name in PICKLERS:
        return (call.name.partition(".")[0].strip("_"), False) if _is_model(call) else None
    if call.name == "torch.save":
        return _torch(file, call)
    return _by_method(call)


def _by_method(call: Call) -> tuple[str, bool | None] | None:
    found: tuple[str, bool | None] | None = None
    if call.method == "save_pretrained":
        given = call.argument("safe_serialization")
        found = (
            ("a pickle of torch", False)
            if given is not None and given.value is False
            else ("safetensors", True)
        )
    elif call.method == "save_model" and call.made_by.startswith(_BOOSTERS):
        found = f"{call.made_by.partition('.')[0]}'s own format", True
    elif call.method in ("save", "save_weights", "export") and call.made_by.startswith(_KERAS):
        found = "Keras", True
    elif call.method in ("log_model", "save_model") and call.name.startswith(("mlflow.", "bentoml.")):
        found = call.name.partition(".")[0], None
    elif call.method == "save_model" and call.made_by.rpartition(".")[2].endswith("Trainer"):
        found = "safetensors", True
    return found


def _is_model(call: Call) -> bool:
    """Whether what is dumped is named like a model or like a transformer that was fitted."""
    first = next(iter(positional(call)), None)
    if first is None:
        return False
    text = first.text.strip()
    if text.startswith(("{", "(", "[")):
        return any(_MODEL_NAME.fullmatch(name) for name in first.names)
    return re.fullmatch(r"[\w.]+", text) is not None and bool(_MODEL_NAME.fullmatch(text.rpartition(".")[2]))


def _torch(file: PythonFile, call: Call) -> tuple[str, bool | None] | None:
    first = next(iter(positional(call)), None)
    if first is None:
        return None
    text = first.text.strip()
    if "state_dict" in text:
        return "weights by torch.save", True
    gives = any(text in each.results and "state_dict" in each.name for each in file.calls)
    built = [each.text for each in file.bindings if text in each.targets]
    if gives or any("state_dict" in each for each in built):
        return "weights by torch.save", True
    named = re.fullmatch(r"[\w.]+", text) and _MODEL_NAME.fullmatch(text.rpartition(".")[2])
    if not named or any(each.startswith(("{", "dict(")) for each in built):
        path = " ".join(each.text for each in call.args[1:2])
        return ("torch.save", None) if _STATE.search(text) or _STATE_FILE.search(path) else None
    return "a whole module by torch.save", False
