"""Does the service run with its debugger on?"""

from mlwright.engineer.facts.code import PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, yes
from mlwright.engineer.vocabulary.images import SERVERS, at, run_images
from mlwright.engineer.vocabulary.sides import WEB
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for debug and reload switched on where a server is started, and in what starts it."""
    started = _started(repository)
    faults = [
        (f"{call.name}({keyword}=True)", file.at(call))
        for file, call in repository.calls(
            "*.run", "uvicorn.run", "Flask", "flask.Flask", "FastAPI", "fastapi.FastAPI"
        )
        for keyword in ("debug", "reload")
        if (given := call.argument(keyword)) and given.constant and given.value is True and _web(file)
        if not (started and call.method == "run")
    ]
    for image in run_images(repository):
        faults += [
            (f"{each.name} {each.value[:60]}", at(image, each))
            for each in image.all("CMD", "ENTRYPOINT", "ENV")
            if any(
                word in each.value
                for word in ("--reload", "FLASK_DEBUG=1", "FLASK_ENV=development", "--debug")
            )
        ]
    if faults:
        return no(faults[0][0], *(place for _, place in faults), faults=len(faults))
    return yes("no debug or reload switch where a server is started")


def _started(repository: Repository) -> bool:
    """Whether an image starts a server for production: what a script would start is then for developing."""
    commands = [each.value for file in run_images(repository) for each in file.all("CMD", "ENTRYPOINT")]
    return any(SERVERS.search(each) for each in commands)


def _web(file: PythonFile) -> bool:
    return file.imports_any(*WEB, "uvicorn") is not None


PROBE = Probe(
    id="serving.no_debug",
    title="the service runs without its debugger",
    why="Flask's debugger runs any Python that a visitor types; reload watches files instead of serving.",
    remedy="drop debug=True and --reload; keep them in a command of development",
    look=look,
    when=When.SERVES,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="Flask documentation, Debug Mode; OWASP A05",
)
