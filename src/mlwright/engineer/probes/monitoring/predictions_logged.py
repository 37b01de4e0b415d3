"""Is kept what was asked and what was answered?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown
from mlwright.engineer.vocabulary.cloud import of_types, prop
from mlwright.engineer.vocabulary.routes import calls_in, routes
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_KEEPERS = ("mlwright", "whylogs", "arize", "fiddler", "aporia", "nannyml")
_CALLS = tuple(
    f"*{verb}_{what}*"
    for verb in ("log", "save", "store", "record", "write", "publish", "persist", "insert", "audit")
    for what in ("prediction", "inference", "request")
)
_WRITES = frozenset(
    "info debug add add_task insert insert_one execute send produce publish write log put_record".split()
)


def look(repository: Repository) -> Answer:
    """Look for a log of predictions: a server that keeps one, a call that writes one, or capture at the endpoint."""
    captured = of_types(
        repository, ("aws_sagemaker_endpoint_configuration", "AWS::SageMaker::EndpointConfig")
    )
    found = [
        *signs(repository, packages=_KEEPERS, calls=_CALLS, files=("mlwright.toml", "*prediction_log*")),
        *(
            (f"data capture of {each.name}", each.at)
            for each in captured
            if prop(each, "data_capture_config", "DataCaptureConfig")
        ),
        *(
            (f"logger of InferenceService {each.name}", each.at)
            for each in repository.objects("InferenceService")
            if each.document.get("spec", "predictor", "logger")
        ),
    ]
    return shown(iter(found), "predictions are kept", "") if found else _in_handlers(repository)


def _in_handlers(repository: Repository) -> Answer:
    """Whether a route that predicts writes to a logger, a table or a queue at all."""
    predicting = [
        (each, each.answers)
        for each in routes(repository)
        if each.answers is not None
        and (
            "predict" in each.path.lower()
            or any(call.method.startswith("predict") for call in calls_in(each.file, each.answers))
        )
    ]
    for each, function in predicting:
        for call in calls_in(each.file, function):
            if call.method in _WRITES:
                return unknown(
                    f"{each.path} calls {call.name}: what it keeps cannot be told", each.file.at(call)
                )
    if predicting:
        first, _ = predicting[0]
        return no(f"{first.path} answers and keeps nothing", first.file.at(first.call))
    return unknown("no route that predicts could be read")


PROBE = Probe(
    id="monitoring.predictions_logged",
    title="each prediction is kept with its inputs and model version",
    why="What was not kept cannot be evaluated, explained or learned from.",
    remedy="write id, time, features, score and model version for each request; mlwright up keeps them in Parquet",
    look=look,
    when=When.SERVES,
    severity=Severity.ERROR,
    effort=Effort.HOURS,
    source="ML Test Score Monitor 7; EU AI Act Art. 12",
)
