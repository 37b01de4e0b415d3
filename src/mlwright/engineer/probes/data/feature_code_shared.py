"""Do training and serving make features with the same code?"""

from collections.abc import Sequence

from mlwright.engineer.facts.code import Call, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.dataflow import learns, positional
from mlwright.engineer.vocabulary.sides import feature_functions, imported, serving_files, training_files
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity

_PIPELINES = (
    "sklearn.pipeline.*",
    "imblearn.pipeline.*",
    "sklearn.compose.*",
    "pyspark.ml.Pipeline",
    "*.Normalization",
    "*.StringLookup",
    "*.TextVectorization",
    "transformers.AutoTokenizer.from_pretrained",
    "transformers.AutoImageProcessor.from_pretrained",
)
_ROUTES = (".route", ".get", ".post", ".put", ".api_route")
_SAVES = ("dump", "save", "save_model", "dumps", "log_artifact", "skops.io.dump")


def look(repository: Repository) -> Answer:
    """Look at what the training fits and keeps, and at what the service does before it asks the model."""
    serving = serving_files(repository)
    training = [each for each in training_files(repository) if each not in serving]
    refits = [(file, call) for file in serving for call in _refits(file)]
    if refits and training:
        return no(
            f"the service fits {listed(call.made_by.rpartition('.')[2] for _, call in refits)} on the request itself",
            *[file.at(call) for file, call in refits][:SHOWN],
            refits=len(refits),
        )
    makers = {file.path: file for file, _ in feature_functions(repository)}
    both = imported(serving, makers.values()) & (
        imported(training, makers.values()) | {each.path for each in training}
    )
    shared = [each for path, each in makers.items() if path in both]
    if shared:
        places = [file.at(each) for file, each in feature_functions(repository) if file in shared]
        return yes(f"both import {listed(each.path for each in shared)}", *places[:SHOWN], files=len(shared))
    whole = [file.at(call) for file, call in repository.calls(*_PIPELINES) if file in training]
    if whole:
        return yes("what is trained and saved holds its own transforms", *whole[:SHOWN])
    return _apart(training, serving, bool(makers))


def _apart(training: Sequence[PythonFile], serving: Sequence[PythonFile], makers: bool) -> Answer:
    """What can be said where training and serving share neither code nor a pipeline."""
    if not training or not serving:
        return unknown("training and serving stand in one file, or one of them elsewhere")
    fits = [(file, call) for file in training for call in file.calls if learns(call)]
    if not fits and not makers:
        return no_question("no transform of features is seen in the training code")
    lost = [(file, call) for file, call in fits if not _kept(file, call)]
    asks = any(call.method in ("predict", "predict_proba") for each in serving for call in each.calls)
    if asks and lost and len(lost) == len(fits) and not any(_transforms(each) for each in serving):
        return no(
            f"{counted(len(lost), 'transformer')} fitted and never saved; the service transforms nothing",
            *[file.at(call) for file, call in lost][:SHOWN],
            transformers=len(lost),
        )
    return unknown(
        "the service neither imports the training's transforms nor loads a pipeline that can be followed"
    )


def _refits(file: PythonFile) -> list[Call]:
    """Fits of transformers inside functions that answer requests: those with a route's decorator."""
    handlers = {
        each.name for each in file.functions if any(name.endswith(_ROUTES) for name in each.decorators)
    }
    return [call for call in file.calls if learns(call) and call.scope in handlers]


def _kept(file: PythonFile, fit: Call) -> bool:
    """Whether the transformer leaves the function: it is saved, returned by name, or put into something that may be."""
    names = {fit.receiver} if fit.receiver else set()
    if (
        not names
        or "self" in names
        or any(each.scope != fit.scope for each in file.calls if each.receiver in names)
    ):
        return True
    saved = [
        each
        for each in file.calls
        if each.method in _SAVES and names & {n for arg in each.args for n in arg.names}
    ]
    passed = [
        each
        for each in file.calls
        if each is not fit and any(arg.text in names for arg in (*positional(each), *each.args))
    ]
    bound = [
        each
        for each in file.bindings
        if names & set(each.names) and not each.text.startswith(f"{fit.receiver}.")
    ]
    return bool(saved or passed or bound) or fit.scope != ""


def _transforms(file: PythonFile) -> bool:
    return any(
        call.method in ("transform", "fit_transform", "preprocess", "get_dummies") for call in file.calls
    ) or any(
        "preprocess" in word or "scaler" in word or "pipeline" in word or "transform" in word
        for word in file.words
    )


PROBE = Probe(
    id="data.feature_code_shared",
    title="training and serving make features with the same code",
    why="A model that is asked in other units than it learned answers wrongly, and nothing raises an error.",
    remedy="save one Pipeline of transforms and model, or import the same function in both",
    look=look,
    when=When.SERVES,
    severity=Severity.ERROR,
    source="ML Test Score (Breck et al. 2017), Monitoring 3; Google Rules of ML, rule 32",
)
