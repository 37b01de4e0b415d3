"""Who may talk to our servers: programs of this machine, and pages that they served themselves.

There are no tokens yet, so the address is the only wall. A page of another site could still reach 127.0.0.1 through
the reader's browser: by a name that resolves to it (DNS rebinding; the Host header gives it away) or by a form or
fetch (cross-site request forgery; the Origin header, which every browser sends with a POST, gives it away).
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Final

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})

HEADERS: Final[Mapping[str, str]] = {
    # The drawings carry their style with them, because they also stand alone; scripts may not be inline.
    "content-security-policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "script-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""What every page carries, but for what it sets itself."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is refused, and why; the status is 403."""

    what: str
    why: str


def refusal(method: str, host: str, origin: str | None, also: Container[str] = ()) -> Refusal | None:
    """Judge a request by its Host and Origin headers; None lets it through.

    Args:
        method: of the request.
        host: its Host header.
        origin: its Origin header, where it has one.
        also: other names and addresses, in lower case, that stand for this server.
    """
    if _name(host) not in _LOOPBACK and _name(host) not in also:
        return Refusal(
            f"the name {host!r} does not stand for this machine", "use http://127.0.0.1 and the port"
        )
    if method not in _READING and origin is not None and origin.lower() != f"http://{host.lower()}":
        return Refusal(
            f"a page of {origin!r} may not change this project", "the request came from another site"
        )
    return None


def _name(host: str) -> str:
    """A Host header without its port."""
    name, bracket, _ = host.lower().partition("]")
    return f"{name}]" if bracket else name.partition(":")[0]
