"""Errors as answers: JSON below ``/api``, a page elsewhere."""

import logging
from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from mlwright.doors.web.paper import refused_page
from mlwright.doors.wire import error_to_plain, to_json
from mlwright.errors import (
    CheckFailed,
    Conflict,
    MissingExtra,
    MlwrightError,
    NotFound,
    SignatureMismatch,
    StorageError,
    UsageError,
)

_log: Final = logging.getLogger("mlwright.control")

_STATUS: Final[tuple[tuple[type[MlwrightError], int], ...]] = (
    (NotFound, 404),
    (UsageError, 400),
    (SignatureMismatch, 400),
    (CheckFailed, 409),
    (Conflict, 409),
    (StorageError, 503),
    (MissingExtra, 501),
)
"""The first class that fits decides; every other error of ours is 500."""


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, MlwrightError)
    return _answer(request, error, next((status for kind, status in _STATUS if isinstance(error, kind)), 500))


async def _no_such_call(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    refusal = _Refusal(str(error.detail), where=request.url.path, next_command="mlwright up --help")
    return _answer(request, refusal, error.status_code, dict(error.headers or {}))


async def _broken(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    what, why = "the server failed", "its log, on the terminal where it was started, says more"
    failure = _Failure(what, where=request.url.path, why=why, next_command="mlwright doctor")
    return _answer(request, failure, 500)


HANDLERS: Final[Mapping[type[Exception], ExceptionHandler]] = {
    MlwrightError: _refused,
    HTTPException: _no_such_call,
    Exception: _broken,
}
"""By class of error, for Starlette."""


class _Refusal(MlwrightError):
    """There is no such call."""

    exit_code = 3

    @property
    def code(self) -> str:
        """The stable name of this kind of error."""
        return "NoSuchCall"


class _Failure(MlwrightError):
    """A fault of mlwright itself, or of code that it called; what it was stays in the log."""

    @property
    def code(self) -> str:
        """The stable name of this kind of error."""
        return "Unexpected"


def _answer(
    request: Request, error: MlwrightError, status: int, headers: Mapping[str, str] | None = None
) -> Response:
    """An error as JSON, or as a page where a page was asked for."""
    if not request.url.path.startswith("/api"):
        return refused_page(error, status)
    body = to_json(error_to_plain(error))
    return Response(body, status, headers=headers, media_type="application/json")
