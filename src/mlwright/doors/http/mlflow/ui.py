"""MLflow's own pages at ``/mlflow/``, served from the ``mlflow`` package where it is installed.

The package is found without being imported: that alone would take seconds and 170 MB. Its pages ask with addresses
relative to their own, so what they call stands below ``/mlflow/`` too (see ``table.py``).
"""

import asyncio
import importlib.util
import mimetypes
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from starlette.types import Receive, Scope, Send

from mlwright.doors.http.mlflow.bodies import read_body
from mlwright.doors.http.mlflow.call import Asked, Call, StreamCall
from mlwright.doors.http.mlflow.errors import Refused
from mlwright.doors.http.mlflow.graphql import answer_graphql
from mlwright.platform.tracking.facade import TrackingPlatform

BASE: Final = "mlflow"
_QUERY_BYTES: Final = 1 << 20

CONTENT_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        # Its charts and tables make functions out of text; scripts of other sites stay outside either way.
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' data: blob:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        # Artifacts that are pages themselves are shown in frames without an origin.
        "frame-src 'self' blob: data:",
        "manifest-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
        "base-uri 'none'",
    )
)

_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".cjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".ico": "image/x-icon",
    ".ttf": "font/ttf",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".eot": "application/vnd.ms-fontobject",
    ".txt": "text/plain; charset=utf-8",
}
_HASHED: Final = re.compile(r"\.[0-9a-f]{8,}\.")
"""A file whose name holds the hash of its content never changes."""

_MISSING: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>MLflow's pages are not installed</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem }
pre { padding: .75rem; background: #8882; overflow-x: auto }</style>
<h1>MLflow's pages are not installed</h1>
<p>They come with the full package <code>mlflow</code>, which mlwright does not need otherwise. Install it in the
environment of this server, and start the server again:</p>
<pre>pip install mlflow</pre>
<p>The pages of mlwright itself are <a href="/">here</a>.</p>
</html>
"""

_Header: TypeAlias = tuple[bytes, bytes]


def find_pages() -> Path | None:
    """The folder of MLflow's built pages; None where the package is not installed, or comes without them."""
    spec = importlib.util.find_spec("mlflow")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        folder = Path(place) / "server" / "js" / "build"
        if (folder / "index.html").is_file():
            return folder
    return None


def page_streams(find: Callable[[], Path | None] = find_pages) -> tuple[StreamCall, ...]:
    """The calls that serve the pages.

    Args:
        find: says where the built pages are.
    """

    async def serve_static(
        tracking: TrackingPlatform, rest: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        file = await asyncio.to_thread(_file_below, find(), rest)
        if file is None:
            raise Refused(404, "ENDPOINT_NOT_FOUND", "the pages have no such file")
        lasting = b"public, max-age=31536000, immutable" if _HASHED.search(file.name) else b"no-cache"
        await _send_file(scope, send, file, lasting)

    async def serve_index(
        tracking: TrackingPlatform, rest: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if rest:
            raise Refused(404, "ENDPOINT_NOT_FOUND", f"there is nothing at /{BASE}/{rest[:200]}")
        if not scope["path"].endswith("/"):
            # The pages ask relative to the folder they stand in.
            await _send(scope, send, 308, b"", [(b"location", f"/{BASE}/".encode())])
            return
        pages = await asyncio.to_thread(find)
        if pages is None:
            await _send(scope, send, 200, _MISSING.encode(), [_kind(".html")])
        else:
            await _send_file(scope, send, pages / "index.html", b"no-cache")

    return (
        StreamCall(methods=("GET",), prefix=f"{BASE}/static-files", serve=serve_static),
        StreamCall(methods=("POST",), prefix=f"{BASE}/graphql", serve=_serve_graphql),
        StreamCall(methods=("GET",), prefix=BASE, serve=serve_index),
    )


async def _serve_graphql(
    tracking: TrackingPlatform, rest: str, scope: Scope, receive: Receive, send: Send
) -> None:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    body = await read_body(receive, headers, _QUERY_BYTES)
    answer = await asyncio.to_thread(partial(answer_graphql, tracking, body))
    await _send(scope, send, 200, answer, [_kind(".json"), (b"cache-control", b"no-store")])


def _no_gateway(tracking: TrackingPlatform, asked: Asked) -> object:
    """The table of runs asks for language models to try prompts with, and complains aloud when it is refused."""
    return {"endpoints": []}


def _no_telemetry(tracking: TrackingPlatform, asked: Asked) -> object:
    """The pages send what their readers click on to their makers, unless they are told not to."""
    return {"disable_ui_telemetry": True, "disable_ui_events": [], "ui_rollout_percentage": 0}


def _file_below(pages: Path | None, rest: str) -> Path | None:
    if pages is None or not rest:
        return None
    root = pages.resolve()
    file = (root / rest).resolve()
    return file if file.is_relative_to(root) and file.is_file() else None


async def _send_file(scope: Scope, send: Send, file: Path, lasting: bytes) -> None:
    about = await asyncio.to_thread(file.stat)
    tag = f'"{about.st_size:x}-{about.st_mtime_ns:x}"'.encode()
    headers = [_kind(file.suffix), (b"etag", tag), (b"cache-control", lasting)]
    if dict(scope["headers"]).get(b"if-none-match") == tag:
        await _send(scope, send, 304, b"", headers)
    else:
        await _send(scope, send, 200, await asyncio.to_thread(file.read_bytes), headers)


async def _send(scope: Scope, send: Send, status: int, body: bytes, headers: list[_Header]) -> None:
    head = [
        *headers,
        (b"content-security-policy", CONTENT_POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _kind(ending: str) -> _Header:
    guessed = _TYPES.get(ending) or mimetypes.types_map.get(ending, "application/octet-stream")
    return b"content-type", guessed.encode()


STREAMS: Final[tuple[StreamCall, ...]] = page_streams()

CALLS: Final[tuple[Call, ...]] = (
    Call(method="GET", path="2.0/mlflow/gateway-proxy", handler=_no_gateway),
    Call(method="GET", path="3.0/mlflow/ui-telemetry", handler=_no_telemetry),
)
