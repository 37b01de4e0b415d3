"""The routes of the pages about what is watched: monitoring, alerts, diagnoses, and the views for three readers."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Final, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from mlwright.doors.http.control.calls import CHANGES, Control
from mlwright.doors.web.address import Query
from mlwright.doors.web.alert_pages import inbox_page
from mlwright.doors.web.diagnosis_pages import diagnoses_page, diagnosis_page
from mlwright.doors.web.forms import asked, fields_of, way_back
from mlwright.doors.web.monitor_pages import monitor_page
from mlwright.doors.web.paper import page
from mlwright.doors.web.stakeholders import business_page, engineering_page, science_page
from mlwright.doors.web.waiting import Waiting
from mlwright.platform.diagnosing import Kept

_PATIENCE_S: Final = 20.0
"""So long a browser waits for a diagnosis; then it is shown what the diagnosis waits for."""

Draw = Callable[[Control, Query, dict[str, str]], str]
Handler = Callable[[Request], Awaitable[Response]]


def watch_routes(control: Control) -> list[BaseRoute]:
    """The pages of one project about what is watched."""
    waiting = Waiting()
    pages: tuple[tuple[str, Draw], ...] = (
        ("/monitor/{endpoint}", monitor_page),
        ("/alerts", inbox_page),
        ("/diagnoses", lambda control, query, path: diagnoses_page(control, query, path, waiting.seen())),
        ("/diagnoses/{diagnosis}", diagnosis_page),
        ("/views/engineering", engineering_page),
        ("/views/science", science_page),
        ("/views/business", business_page),
    )
    return [
        Route("/monitor", _first_endpoint(control), methods=["GET"]),
        *(Route(path, _drawn(control, draw), methods=["GET"]) for path, draw in pages),
        Route("/alerts/{alert}/ack", _changed(control, "/alerts/{alert}/ack", "/#alert"), methods=["POST"]),
        Route(
            "/silence/{endpoint}",
            _changed(control, "/silence/{endpoint}", "/alerts#silences"),
            methods=["POST"],
        ),
        Route(
            "/silences/{silence}/end",
            _changed(control, "/silences/{silence}/end", "/alerts#silences"),
            methods=["POST"],
        ),
        Route("/diagnoses/{endpoint}", _diagnosed(control, waiting), methods=["POST"]),
    ]


def _drawn(control: Control, draw: Draw) -> Handler:
    async def handle(request: Request) -> Response:
        query = Query(request.url.path, request.query_params.multi_items())
        path = {name: str(value) for name, value in request.path_params.items()}
        return page(await run_in_threadpool(draw, control, query, path))

    return handle


def _first_endpoint(control: Control) -> Handler:
    async def handle(request: Request) -> Response:
        named = control.platform.parts.settings.endpoints
        return RedirectResponse(f"/monitor/{named[0].name}" if named else "/#endpoint", status_code=303)

    return handle


def _changed(control: Control, call: str, usual: str) -> Handler:
    """A form that does what a call of the JSON interface does, and comes back."""
    change = CHANGES[call]

    async def handle(request: Request) -> Response:
        fields = await fields_of(request)
        await run_in_threadpool(change, control, asked(request, fields))
        return RedirectResponse(way_back(fields, usual), status_code=303)

    return handle


def _diagnosed(control: Control, waiting: Waiting) -> Handler:
    async def handle(request: Request) -> Response:
        wanted = asked(request, await fields_of(request))
        begin = CHANGES["/diagnose/{endpoint}"]
        now = control.platform.parts.clock.now()
        future = waiting.ask(
            wanted.path["endpoint"], now, lambda: cast("Future[Kept]", begin(control, wanted))
        )
        made = asyncio.wrap_future(future)
        made.add_done_callback(lambda done: done.cancelled() or done.exception())  # the page of all shows it
        # Not wait_for, which would take it back: it is made all the same when the reader has no patience.
        await asyncio.wait({made}, timeout=_PATIENCE_S)
        if not made.done():
            return RedirectResponse("/diagnoses", status_code=303)
        return RedirectResponse(f"/diagnoses/{made.result().id}", status_code=303)

    return handle
