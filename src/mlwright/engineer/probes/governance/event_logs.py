"""Does a record say which version answered what, and when?"""

from typing import Final

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, unknown, yes
from mlwright.engineer.vocabulary.cloud import of_types, prop
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_CAPTURED: Final = ("aws_sagemaker_endpoint_configuration", "AWS::SageMaker::EndpointConfig")


def look(repository: Repository) -> Answer:
    """Look for a log that keeps version, input and time by its nature; what code writes by hand cannot be judged."""
    logged = (
        [each for each in (repository.server.endpoints or ()) if each.predictions]
        if repository.server
        else []
    )
    if logged:
        return yes(f"{logged[0].name}: every prediction is kept with its version, inputs and time")
    kept = [
        *(
            ("the endpoints of mlwright.toml log every prediction", each.at("endpoint"))
            for each in repository.of_kind(DocumentKind.MLWRIGHT)
            if each.get("endpoint")
        ),
        *(
            (f"data capture of {each.name}", each.at)
            for each in of_types(repository, _CAPTURED)
            if prop(each, "data_capture_config", "DataCaptureConfig")
        ),
        *(
            (f"logger of InferenceService {each.name}", each.at)
            for each in repository.objects("InferenceService")
            if each.document.get("spec", "predictor", "logger")
        ),
    ]
    if kept:
        return yes(kept[0][0], *(at for _, at in kept))
    return unknown("no log is seen that keeps model version, input and time of each prediction by itself")


PROBE = Probe(
    id="governance.event_logs",
    title="each answer is recorded with model version, input and time",
    why="When somebody contests a decision of last March, its record is all there is.",
    remedy="serve through mlwright up, which logs version, inputs and time; or write them to an append-only log",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.DAYS,
    source="Regulation (EU) 2024/1689, Article 12",
)
