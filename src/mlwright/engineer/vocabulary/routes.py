"""The routes of a web service, as its decorators and registrations name them, and the functions that answer them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mlwright.engineer.facts.code import Call, Function, PythonFile
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.vocabulary.sides import WEB, serving_files

_VERBS: Final = frozenset(
    ("get", "post", "put", "patch", "delete", "route", "api_route", "add_url_rule", "add_api_route")
)
_PATH: Final = re.compile(r"^/[\w\-/{}<>:.]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route: its path, the call that registers it, and the function that answers where it can be told."""

    path: str
    file: PythonFile
    call: Call
    answers: Function | None


def routes(repository: Repository) -> Iterator[Route]:
    """The routes of the files that import a web framework."""
    for file in serving_files(repository, screens=False):
        if not file.imports_any(*WEB):
            continue
        for call in file.calls:
            if call.method in _VERBS and call.args and isinstance(call.args[0].value, str):
                path = call.args[0].value
                if _PATH.match(path) and not call.name.startswith(
                    ("requests.", "httpx.", "client.", "session.")
                ):
                    yield Route(path=path, file=file, call=call, answers=_below(file, call))


def _below(file: PythonFile, call: Call) -> Function | None:
    """The function that a decorator at this call stands over."""
    after = [each for each in file.functions if 0 <= each.line - call.line <= 6 and each.cell == call.cell]
    near = min(after, key=lambda each: each.line, default=None)
    return near if near is not None and any(name.endswith(call.method) for name in near.decorators) else None


def calls_in(file: PythonFile, function: Function) -> Iterator[Call]:
    """The calls in the body of a function (its decorators left out)."""
    for call in file.calls:
        if call.cell == function.cell and function.line < call.line <= function.end and call.scope:
            yield call
