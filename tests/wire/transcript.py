"""What a client and a server said to each other, in a form that two servers can be compared by.

Ids, instants and places differ from server to server and run to run: each is replaced by a name for what it is,
numbered by its first appearance, so that two transcripts agree where the same thing was said about the same thing.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

# What a value means is told by its key (the number of milliseconds since 1970 says nothing by itself).
_INSTANT = re.compile(
    r"(_time|_timestamp|_timestamp_ms|_time_ms|^timestamp|_timestamp_millis|_date|_unix_nano)$"
)
_ID = re.compile(
    r"\b(?:(?P<model>m-[0-9a-f]{32})|(?P<trace>tr-[0-9a-f]{32})|(?P<assessment>a-[0-9a-f]{32})|(?P<run>[0-9a-f]{32})"
    r"|(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}))\b"
)
_VOLATILE = frozenset(
    "user_id span_id parent_span_id execution_duration execution_duration_ms mlflow.trace.sizeBytes assessment_id"
    " mlflow.trace.sizeStats next_page_token".split()
)


class Recorder:
    """Keeps every request of this process that goes to one server, with its answer."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self.said: list[dict[str, Any]] = []

    def __enter__(self) -> "Recorder":
        self._send = requests.Session.send
        recorder = self

        def send(
            session: requests.Session, request: requests.PreparedRequest, **options: Any
        ) -> requests.Response:
            answer = recorder._send(session, request, **options)
            if (request.url or "").startswith(recorder._uri):
                recorder.said.append(_exchange(request, answer))
            return answer

        requests.Session.send = send  # type: ignore[method-assign,assignment]
        return self

    def __exit__(self, *fault: object) -> None:
        requests.Session.send = self._send  # type: ignore[method-assign]


def _exchange(request: requests.PreparedRequest, answer: requests.Response) -> dict[str, Any]:
    kind, path = answer.headers.get("Content-Type", ""), urlsplit(request.url or "").path
    body: Any = None
    # The bytes of an artifact are the client's to read.
    if "json" in kind and "mlflow-artifacts/artifacts/" not in path:
        body = json.loads(answer.content or b"null")
    return {
        "method": request.method,
        "path": path,
        "status": answer.status_code,
        "body": body,
    }


class Names:
    """Replaces what differs between two servers by what it is."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def of(self, value: Any, key: str = "") -> Any:
        """The same value with ids, instants and addresses replaced."""
        if isinstance(value, Mapping):
            return {str(self.of(name)): self.of(each, str(name)) for name, each in sorted(value.items())}
        if isinstance(value, list):
            return [self.of(each, key) for each in value]
        if key in _VOLATILE or (key == "trace_id" and not str(value).startswith("tr-")):
            return f"<{key}>"
        if isinstance(value, str):
            return self._text(value, key)
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and _INSTANT.search(key)
            and value > 1e11
        ):
            return "<instant>"
        return value

    def _text(self, text: str, key: str) -> str:
        if key == "value" and text[:2] in ('{"', "[{"):  # JSON within JSON: the history of models, a schema
            try:
                return json.dumps(self.of(json.loads(text)), sort_keys=True)
            except ValueError:
                pass
        if _INSTANT.search(key) and re.match(r"\d{12,}$|\d{4}-\d\d-\d\d[T ]", text):
            return "<instant>"
        text = re.sub(r"https?://(127\.0\.0\.1|localhost):\d+", "<server>", text)
        text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?", "<instant>", text)
        return _ID.sub(lambda found: self._name(found), text)

    def _name(self, found: re.Match[str]) -> str:
        kind = next(kind for kind, text in found.groupdict().items() if text)
        return self._ids.setdefault(
            found[0], f"<{kind} {1 + sum(each.startswith(f'<{kind} ') for each in self._ids.values())}>"
        )


def differences(theirs: Any, ours: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every place at which two values differ: its path, theirs, ours."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted({*theirs, *ours}):
            yield from differences(theirs.get(key, "<absent>"), ours.get(key, "<absent>"), f"{at}.{key}")
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for number, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            yield from differences(one, other, f"{at}[{number}]")
    elif theirs != ours and not (theirs != theirs and ours != ours):
        yield at, theirs, ours


def in_order(value: Any) -> Any:
    """Lists whose order means nothing (params, tags, metrics, files, aliases) sorted by what identifies their items."""
    if isinstance(value, dict):
        return {key: in_order(each) for key, each in value.items()}
    if isinstance(value, list):
        items = [in_order(each) for each in value]
        if items and all(isinstance(each, dict) and "method" in each for each in items):
            # By call, each call in its own order: the client asks some of them on several threads at once.
            return sorted(items, key=lambda each: (each["path"], each["method"]))
        for name in ("key", "path", "alias"):
            if items and all(isinstance(each, dict) and name in each for each in items):
                return sorted(items, key=lambda each: (str(each[name]), json.dumps(each, sort_keys=True)))
        return items
    return value
