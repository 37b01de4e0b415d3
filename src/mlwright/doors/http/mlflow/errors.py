"""Errors as the protocol says them: a status, and a body of ``error_code`` and ``message``.

Clients try again, for minutes, whatever is answered with 429 or 5xx, 501 excepted. So only what may be over by then
gets such a status.
"""

from typing import Final

import msgspec

from mlwright.errors import (
    AlreadyExists,
    ArtifactCorrupt,
    ArtifactMissing,
    CheckFailed,
    Conflict,
    DataError,
    MissingExtra,
    MlwrightError,
    ModelError,
    NotFound,
    StorageError,
    Unsupported,
    UsageError,
)

_CODES: Final[tuple[tuple[type[MlwrightError], int, str], ...]] = (
    (NotFound, 404, "RESOURCE_DOES_NOT_EXIST"),
    (AlreadyExists, 400, "RESOURCE_ALREADY_EXISTS"),
    (Unsupported, 501, "NOT_IMPLEMENTED"),
    (MissingExtra, 501, "NOT_IMPLEMENTED"),
    (UsageError, 400, "INVALID_PARAMETER_VALUE"),
    (ModelError, 400, "INVALID_PARAMETER_VALUE"),
    (DataError, 400, "INVALID_PARAMETER_VALUE"),
    (Conflict, 400, "INVALID_STATE"),
    (CheckFailed, 400, "INVALID_STATE"),
    (ArtifactMissing, 404, "RESOURCE_DOES_NOT_EXIST"),
    (ArtifactCorrupt, 409, "DATA_LOSS"),
    (StorageError, 503, "TEMPORARILY_UNAVAILABLE"),
)
"""The first class that fits decides; every other error is 500, INTERNAL_ERROR."""


class Refused(Exception):
    """An answer that is decided before any call runs: status, code, text, and whether the connection ends with it."""

    def __init__(
        self, status: int, code: str, message: str, *, allow: tuple[str, ...] = (), close: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.allow = allow
        self.close = close


def refused_by(error: MlwrightError) -> Refused:
    """An error of ours as an answer; its text keeps the reason and the next command."""
    for kind, status, code in _CODES:
        if isinstance(error, kind):
            return Refused(status, code, str(error))
    return Refused(500, "INTERNAL_ERROR", str(error))


def error_body(code: str, message: str) -> bytes:
    """The body of an error; the client raises an exception with both."""
    return msgspec.json.encode({"error_code": code, "message": message})
