"""Errors as gRPC says them: a status, a text, and what a client may do about it."""

from typing import Final

from grpc import StatusCode

from mlwright.doors.http.inference.rendering import waiting
from mlwright.errors import (
    BadRequest,
    Conflict,
    DeadlinePassed,
    MlwrightError,
    ModelDown,
    ModelLoadFailed,
    NotFound,
    Overloaded,
    SignatureMismatch,
    StorageError,
    Unsupported,
)

_STATUS: Final[tuple[tuple[type[MlwrightError], StatusCode], ...]] = (
    (BadRequest, StatusCode.INVALID_ARGUMENT),
    (SignatureMismatch, StatusCode.INVALID_ARGUMENT),
    (Unsupported, StatusCode.UNIMPLEMENTED),
    (NotFound, StatusCode.NOT_FOUND),
    (DeadlinePassed, StatusCode.DEADLINE_EXCEEDED),
    (Overloaded, StatusCode.RESOURCE_EXHAUSTED),
    (Conflict, StatusCode.FAILED_PRECONDITION),
    (ModelLoadFailed, StatusCode.UNAVAILABLE),
    (ModelDown, StatusCode.UNAVAILABLE),
    (StorageError, StatusCode.UNAVAILABLE),
)
_MOST_BYTES: Final = 2400
"""The text travels in a trailer, percent-encoded (three bytes for one), and clients take 8 KiB of trailers."""


def status_of(error: MlwrightError) -> StatusCode:
    """The status of an error; what none is named for is ours."""
    return next((code for kind, code in _STATUS if isinstance(error, kind)), StatusCode.INTERNAL)


def details_of(error: MlwrightError) -> str:
    """The whole text of the error, cut where a client would refuse the trailer."""
    raw = str(error).encode(errors="replace")
    return raw.decode() if len(raw) <= _MOST_BYTES else raw[:_MOST_BYTES].decode(errors="ignore") + "…"


def trailers_of(error: MlwrightError) -> tuple[tuple[str, str], ...]:
    """The stable name of the error, and when to come back: for people, and as gRPC's own retry policy reads it
    (https://github.com/grpc/proposal/blob/master/A6-client-retries.md)."""
    name = ("mlwright-error", error.code)
    told = waiting(error)
    if not told or not isinstance(error, Overloaded | ModelDown):
        return (name,)
    return (name, *told, ("grpc-retry-pushback-ms", str(round(max(error.retry_after_s, 0.0) * 1000))))
