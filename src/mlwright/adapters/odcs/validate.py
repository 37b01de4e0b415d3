"""Validate against the official JSON Schema, and say each fault once and in place."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, cast

from mlwright.adapters.odcs.document import Document, Place
from mlwright.errors import Fault, near_match

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_SCHEMA = "odcs-json-schema-v3.1.0.json"
_EXTRA = ("unevaluatedProperties", "additionalProperties")
_SHOWN = 60


@cache
def official_schema() -> Mapping[str, object]:
    """The JSON Schema of ODCS v3.1.0 as it was published."""
    text = files("mlwright.adapters.odcs").joinpath(_SCHEMA).read_text(encoding="utf-8")
    return cast("Mapping[str, object]", json.loads(text))


def schema_faults(document: Document) -> list[Fault]:
    """All that the schema finds wrong, in the order of the file, with near misses for unknown keys."""
    from jsonschema import Draft201909Validator  # 0.1 s that only reading a contract needs

    errors = list(Draft201909Validator(official_schema()).iter_errors(document.value))
    found: dict[tuple[Place, str], Fault] = {}
    for error in errors:
        if error.validator not in _EXTRA:
            for place, what, near in _plain(error):
                found.setdefault((place, what), Fault(where=document.where(place), what=what, near=near))
    for error in errors:
        if error.validator in _EXTRA:
            for place, what, near in _unknown_keys(error, {place for place, _ in found}):
                found.setdefault((place, what), Fault(where=document.where(place), what=what, near=near))
    return [found[key] for key in sorted(found, key=lambda key: (document.line(key[0]), len(key[0])))]


_Finding = tuple[Place, str, str | None]


def _plain(error: "ValidationError") -> Iterator[_Finding]:
    place = tuple(error.absolute_path)
    if error.validator == "required":
        absent = [key for key in cast("list[str]", error.validator_value) if key not in _instance(error)]
        yield from (((*place, key), "is missing", None) for key in absent)
    elif error.validator == "enum":
        allowed = [str(value) for value in cast("list[object]", error.validator_value)]
        near = near_match(str(error.instance), allowed)
        yield place, f"{error.instance!r} is none of {', '.join(allowed)}", near
    elif error.validator == "oneOf" and _is_operators(error.schema):
        operators = sorted(_known_keys(error.schema))
        given = [key for key in operators if key in _instance(error)]
        both = f"has {' and '.join(given)}; give one of them"
        yield place, both if given else f"needs one of {', '.join(operators)}", None
    else:
        short = f"{str(error.instance)[:_SHOWN]} … is not valid here"
        yield place, error.message if len(error.message) < 200 else short, None


def _unknown_keys(error: "ValidationError", faulty: set[Place]) -> Iterator[_Finding]:
    """Keys that no part of the schema knows.

    The library also reports known keys when another part of the same object is wrong; those are dropped,
    unless nothing else explains the error.
    """
    place = tuple(error.absolute_path)
    known = _known_keys(error.schema)
    unknown = [str(key) for key in _instance(error) if key not in known]
    for key in unknown:
        yield (*place, key), "is not a key of the standard here", near_match(key, known)
    explained = any(other[: len(place)] == place for other in faulty)
    if not unknown and not explained:
        keys = ", ".join(str(key) for key in _instance(error))
        hint = "; a rule with an operator needs 'metric'" if "mustBe" in known else ""
        yield place, f"the keys {keys} do not belong together{hint}", None


def _instance(error: "ValidationError") -> Mapping[str, object]:
    return cast("Mapping[str, object]", error.instance)


def _is_operators(schema: object) -> bool:
    return "mustBe" in _known_keys(schema)


def _known_keys(schema: object) -> set[str]:
    """All property names that any branch of the schema names for this object."""
    keys: set[str] = set()
    seen: set[int] = set()
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict) or id(part) in seen:
            continue
        seen.add(id(part))
        keys |= set(part.get("properties", ()))
        reference = part.get("$ref")
        if isinstance(reference, str):
            waiting.append(_resolve(reference))
        for word in ("allOf", "anyOf", "oneOf"):
            waiting += _as_list(part.get(word))
        waiting += [part.get("then"), part.get("else")]
    return keys


def _as_list(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else ()


def _resolve(reference: str) -> object:
    part: object = official_schema()
    for name in reference.removeprefix("#/").split("/"):
        part = cast("Mapping[str, object]", part)[name]
    return part
