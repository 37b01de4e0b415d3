"""Which call answers a path: a look-up for fixed paths, a short list for paths with names in them, then prefixes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from mlwright.doors.http.mlflow.call import Call, StreamCall
from mlwright.doors.http.mlflow.errors import Refused

MIRRORS: Final = ("/api/", "/ajax-api/", "/mlflow/api/", "/mlflow/ajax-api/")
"""Where the calls stand: for clients, for the page at its own address, and both below the page mounted here."""

_PROTOCOL: Final = re.compile(r"/(?:mlflow/)?(?:ajax-api/|api/\d+\.\d+(?:/|mlflow))")

_ELSEWHERE: Final = (
    "2.0/mlflow/gateway-proxy",
    "2.0/mlflow/get-online-trace-details",
    "3.0/jobs",
    "3.0/mlflow/assistant",
    "3.0/mlflow/datasets",
    "3.0/mlflow/gateway",
    "3.0/mlflow/genai",
    "3.0/mlflow/issues",
    "3.0/mlflow/jobs",
    "3.0/mlflow/label-schemas",
    "3.0/mlflow/mcp",
    "3.0/mlflow/prompt-optimization",
    "3.0/mlflow/review-queues",
    "3.0/mlflow/scorers",
    "3.0/mlflow/skills",
    "3.0/mlflow/workspaces",
)
"""What MLflow's own server answers and this one does not."""


@dataclass(frozen=True, slots=True)
class Found:
    """A call, and what the names in its path stand for."""

    call: Call
    names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoundStream:
    """A streaming call, and the rest of the path."""

    stream: StreamCall
    rest: str


@dataclass(frozen=True, slots=True)
class _Templated:
    parts: tuple[tuple[str, bool], ...]
    """Text and whether it is a name."""
    methods: dict[str, Call]

    def names_in(self, segments: Sequence[str]) -> dict[str, str] | None:
        names: dict[str, str] = {}
        for (text, is_name), segment in zip(self.parts, segments, strict=True):
            if is_name:
                names[text] = segment
            elif text != segment:
                return None
        return names


class CallTable:
    """The calls of a server by path and method; made once."""

    def __init__(self, calls: Sequence[Call], streams: Iterable[StreamCall]) -> None:
        self._fixed: dict[str, dict[str, Found]] = {}
        templated: dict[tuple[tuple[str, bool], ...], _Templated] = {}
        for call in calls:
            if "{" not in call.path:
                for mirror in MIRRORS:
                    self._fixed.setdefault(mirror + call.path.lstrip("/"), {})[call.method] = Found(call)
            else:
                parts = _parts(call.path.strip("/"))
                templated.setdefault(parts, _Templated(parts, {})).methods[call.method] = call
        self._begun = {
            mirror + call.path.lstrip("/").partition("/{")[0] for call in calls for mirror in MIRRORS
        }
        self._templated: dict[int, list[_Templated]] = {}
        for each in templated.values():
            self._templated.setdefault(len(each.parts), []).append(each)
        self._prefixes = sorted(
            ((prefix, stream) for stream in streams for prefix in _mirrored(stream.prefix)),
            key=lambda each: -len(each[0]),
        )

    def find(self, method: str, path: str, raw_path: bytes) -> Found | FoundStream | None:
        """What answers; None where the path is no part of the protocol. HEAD asks what GET would answer.

        Args:
            method: in capitals.
            path: percent-decoded.
            raw_path: as it came; a name in it may hold an encoded slash.

        Raises:
            Refused: it is of the protocol, and cannot be answered.
        """
        method = "GET" if method == "HEAD" else method
        fixed = self._fixed.get(path)
        if fixed is not None and method in fixed:
            return fixed[method]
        _refuse_hostile(path, raw_path)
        allowed = set(fixed or ())
        found = self._find_templated(method, raw_path, allowed) or self._find_stream(method, path, allowed)
        if found is not None:
            return found
        if allowed:
            raise _wrong_method(method, path, allowed)
        if _PROTOCOL.match(path) is None:
            return None
        if any(_below(path, mirror + each) for mirror in MIRRORS for each in _ELSEWHERE):
            raise Refused(
                501,
                "NOT_IMPLEMENTED",
                f"mlwright does not offer {path}; MLflow's own server does: mlflow server",
            )
        raise Refused(404, "ENDPOINT_NOT_FOUND", f"there is no call {method} {path}")

    def offers(self, path: str) -> bool:
        """Whether a call stands at this path, which begins with a slash, or just below it."""
        return path in self._begun or any(_below(path, prefix) for prefix, _ in self._prefixes)

    def _find_templated(self, method: str, raw_path: bytes, allowed: set[str]) -> Found | None:
        raw = raw_path.decode("latin-1")
        mirror = next((each for each in MIRRORS if raw.startswith(each)), None)
        if mirror is None:
            return None
        # Cut before it is decoded: %2F in a name is not a border.
        segments = [unquote(each) for each in raw[len(mirror) :].split("/")]
        for each in self._templated.get(len(segments), ()):
            names = each.names_in(segments)
            if names is not None and all(names.values()):
                call = each.methods.get(method)
                if call is not None:
                    return Found(call, names)
                allowed.update(each.methods)
        return None

    def _find_stream(self, method: str, path: str, allowed: set[str]) -> FoundStream | None:
        protocol = _PROTOCOL.match(path) is not None
        for prefix, stream in self._prefixes:
            # The page below /mlflow answers nothing of the protocol.
            if _below(path, prefix) and (not protocol or _PROTOCOL.match(f"{prefix}/")):
                if method in stream.methods:
                    return FoundStream(stream, path[len(prefix) :].removeprefix("/"))
                allowed.update(stream.methods)
        return None


def _parts(path: str) -> tuple[tuple[str, bool], ...]:
    return tuple(
        (each[1:-1], True) if each.startswith("{") and each.endswith("}") else (each, False)
        for each in path.split("/")
    )


def _mirrored(prefix: str) -> list[str]:
    """All places of a prefix; without its last slash."""
    place = "/" + prefix.strip("/")
    for mirror in ("/api/", "/ajax-api/"):
        if place.startswith(mirror):
            return [each + place.removeprefix(mirror) for each in MIRRORS]
    return [place]


def _below(path: str, prefix: str) -> bool:
    return path.startswith(prefix) and (
        len(path) == len(prefix) or path[len(prefix)] == "/" or prefix.endswith("/")
    )


def _refuse_hostile(path: str, raw_path: bytes) -> None:
    """No name and no file has such a path; below a folder it would lead out of it."""
    if "\0" in path or ".." in path.replace("\\", "/").split("/"):
        raise Refused(400, "INVALID_PARAMETER_VALUE", "Invalid path")
    if "\ufffd" in path:
        try:
            unquote(raw_path.decode("latin-1"), errors="strict")
        except UnicodeDecodeError:
            raise Refused(400, "INVALID_PARAMETER_VALUE", "Invalid path: it is not UTF-8") from None


def _wrong_method(method: str, path: str, allowed: set[str]) -> Refused:
    allow = tuple(sorted(allowed | ({"HEAD"} if "GET" in allowed else set()) | {"OPTIONS"}))
    return Refused(405, "BAD_REQUEST", f"{path} answers {', '.join(allow)}, not {method}", allow=allow)
