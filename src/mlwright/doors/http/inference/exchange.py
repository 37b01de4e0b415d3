"""A request and a response of the inference server, between its protocol and its doors."""

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

JSON: Final = "application/json"


class Request(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request, whole."""

    method: str
    path: str
    """Percent-decoded, without the query."""
    query: str
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes
    client: str
    """The address it came from."""
    received: float
    """When its last byte came, in seconds of ``time.monotonic``."""


class Response(msgspec.Struct, frozen=True, gc=False):
    """One HTTP response, whole."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


Reply: TypeAlias = Callable[[Response], None]
"""Sends the response; called exactly once a request, on the thread of the event loop, now or later."""

Handler: TypeAlias = Callable[[Request, Reply], None]
"""Answers a request. It does not block and raises nothing but ``MlwrightError``, which is answered as one."""
