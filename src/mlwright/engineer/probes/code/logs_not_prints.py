"""Does what runs at night leave a log?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.sides import serving_files
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_MANY = 20
_LOGGERS = ("logging", "loguru", "structlog", "absl.logging", "mlwright", "lightning", "pytorch_lightning")

_KEEP_PRINTS = ("metaflow", "kfp", "airflow", "dagster")


def look(repository: Repository) -> Answer:
    """Count print in production code that imports no logger anywhere; notebooks may print."""
    files = [file for file in repository.production if not file.notebook]
    if any(file.imports_any(*_LOGGERS) for file in files):
        return yes("a logger is used")
    # What a service writes is asked for elsewhere, and some tools keep what a step prints, with its time.
    asked = serving_files(repository) if repository.profile.serves else ()
    files = [file for file in files if file not in asked and not file.imports_any(*_KEEP_PRINTS)]
    prints = [(file, call) for file in files for call in file.calls if call.name == "print"]
    if len(prints) < _MANY:
        return no_question(f"{len(prints)} calls of print: nothing to speak of")
    first, _ = prints[0]
    return no(f"{len(prints)} calls of print and no logger", first.at(prints[0][1]), prints=len(prints))


PROBE = Probe(
    id="code.logs_not_prints",
    title="what runs unattended writes a log",
    why="print has no time and no level, and is lost when the job that printed is gone.",
    remedy="log = logging.getLogger(__name__); log.info(…)",
    look=look,
    when=When.ML,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    source="The Twelve-Factor App, XI",
)
