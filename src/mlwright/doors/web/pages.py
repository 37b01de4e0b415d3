"""The pages of a project: server-rendered from the same values as the JSON interface; they need no script."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from mlwright.doors.http.control.calls import Control
from mlwright.doors.web import views
from mlwright.doors.web.facts import Facts, gather
from mlwright.doors.web.paper import page, render
from mlwright.doors.web.picture import year_picture
from mlwright.doors.web.shelf import Desk
from mlwright.doors.web.strip import stages
from mlwright.doors.web.tracked import static_files, tracking_routes
from mlwright.doors.web.watched import watch_routes

Handler = Callable[[Request], Awaitable[Response]]


def page_routes(control: Control, desk: Desk) -> list[BaseRoute]:
    """The pages of one project."""
    return [
        Route("/", _loop_page(control), methods=["GET"]),
        *watch_routes(control),
        *tracking_routes(desk),
        static_files(),
    ]


def _loop_page(control: Control) -> Handler:
    async def handle(request: Request) -> Response:
        return page(await run_in_threadpool(_loop, control))

    return handle


def _loop(control: Control) -> str:
    facts = gather(control)
    return render(
        "loop.html",
        views=views,
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
