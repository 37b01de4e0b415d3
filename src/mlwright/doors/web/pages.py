"""The pages: server-rendered from the same values as the JSON interface; they need no script."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from mlwright import __version__
from mlwright.doors.http.control.calls import Control
from mlwright.doors.web import views
from mlwright.doors.web.facts import Facts, gather
from mlwright.doors.web.picture import year_picture
from mlwright.doors.web.strip import stages
from mlwright.doors.web.words import FILTERS
from mlwright.errors import MlwrightError, NotFound
from mlwright.model.ids import RunId
from mlwright.model.ledger import Trace

_HERE: Final = Path(__file__).parent

_pages: Final = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.filters.update(FILTERS)
_pages.globals.update(mlwright=__version__, views=views)

Handler = Callable[[Request], Awaitable[Response]]


def page_routes(control: Control) -> list[BaseRoute]:
    """The pages of one project."""
    return [
        Route("/", _page(lambda _: _loop(control)), methods=["GET"]),
        Route("/runs/{run}", _page(lambda path: _run(control, path["run"])), methods=["GET"]),
        Route(
            "/models/{name}/{version:int}",
            _page(lambda path: _version(control, f"{path['name']}/{path['version']}")),
            methods=["GET"],
        ),
        Route("/alerts/{alert}/ack", _acknowledge(control), methods=["POST"]),
        Mount("/static", StaticFiles(directory=_HERE / "static")),
    ]


def refused_page(error: MlwrightError, status: int) -> Response:
    """An error for somebody who looks at it in a browser."""
    return HTMLResponse(_pages.get_template("refused.html").render(error=error, status=status), status)


def _page(draw: Callable[[dict[str, str]], str]) -> Handler:
    async def handle(request: Request) -> Response:
        path = {name: str(value) for name, value in request.path_params.items()}
        return HTMLResponse(await run_in_threadpool(draw, path), headers={"cache-control": "no-store"})

    return handle


def _acknowledge(control: Control) -> Handler:
    async def handle(request: Request) -> Response:
        alert, who = request.path_params["alert"], control.platform.parts.actor
        await run_in_threadpool(control.platform.watch.acknowledge, alert, who)
        return RedirectResponse("/#alert", status_code=303)

    return handle


def _loop(control: Control) -> str:
    facts = gather(control)
    return _pages.get_template("loop.html").render(
        facts=facts,
        stages=stages(facts),
        picture=_picture(facts),
        endpoints=[(each, views.graphs(each, facts.decisions, facts.alerts)) for each in facts.endpoints],
        next_command=views.first_fact(facts),
    )


def _picture(facts: Facts) -> str | None:
    """The demo's picture; None where a file of that name holds something else."""
    if facts.year is None:
        return None
    with suppress(KeyError, ValueError):
        return year_picture(msgspec.to_builtins(facts.year), width=views.WIDTH)
    return None


def _run(control: Control, run: str) -> str:
    platform = control.platform
    found = platform.training.get(RunId(run))
    return _pages.get_template("run.html").render(
        project=platform.parts.settings.name, run=found, trace=_trace(control, f"run:{run}")
    )


def _version(control: Control, ref: str) -> str:
    found = control.platform.releases.version(ref)
    return _pages.get_template("version.html").render(
        project=control.platform.parts.settings.name, version=found, trace=_trace(control, f"model:{ref}")
    )


def _trace(control: Control, subject: str) -> Trace | None:
    """The lineage of a thing, or None where nothing is recorded about it."""
    with suppress(NotFound):
        return control.platform.records.trace(subject)
    return None
