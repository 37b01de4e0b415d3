"""Is the model read from disk for each request?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.routes import calls_in, routes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_LOADS = frozenset(
    "pickle.load joblib.load torch.load torch.jit.load skops.io.load tensorflow.keras.models.load_model "
    "keras.models.load_model mlflow.pyfunc.load_model mlflow.sklearn.load_model cloudpickle.load dill.load "
    "onnxruntime.InferenceSession transformers.pipeline".split()
)


def look(repository: Repository) -> Answer:
    """Look for a load inside of a function that answers requests."""
    answering = [(each, each.answers) for each in routes(repository) if each.answers is not None]
    if not answering:
        return no_question("no function that answers a route could be read")
    faults = [
        (each.file, call)
        for each, function in answering
        for call in calls_in(each.file, function)
        if call.name in _LOADS or call.name.endswith(".from_pretrained")
    ]
    if faults:
        file, call = faults[0]
        places = (file.at(call) for file, call in faults)
        return no(f"{file.path}:{call.line} calls {call.name} for each request", *places, loads=len(faults))
    return yes(f"{len(answering)} functions answer requests, none loads a model", routes=len(answering))


PROBE = Probe(
    id="serving.model_loaded_once",
    title="the model is loaded once, not for each request",
    why="A load for each request turns milliseconds into seconds and fills the memory.",
    remedy="load the model at start-up (FastAPI lifespan, module level, a cached function)",
    look=look,
    when=When.SERVES,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="FastAPI documentation, Lifespan Events",
)
