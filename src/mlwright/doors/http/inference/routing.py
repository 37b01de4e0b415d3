"""Who answers which path: exact paths in one dictionary, patterns for the rest."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mlwright.doors.http.inference.exchange import Handler, Reply, Request, Response
from mlwright.doors.http.inference.rendering import refused
from mlwright.errors import near_match

_MOST_EXACT: Final = 4096
_PLACE: Final = re.compile(r"\{(\w+)\}")
_BODY_OF_NOBODY: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Target:
    """Who answers a call, and how large its body may be."""

    handler: Handler
    body_bytes: int
    refusal: Response | None = None
    """What a call gets that there is not: its body is not waited for where it is large."""

    def too_large(self) -> Response:
        """The answer to a body that is larger."""
        if self.refusal is not None:
            return self.refusal
        most = self.body_bytes
        size = f"{most >> 20} MiB" if most >= 1 << 20 else f"{most} bytes"
        return refused(413, f"the body is larger than {size}; send fewer rows a request")


Make = Callable[[Mapping[str, str]], Target | None]
"""Builds the target of a path from the parts that its pattern names; None: there is none, and nothing is kept."""


class Router:
    """Finds targets. Patterns are met once: the path that matched one becomes an exact one."""

    def __init__(self) -> None:
        self._exact: dict[str, dict[str, Target]] = {"GET": {}, "POST": {}}
        self._patterns: list[tuple[str, str, re.Pattern[str], Make]] = []
        self._met = 0

    def add(self, method: str, path: str, target: Target) -> None:
        """Answer one exact path."""
        self._exact[method][path] = target

    def match(self, method: str, pattern: str, make: Make) -> None:
        """Answer all paths of a pattern, in which a name in braces stands for one part of a path."""
        parts = _PLACE.split(pattern)
        regex = "".join(
            f"(?P<{part}>[^/:]+)" if place % 2 else re.escape(part) for place, part in enumerate(parts)
        )
        self._patterns.append((method, pattern, re.compile(regex), make))

    def find(self, method: str, path: str) -> Target:
        """Who answers: also where nobody does, with 404 and the nearest path, or 405 and what is allowed."""
        if method == "HEAD":
            method = "GET"
        exact = self._exact.get(method)
        if exact is not None:
            found = exact.get(path)
            if found is not None:
                return found
            for each, _, regex, make in self._patterns:
                if each == method and (matched := regex.fullmatch(path)) is not None:
                    return self._made(exact, path, matched.groupdict(), make)
        return self._nobody(method, path)

    def _made(self, exact: dict[str, Target], path: str, named: Mapping[str, str], make: Make) -> Target:
        target = make(named)
        if target is None:
            return refusing(refused(404, f"there is nothing at {path[:200]!r}"))
        if target.refusal is None and self._met < _MOST_EXACT:
            self._met += 1
            exact[path] = target
        return target

    def _nobody(self, method: str, path: str) -> Target:
        allowed = [each for each, exact in self._exact.items() if path in exact]
        allowed += [each for each, _, regex, _ in self._patterns if regex.fullmatch(path)]
        if allowed:
            names = sorted({*allowed, "HEAD"} if "GET" in allowed else set(allowed))
            return refusing(
                refused(
                    405,
                    f"{method} is not offered at {path[:200]!r}; {', '.join(names)} is",
                    (("allow", ", ".join(names)),),
                )
            )
        known = [*self._exact["GET"], *self._exact["POST"], *(pattern for _, pattern, _, _ in self._patterns)]
        near = near_match(path, known) if len(path) < 200 else None
        hint = f"; did you mean {near}?" if near else ""
        return refusing(refused(404, f"there is nothing at {path[:200]!r}{hint}"))


def refusing(response: Response) -> Target:
    """A target that answers only with that response."""

    def answer(_: Request, reply: Reply) -> None:
        reply(response)

    return Target(answer, _BODY_OF_NOBODY, response)
