"""Do tests send a request to the service?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.automation import automated
from mlwright.engineer.vocabulary.sides import importers, serving_files
from mlwright.engineer.vocabulary.words import SHOWN, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_CLIENTS: Final = (
    "fastapi.testclient", "starlette.testclient", "httpx", "schemathesis", "tavern", "gradio_client",
    "streamlit.testing", "litestar.testing", "aiohttp.test_utils", "flask.testing", "django.test",
    "rest_framework.test", "requests", "async_asgi_testclient", "falcon.testing", "sanic_testing", "webtest",
    "tritonclient", "grpc", "mlwright", "playwright", "selenium", "bentoml", "chalice.test", "webdriver",
)  # fmt: skip
_MAKES: Final = frozenset(
    "test_client testclient aiohttp_client asgitransport test_request_context apiclient".split()
)
_VERBS: Final = ("get", "post", "put")
_ROBOTS: Final = (
    r"curl\s[^\n]*(localhost|127\.0\.0\.1|/predict|/health)",
    r"\bnewman\b",
    r"\bschemathesis\b",
    r"\bhurl\b",
)


def look(repository: Repository) -> Answer:
    """Look for a client in the tests, or a request that a job of CI sends."""
    clients = [
        (each, place)
        for each in repository.tests
        if (place := each.imports_any(*_CLIENTS)) is not None or each.words & _MAKES
    ]
    if clients:
        places = [each.at(place) if place else Location(path=each.path) for each, place in clients]
        return yes(f"{clients[0][0].path} asks the service", *places[:SHOWN])
    sent = [
        each.at(call)
        for each in repository.tests
        for call in each.calls
        if call.method in _VERBS and "client" in call.receiver.lower()
    ]
    if sent:
        return yes(f"{sent[0]} sends a request", *sent[:SHOWN])
    robots = list(automated(repository, *_ROBOTS))
    if robots:
        return yes(f"{robots[0][0]} sends a request", *[place for _, place in robots][:SHOWN])
    serving = serving_files(repository)
    if not serving:
        return unknown("the code that answers is not here, so its tests may be elsewhere too")
    direct = list(importers(repository.tests, serving))
    if direct:
        places = [Location(path=each.path) for each in direct]
        return unknown(f"{direct[0].path} imports the service and sends no request", *places[:SHOWN])
    names = listed((each.path for each in serving), 3)
    return no(f"no test asks {names}", *[Location(path=each.path) for each in serving][:SHOWN])


PROBE = Probe(
    id="tests.serving_tested",
    title="tests send requests to the service",
    why="A field that was renamed, a model that is not in the image: the first to notice is a customer.",
    remedy='TestClient(app).post("/predict", json={...}) in tests/test_service.py; assert status and range',
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    after="tests.exist",
    source="ML Test Score (Breck et al. 2017), Infrastructure 3 and 6; CD4ML, Testing and Quality",
)
