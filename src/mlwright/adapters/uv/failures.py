"""What uv says when it cannot install something, as faults that name the package."""

import re
from collections.abc import Sequence
from typing import Final

from mlwright.errors import EnvironmentFailed, EnvironmentUndecided, Fault

_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?"
_SPEC: Final = rf"{_NAME}(?:\{{[^}}]*\}})?[^\s,]*(?:,[<>=!~][^\s,]*)*"

_UNKNOWN: Final = re.compile(rf"({_NAME}) was not found in the package registry")
_NO_VERSION: Final = re.compile(
    rf"(?:there (?:is|are) no versions? of|only the following versions of) ({_SPEC})|"
    rf"only ({_SPEC}) is available and you require ({_SPEC})"
)
_DEPENDS: Final = re.compile(rf"({_SPEC}) depends on ({_SPEC})(?:,? and you require ({_SPEC}))?")
_REQUIRE: Final = re.compile(rf"you require ({_SPEC})")
_NO_WHEEL: Final = re.compile(
    rf"({_SPEC}) has no (?:usable wheels|wheels with a matching|wheels are available)"
    rf"|Building source distributions (?:for ({_SPEC}) )?is disabled"
    rf"|({_NAME}) (?:is|was) not (?:built|compatible)"
)
_PYTHON: Final = re.compile(
    r"(?:current|requested) Python version \(([^)]+)\) does not satisfy (Python[^\s,]+(?:,[<>=!~][^\s,]*)*)"
)
_NETWORK: Final = re.compile(
    r"Failed to fetch|error sending request|dns error|client error|timed? ?out|Connection (?:refused|reset)"
    r"|network was disabled|not found in the cache|HTTP status (?:server error|client error \((?:401|403|407|429))",
    re.IGNORECASE,
)
_DISK: Final = re.compile(r"No space left on device|os error 28|Permission denied|Read-only file system")
_ADDRESS: Final = re.compile(r"(\b[a-z+]+://)[^\s/@]+@")
_TOLD: Final = 2_000


def failure(said: str, requirements: Sequence[str]) -> EnvironmentFailed:
    """The error for what uv wrote to stderr while it installed ``requirements``."""
    text = _ADDRESS.sub(r"\1…@", said)
    why = " ".join(text.split())[:_TOLD]
    if _NETWORK.search(text) or _DISK.search(text):
        reason = (
            "no package index could be reached" if _NETWORK.search(text) else "there is no room or no right"
        )
        return EnvironmentUndecided(f"the packages could not be fetched: {reason}", why=why)
    flat = " ".join(text.split())
    faults = [*_unknown(flat), *_versions(flat), *_pythons(flat)]
    wheels = _wheels(flat)
    if wheels and not faults:
        return EnvironmentUndecided(
            f"{_joined(wheels)} would have to be built from source, which is not done here",
            why=why,
            faults=[Fault(where=each, what="has no wheel for this Python and system") for each in wheels],
        )
    faults += _clashes(flat) if not faults else []
    if not faults and "Couldn't parse requirement" in flat:
        faults = [Fault(where="requirements", what=flat.partition("cause: ")[2][:300] or "cannot be read")]
    what = "; ".join(f"{each.where} {each.what}" for each in faults) or "uv cannot install the requirements"
    return EnvironmentFailed(what, why=why, faults=faults)


def _unknown(text: str) -> list[Fault]:
    names = dict.fromkeys(_UNKNOWN.findall(text))
    return [Fault(where=name, what="is the name of no package that the index knows") for name in names]


def _versions(text: str) -> list[Fault]:
    found: dict[str, str] = {}
    for match in _NO_VERSION.finditer(text):
        spec = match[1] or match[3]
        found.setdefault(spec, "is a version that does not exist")
    return [Fault(where=spec, what=what) for spec, what in found.items()]


def _pythons(text: str) -> list[Fault]:
    match = _PYTHON.search(text)
    if match is None:
        return []
    needs = _DEPENDS.search(text)
    names = [each[0] for each in _DEPENDS.findall(text) if each[1].startswith("Python")]
    where = names[0] if names else needs[1] if needs else "requirements"
    return [Fault(where=where, what=f"needs {match[2]}, and the model's Python is {match[1]}")]


def _wheels(text: str) -> list[str]:
    found = [next(filter(None, groups), "a package") for groups in _NO_WHEEL.findall(text)]
    return list(dict.fromkeys(found))


def _clashes(text: str) -> list[Fault]:
    """One fault a sentence ``A depends on B`` that something else among the requirements contradicts."""
    wanted = {_package(each): each for each in _REQUIRE.findall(text)}
    faults: dict[str, Fault] = {}
    for who, needs, _ in _DEPENDS.findall(text):
        other = wanted.get(_package(needs))
        bare = re.sub(r"\{[^}]*\}", "", needs)
        said = f"needs {bare}" + (f", and the model requires {other}" if other and other != who else "")
        faults[who + bare] = Fault(where=who, what=said)
    named = [each for each in faults.values() if "and the model requires" in each.what]
    return named or list(faults.values())


def _package(spec: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+?(?=[\[{<>=!~]|$)", spec)
    return re.sub(r"[-_.]+", "-", name[0] if name else spec).lower()


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
