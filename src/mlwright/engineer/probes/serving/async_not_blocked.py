"""Does one prediction stop all other requests?"""

from mlwright.engineer.facts.code import Call
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.routes import calls_in, routes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_LOADS = ("joblib.load", "pickle.load", "cloudpickle.load", "skops.io.load")


def look(repository: Repository) -> Answer:
    """Look for blocking calls in the bodies of async functions that answer requests."""
    asynchronous = [
        (each, each.answers)
        for each in routes(repository)
        if each.answers is not None and each.answers.asynchronous
    ]
    if not asynchronous:
        return no_question("no async function that answers a route could be read")
    faults = [
        (each.file, call)
        for each, function in asynchronous
        for call in calls_in(each.file, function)
        if _blocks(call)
    ]
    if faults:
        file, call = faults[0]
        return no(
            f"{file.path}:{call.line} calls {call.name} in an async function", *(f.at(c) for f, c in faults)
        )
    return yes(f"{len(asynchronous)} async functions answer, none waits on requests or sleep")


def _blocks(call: Call) -> bool:
    """Whether a call holds the loop: a request, a sleep, a model read from disk, or asked where it was read."""
    if call.name.startswith("requests.") or call.name in ("time.sleep", *_LOADS):
        return True
    return call.made_by in _LOADS and call.method in ("predict", "predict_proba")


PROBE = Probe(
    id="serving.async_not_blocked",
    title="async functions do not block the loop",
    why="One blocking call in an async function stops every other request of the process.",
    remedy="make the function def instead of async def, or use httpx.AsyncClient / asyncio.to_thread",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="FastAPI documentation, Concurrency and async/await",
)
