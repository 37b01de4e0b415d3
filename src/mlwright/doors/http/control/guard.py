"""The guard of the control process, as ASGI middleware; the rule is that of ``doors/http/guarding.py``."""

import json

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlwright.doors.http.guarding import HEADERS, Refusal, refusal


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
        refused = refusal(scope["method"], headers.get("host", ""), headers.get("origin"))
        if refused is not None:
            await _no(refused)(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    given.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, marked)


def _no(refused: Refusal) -> Response:
    error: dict[str, object] = {
        "code": "Refused",
        "what": refused.what,
        "where": None,
        "why": refused.why,
        "faults": [],
        "next": None,
    }
    return Response(json.dumps({"error": error}), 403, media_type="application/json")
