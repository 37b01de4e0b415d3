"""Who may talk to the control process: programs of this machine, and pages that it served itself.

There are no tokens yet, so the address is the only wall. A page of another site could still reach 127.0.0.1 through
the reader's browser: by a name that resolves to it (DNS rebinding; the Host header gives it away) or by a form or
fetch (cross-site request forgery; the Origin header, which every browser sends with a POST, gives it away).
"""

import json
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS: Final = {
    # The drawings carry their style with them, because they also stand alone; scripts may not be inline.
    "content-security-policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "script-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class LoopbackOnly:
    """ASGI middleware that lets through what comes from this machine, and marks the answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse with 403, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = _refused(scope["method"], headers.get("host", ""), headers.get("origin"))
        if refused is not None:
            await refused(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, marked)


def _refused(method: str, host: str, origin: str | None) -> Response | None:
    if _name(host) not in _LOOPBACK:
        return _no(f"the name {host!r} does not stand for this machine", "use http://127.0.0.1 and the port")
    if method not in _READING and origin is not None and origin.lower() != f"http://{host.lower()}":
        return _no(f"a page of {origin!r} may not change this project", "the request came from another site")
    return None


def _name(host: str) -> str:
    """A Host header without its port."""
    name, bracket, _ = host.lower().partition("]")
    return f"{name}]" if bracket else name.partition(":")[0]


def _no(what: str, why: str) -> Response:
    error: dict[str, object] = {
        "code": "Refused",
        "what": what,
        "where": None,
        "why": why,
        "faults": [],
        "next": None,
    }
    return Response(json.dumps({"error": error}), 403, media_type="application/json")
