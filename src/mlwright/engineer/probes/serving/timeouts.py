"""Can a slow neighbour hang the service?"""

from mlwright.engineer.facts.code import Call
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.sides import serving_files
from mlwright.engineer.vocabulary.words import counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_CALLS = frozenset(
    (
        *(f"requests.{verb}" for verb in ("get", "post", "put", "patch", "delete", "head", "request")),
        "urllib.request.urlopen",
    )
)


def look(repository: Repository) -> Answer:
    """Look for outgoing calls without a time-out in files that serve."""
    serving = serving_files(repository)
    outgoing = [(file, call) for file in serving for call in file.calls if call.name in _CALLS]
    if not outgoing:
        return no_question("the service calls nobody through requests or urllib")
    endless = [
        (file, call) for file, call in outgoing if call.argument("timeout") is None and not _spread(call)
    ]
    if endless:
        file, call = endless[0]
        evidence = f"{file.path}:{call.line} calls {call.name} without a time-out"
        return no(
            evidence, *(file.at(call) for file, call in endless), calls=len(outgoing), endless=len(endless)
        )
    return yes(
        f"{counted(len(outgoing), 'outgoing call')}, all with a time-out",
        *(f.at(c) for f, c in outgoing[:10]),
    )


def _spread(call: Call) -> bool:
    return call.argument("**") is not None


PROBE = Probe(
    id="serving.timeouts",
    title="outgoing calls of the service have a time-out",
    why="requests waits for ever by default: one hanging neighbour takes all workers.",
    remedy="pass timeout=(3, 10)",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Requests documentation, Timeouts",
)
