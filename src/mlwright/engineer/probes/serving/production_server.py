"""Is it the framework's toy server that answers?"""

import re

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.images import SERVERS, at, run_images
from mlwright.engineer.vocabulary.sides import MODEL_SERVERS
from mlwright.engineer.vocabulary.signs import signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_TOY = re.compile(r"\bflask\b[\s\"',]+run\b|manage\.py[\s\"',]+runserver|fastapi[\s\"',]+dev\b")


def look(repository: Repository) -> Answer:
    """Look at the commands of images, then at what the program itself starts."""
    commands = [
        (each.value, at(file, each))
        for file in run_images(repository)
        for each in file.all("CMD", "ENTRYPOINT")
    ]
    commands += [
        (f"{each.spec.get('command') or ''} {each.spec.get('args') or ''}", each.at)
        for each in repository.containers
    ]
    toys = [(found[0], place) for said, place in commands if (found := _TOY.search(said))]
    if toys:
        return no(f"the image starts {toys[0][0]}", *(place for _, place in toys))
    good = [(said, place) for said, place in commands if SERVERS.search(said)]
    good += signs(
        repository, packages=("uvicorn", "gunicorn", "waitress", "hypercorn", "granian", *MODEL_SERVERS)
    )
    if good:
        return yes("a server for production is started", *(place for _, place in good[:10]))
    flask = [
        file.at(call) for file, call in repository.calls("*.run") if call.made_by in ("flask.Flask", "Flask")
    ]
    if flask:
        return no("only Flask's own server is started (app.run)", *flask)
    return unknown("what starts the service is not here")


PROBE = Probe(
    id="serving.production_server",
    title="a server made for production answers requests",
    why="The development servers of frameworks answer one request at a time and fall over under load.",
    remedy="gunicorn -k uvicorn.workers.UvicornWorker app:app, or mlwright up",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Flask documentation, Deploying to Production",
)
