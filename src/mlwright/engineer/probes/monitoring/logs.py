"""Does the service write a log?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.sides import MODEL_SERVERS, serving_files
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_LOGGERS = ("logging", "loguru", "structlog", "absl.logging", "aws_lambda_powertools", "google.cloud.logging")


def look(repository: Repository) -> Answer:
    """Look for logging in the files that serve."""
    serving = serving_files(repository)
    found = [file.at(place) for file in serving if (place := file.imports_any(*_LOGGERS))]
    if found:
        return yes(f"{len(found)} of {len(serving)} serving files log", *found[:10])
    if not serving:
        return unknown("the code that answers is not here")
    if any(file.imports_any(*MODEL_SERVERS, "mlwright") for file in serving):
        return yes("the model server writes its own log")
    return no(
        f"{len(serving)} serving files, none logs", *(Location(path=file.path) for file in serving[:10])
    )


PROBE = Probe(
    id="monitoring.logs",
    title="the service writes a log",
    why="Without a log the only witness of a failed request is the customer.",
    remedy="logging.getLogger(__name__), one structured line a request with its id",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="The Twelve-Factor App, XI",
)
