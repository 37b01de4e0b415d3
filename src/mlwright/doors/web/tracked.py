"""The pages of experiments, runs and models over one tracking façade; any process that holds one can serve them."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from mlwright.doors.web.address import Query
from mlwright.doors.web.compare_pages import compare_page, series_json
from mlwright.doors.web.experiment_pages import experiment_page, experiments_page
from mlwright.doors.web.model_pages import logged_model_page, model_page, models_page, version_page
from mlwright.doors.web.paper import HERE, page
from mlwright.doors.web.refusals import HANDLERS
from mlwright.doors.web.run_pages import run_page
from mlwright.doors.web.shelf import Desk
from mlwright.platform.tracking.facade import TrackingPlatform

_COOKIE: Final = "columns"
_COOKIE_BYTES: Final = 3000

T = TypeVar("T")

Draw = Callable[[Desk, Query, dict[str, str]], str]
Handler = Callable[[Request], Awaitable[Response]]

# Two pages at a time: in the tracking process they share it with those who log.
_drawing: Final = ThreadPoolExecutor(2, thread_name_prefix="drawing")


def tracking_routes(desk: Desk) -> list[BaseRoute]:
    """The pages."""
    pages: tuple[tuple[str, Draw], ...] = (
        ("/experiments", experiments_page),
        ("/runs/{run}", run_page),
        ("/compare", compare_page),
        ("/models", models_page),
        ("/models/{name}", model_page),
        ("/models/{name}/{version:int}", version_page),
        ("/logged-models/{model}", logged_model_page),
    )
    return [
        Route("/experiments/{experiment}", _experiment(desk), methods=["GET"]),
        *(Route(path, _handler(desk, draw), methods=["GET"]) for path, draw in pages),
    ]


def chart_routes(desk: Desk) -> list[BaseRoute]:
    """What charts ask for, below ``/api``."""

    async def handle(request: Request) -> Response:
        body = await _drawn(lambda: series_json(desk, _query(request)))
        return Response(body, media_type="application/json", headers={"cache-control": "no-store"})

    return [Route("/series", handle, methods=["GET"])]


def build_pages(tracking: TrackingPlatform) -> Starlette:
    """The pages as an application of their own, for a process without a project."""
    desk = Desk(tracking)

    async def root(request: Request) -> Response:
        # The part behind # goes with the browser.
        return RedirectResponse("/experiments", status_code=303)

    return Starlette(
        routes=[
            Route("/", root, methods=["GET"]),
            Mount("/api", routes=chart_routes(desk)),
            *tracking_routes(desk),
            static_files(),
        ],
        exception_handlers=HANDLERS,
    )


def static_files() -> BaseRoute:
    """The style sheet and the scripts."""
    return Mount("/static", StaticFiles(directory=HERE / "static"))


def _handler(desk: Desk, draw: Draw) -> Handler:
    async def handle(request: Request) -> Response:
        path = {name: str(value) for name, value in request.path_params.items()}
        return page(await _drawn(lambda: draw(desk, _query(request), path)))

    return handle


def _experiment(desk: Desk) -> Handler:
    """Columns that were chosen once are remembered by a cookie of this experiment's page."""

    async def handle(request: Request) -> Response:
        query = _query(request)
        id = request.path_params["experiment"]
        remembered = Query("", [("columns", each) for each in _remembered(request)])
        answer = page(await _drawn(lambda: experiment_page(desk, query, {"experiment": id}, remembered)))
        value = Query("", [("columns", each) for each in query.all("columns")]).but().removeprefix("?")
        if value and len(value) < _COOKIE_BYTES:
            path = request.url.path
            answer.set_cookie(
                _COOKIE, value, max_age=365 * 86_400, path=path, httponly=True, samesite="strict"
            )
        return answer

    return handle


def _remembered(request: Request) -> list[str]:
    try:
        found = parse_qsl(request.cookies.get(_COOKIE, ""), max_num_fields=200)
    except ValueError:
        return []
    return [value for name, value in found if name == "columns"]


async def _drawn(draw: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_drawing, draw)


def _query(request: Request) -> Query:
    return Query(request.url.path, request.query_params.multi_items())
