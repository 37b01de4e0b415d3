"""Responses of bounded size: whoever answers without end is cut off before memory is full."""

from collections.abc import AsyncIterator

from httpx2 import AsyncBaseTransport, AsyncByteStream, ReadError, Request, Response


class _Bounded(AsyncByteStream):
    def __init__(self, inner: AsyncByteStream, most: int) -> None:
        self._inner = inner
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        async for chunk in self._inner:
            seen += len(chunk)
            if seen > self._most:
                raise ReadError(f"the response is longer than {self._most:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Transport(AsyncBaseTransport):
    def __init__(self, inner: AsyncBaseTransport, most: int) -> None:
        self._inner = inner
        self._most = most

    async def handle_async_request(self, request: Request) -> Response:
        response = await self._inner.handle_async_request(request)
        encoding = response.headers.get("content-encoding", "identity")
        if encoding != "identity":
            await response.aclose()
            # A small compressed body can be a huge one.
            raise ReadError(f"the response is encoded ({encoding}), which was not asked for")
        if isinstance(response.stream, AsyncByteStream):
            response.stream = _Bounded(response.stream, self._most)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def bounded(transport: AsyncBaseTransport, most: int) -> AsyncBaseTransport:
    """A transport whose responses raise ``ReadError`` after so many bytes."""
    return _Transport(transport, most)
