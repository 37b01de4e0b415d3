"""Does the service write a log?"""

import re

from mlwright.engineer.facts.code import PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.sides import MODEL_SERVERS, serving_files
from mlwright.engineer.vocabulary.words import counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_LOGGERS = ("logging", "loguru", "structlog", "absl.logging", "aws_lambda_powertools", "google.cloud.logging")


_LEVELS = frozenset("debug info warning warn error exception critical log".split())
_LOGGER = re.compile(r"(^|[._])(log|logg(er|ing))s?($|[._\d])|getlogger|get_logger", re.IGNORECASE)


def look(repository: Repository) -> Answer:
    """Look for logging in the files that serve."""
    serving = serving_files(repository)
    found = [place for file in serving if (place := _logs(file)) is not None]
    if found:
        return yes(f"{len(found)} of {counted(len(serving), 'serving file')} log", *found[:10])
    if not serving:
        return unknown("the code that answers is not here")
    if any(file.imports_any(*MODEL_SERVERS, "mlwright") for file in serving):
        return yes("the model server writes its own log")
    return no(
        f"{counted(len(serving), 'serving file')}, none writes to a logger (a web server's own lines name no model)",
        *(Location(path=file.path) for file in serving[:10]),
    )


def _logs(file: PythonFile) -> Location | None:
    """Where a file uses a library of logging, or a logger of its own project's making."""
    place = file.imports_any(*_LOGGERS)
    if place is not None:
        return file.at(place)
    for call in file.calls:
        if call.method in _LEVELS and _LOGGER.search(f"{call.name.rpartition('.')[0]}.{call.made_by}"):
            return file.at(call)
    return None


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
