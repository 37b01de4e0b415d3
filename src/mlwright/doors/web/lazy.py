"""The pages for a process that shall start without them: what they need is loaded when somebody asks for one."""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from mlwright.platform.tracking.facade import TrackingPlatform


class LazyPages:
    """An ASGI application that becomes ``tracked.build_pages`` with the first request."""

    def __init__(self, tracking: TrackingPlatform) -> None:
        self._tracking = tracking
        self._pages: ASGIApp | None = None
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        async with self._lock:
            if self._pages is None:
                self._pages = await asyncio.to_thread(self._build)
        await self._pages(scope, receive, send)

    def _build(self) -> ASGIApp:
        from mlwright.doors.web.tracked import build_pages

        return build_pages(self._tracking)
