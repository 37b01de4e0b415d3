"""The engineer's calls of the JSON interface: it looks at the project that is served, and at nothing else.

Nothing is written here: a fix changes files that a person should see first, which the command line shows.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from mlwright.doors.http.control.asked import Asked
from mlwright.errors import BadRequest
from mlwright.platform.facade import Platform

if TYPE_CHECKING:
    from mlwright.engineer.engineer import Engineer


def _engineer() -> "Engineer":
    # Scanners and probes take a third of a second, which a process that nobody asks this need not pay.
    from mlwright.wiring.engineer import open_engineer

    return open_engineer()


def _assessment(platform: Platform, asked: Asked) -> object:
    return _engineer().assess(platform.parts.settings.root)[0]


def _review(platform: Platform, asked: Asked) -> object:
    return _engineer().review(platform.parts.settings.root)[0]


def _answer(platform: Platform, asked: Asked) -> object:
    question = asked.query.get("question", "").strip()
    if not question:
        raise BadRequest(
            "ask something: ?question=what+is+next", where="?question", next_command="mlwright ask"
        )
    return _engineer().ask(question, platform.parts.settings.root)


def _probes(platform: Platform, asked: Asked) -> object:
    engineer = _engineer()
    return [_said(engineer, id) for id in engineer.probes]


def _said(engineer: "Engineer", id: str) -> dict[str, object]:
    probe = engineer.probe(id)
    words = (
        "id",
        "title",
        "why",
        "remedy",
        "when",
        "severity",
        "effort",
        "after",
        "elsewhere",
        "fix",
        "source",
    )
    return {word: getattr(probe, word) for word in words}


def _fixes(platform: Platform, asked: Asked) -> object:
    ids = [each for each in asked.query.get("ids", "").split(",") if each]
    return _engineer().plan_fixes(platform.parts.settings.root, ids)


ENGINEER: Final[Mapping[str, Callable[[Platform, Asked], object]]] = {
    "/engineer/assessment": _assessment,
    "/engineer/review": _review,
    "/engineer/answer": _answer,
    "/engineer/probes": _probes,
    "/engineer/probes/{id}": lambda p, a: _said(_engineer(), a.path["id"]),
    "/engineer/fixes": _fixes,
}
"""Path → what the engineer says. Each look reads the project's files anew."""
