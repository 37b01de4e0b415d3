"""What a call of the MLflow protocol is here: method, path, and one function that asks the façade."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, TypeAlias, TypeVar

import msgspec
from starlette.types import Receive, Scope, Send

from mlwright.errors import BadRequest
from mlwright.platform.tracking.facade import TrackingPlatform

S = TypeVar("S", bound=msgspec.Struct)

Int64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A number as protocol buffers and databases hold it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks for: names from the path, the query by name (a name may come several times), the body."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, list[str]] = field(default_factory=dict)
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in small letters."""

    def parse(self, kind: type[S]) -> S:
        """The body as a message; its unknown fields are passed over, as protocol buffers do.

        Raises:
            BadRequest: it is not JSON, or a field has another type; the fault names the field.
        """
        try:
            return msgspec.json.decode(self.body or b"{}", type=kind, strict=False)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
            raise BadRequest(str(fault), where="body") from fault

    def parse_query(self, kind: type[S]) -> S:
        """The query as a message; a field of list type takes every value of its name.

        Raises:
            BadRequest: a field is missing or has another type; the fault names the field.
        """
        several = {
            each.encode_name for each in msgspec.structs.fields(kind) if "list" in str(each.type).lower()
        }
        found = {
            name: values if name in several else values[-1] for name, values in self.query.items() if values
        }
        try:
            return msgspec.convert(found, kind, strict=False)
        except msgspec.ValidationError as fault:
            raise BadRequest(str(fault), where="query") from fault


Handler: TypeAlias = Callable[[TrackingPlatform, Asked], object]
"""Returns what msgspec encodes as the JSON answer, or bytes that are JSON already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call. ``path`` stands below ``/api/`` and its mirror ``/ajax-api/``; ``{name}`` is one segment of it."""

    method: str
    path: str
    handler: Handler
    writes: bool = False
    """A call that writes runs on the writing thread, committed in a group; another one on a thread for reading."""
    limit: int = 64 << 20
    """Bytes of the body, at most."""


Streaming: TypeAlias = Callable[[TrackingPlatform, str, Scope, Receive, Send], Awaitable[None]]
"""An ASGI application of one call; the text is the rest of the path, percent-decoded, without its first slash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamCall:
    """A call whose body or answer is too large to hold: ``prefix`` (below ``/``) and everything behind it."""

    methods: tuple[str, ...]
    prefix: str
    serve: Streaming
