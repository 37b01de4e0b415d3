"""Responses as bytes on the wire, and errors as responses."""

import logging
from time import monotonic
from typing import Final

import msgspec

from mlwright.doors.http.inference.exchange import JSON, Response
from mlwright.errors import (
    BadRequest,
    CheckFailed,
    Conflict,
    DeadlinePassed,
    MlwrightError,
    ModelDown,
    ModelLoadFailed,
    NotFound,
    Overloaded,
    SignatureMismatch,
    StorageError,
    TooManyRequests,
    Unsupported,
    UsageError,
)

_STATUS: Final[tuple[tuple[type[MlwrightError], int], ...]] = (
    (BadRequest, 400),
    (SignatureMismatch, 400),
    (Unsupported, 501),
    (UsageError, 400),
    (NotFound, 404),
    (Conflict, 409),
    (CheckFailed, 409),
    (TooManyRequests, 429),
    (DeadlinePassed, 504),
    (Overloaded, 503),
    (StorageError, 503),
    (ModelLoadFailed, 503),
    (ModelDown, 503),
)
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    417: "Expectation Failed",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
_MOST_HEADS: Final = 256
_COMPLAINT_EVERY_S: Final = 1.0

_log = logging.getLogger("mlwright.inference")
_heads: dict[tuple[int, str], bytes] = {}
_statuses: dict[type[MlwrightError], int] = {}
_encode = msgspec.json.Encoder().encode


def rendered(response: Response, *, connection: bytes = b"", head_only: bool = False) -> bytes:
    """Head and body, to be written at once.

    Args:
        response: what is sent.
        connection: ``close`` or ``keep-alive`` where the client has to be told.
        head_only: the answer to HEAD, whose Content-Length is that of the body it does not send.
    """
    body = response.body
    start = _heads.get((response.status, response.content_type)) or _head(
        response.status, response.content_type
    )
    if connection or response.headers:
        start = _more(response.headers, connection, start)
    if head_only:
        return b"%b%d\r\n\r\n" % (start, len(body))
    return b"%b%d\r\n\r\n%b" % (start, len(body), body)


def as_json(value: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """A value as a JSON response."""
    return Response(_encode(value), status, JSON, headers)


def refused(status: int, what: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """A refusal in one sentence."""
    return as_json({"error": what}, status, headers)


def status_of(error: MlwrightError) -> int:
    """The HTTP status of an error; 500 where it is our fault."""
    kind = type(error)
    status = _statuses.get(kind)
    if status is None:
        status = next((status for known, status in _STATUS if issubclass(kind, known)), 500)
        _statuses[kind] = status
    return status


def fault(error: MlwrightError, status: int) -> Response:
    """An error as all protocols but MLflow's write it. What is our fault says no more than what failed."""
    text = str(error)
    if status == 500:
        kind = (error.why or "").partition(":")[0]
        text = f"{error.what} ({kind})" if kind.isidentifier() else error.what
    return as_json(
        {
            "error": text,
            "code": error.code,
            "faults": [{"where": each.where, "what": each.what, "near": each.near} for each in error.faults],
            "next_command": error.next_command,
        },
        status,
        waiting(error),
    )


def waiting(error: MlwrightError) -> tuple[tuple[str, str], ...]:
    """The headers that say when to come back, in whole seconds."""
    if isinstance(error, Overloaded | ModelDown) and not isinstance(error, DeadlinePassed):
        return (("retry-after", str(max(1, -int(-error.retry_after_s // 1)))),)
    return ()


class Complaints:
    """Writes unexpected errors to the log of the process, and no more than one a second of them."""

    def __init__(self) -> None:
        self._last = float("-inf")
        self._unsaid = 0

    def answer(self, error: BaseException, while_doing: str) -> Response:
        """Say it in the log, and to the client no more than that it was our fault."""
        now = monotonic()
        if now - self._last >= _COMPLAINT_EVERY_S:
            more = f" (and {self._unsaid} errors before it)" if self._unsaid else ""
            self._last, self._unsaid = now, 0
            _log.error("%s failed%s", while_doing, more, exc_info=error)
        else:
            self._unsaid += 1
        return refused(500, f"the server failed: {type(error).__name__}")


def _head(status: int, content_type: str) -> bytes:
    """Everything up to the number of Content-Length."""
    lines = (
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Other')}",
        f"content-type: {_clean(content_type)}",
        "content-length: ",
    )
    head = "\r\n".join(lines).encode("latin-1", "replace")
    if len(_heads) < _MOST_HEADS:
        _heads[status, content_type] = head
    return head


def _more(headers: tuple[tuple[str, str], ...], connection: bytes, start: bytes) -> bytes:
    """The same with more headers, before Content-Length."""
    line, _, rest = start.partition(b"\r\n")
    extra = [f"{name}: {_clean(value)}".encode("latin-1", "replace") for name, value in headers]
    if connection:
        extra.append(b"connection: " + connection)
    return b"\r\n".join([line, *extra, rest])


def _clean(value: str) -> str:
    """Without what would end the header: what a client sent may come back in it."""
    return value if value.isprintable() else "".join(each for each in value if each.isprintable())
