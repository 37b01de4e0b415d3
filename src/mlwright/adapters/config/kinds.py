"""The kinds of values in ``mlwright.toml``: how each is written, and what it must be."""

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
)

from mlwright.model.durations import parse_duration
from mlwright.model.rollouts import RolloutStep

_DURATION = r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*$"
_STEP = re.compile(r"\s*(?:(shadow)|(\d+(?:\.\d+)?)\s*%)(?:\s+(\S+))?\s*")
_SCHEDULES = ("schedule:daily", "schedule:weekly", "schedule:monthly")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} must be text in quotes")
    return value


def _duration(value: object) -> timedelta:
    span = parse_duration(_text(value))
    if span <= timedelta(0):
        raise ValueError(f"{value!r} must be longer than nothing")
    return span


def _cadence(value: object) -> timedelta | None:
    if _text(value) == "off":
        return None
    span = _duration(value)
    if span < timedelta(days=1):
        raise ValueError(f"{value!r} must be '1d' or longer, or 'off'")
    return span


def _step(value: object) -> RolloutStep:
    found = _STEP.fullmatch(_text(value))
    if not found:
        raise ValueError(f"{value!r} is not a step: write 'shadow 3d' or '10% 2d'")
    share = 0.0 if found[1] else float(found[2]) / 100.0
    if not found[1] and not 0.0 < share <= 1.0:
        raise ValueError(f"the share of {value!r} must be above 0% and at most 100%")
    return RolloutStep(share=share, at_least=_duration(found[3]) if found[3] else timedelta(0))


def _percent(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        share = float(value)
    else:
        found = re.fullmatch(r"\s*\+?(\d+(?:\.\d+)?)\s*%\s*", _text(value))
        if not found:
            raise ValueError(f"{value!r} is not a share: write '20%' or 0.2")
        share = float(found[1]) / 100.0
    if share < 0:
        raise ValueError(f"{value!r} must not be negative")
    return share


def _trigger(value: object) -> str:
    word = _text(value)
    known = ("performance", "drift", "data", *_SCHEDULES)
    if word not in known:
        raise ValueError(f"{word!r} is none of {', '.join(known)}")
    return word


def _approval(value: object) -> str:
    word = _text(value)
    known = ("auto", "manual", "manual:performance", "manual:drift", "manual:data", "manual:schedule")
    head, _, triggers = word.partition(":")
    parts = [f"{head}:{each}" for each in triggers.split(",")] if triggers else [word]
    for part in parts:
        if part not in known:
            raise ValueError(f"{part!r} is none of {', '.join(known)}")
    return word


def _history(value: object) -> str:
    word = _text(value)
    if word != "all":
        _duration(word)
    return word


def _reference(value: object) -> str:
    word = _text(value)
    if not re.fullmatch(r"[A-Za-z0-9_.-]+@[A-Za-z][A-Za-z0-9_.-]*", word):
        raise ValueError(f"{word!r} is not a model and its alias: write 'flight-delay@champion'")
    return word


def _advisor(value: object) -> str:
    word = _text(value)
    if not re.fullmatch(r"[a-z][a-z0-9-]*:[^\s:][^\s]*", word):
        raise ValueError(f"{word!r} is not a provider and its model: write 'openai:gpt-5'")
    return word


def _secret_reference(value: object) -> str:
    word = _text(value)
    if not re.fullmatch(r"(env|file):\S.*", word):
        # The text may be the key itself: it is not repeated.
        raise ValueError(
            "must say where the key is, not what it is: write 'env:OPENAI_API_KEY' or 'file:PATH'"
        )
    return word


def _key_file(value: object) -> str:
    word = _text(value)
    if not re.fullmatch(r"file:\S.*", word):
        # The text may be the key itself: it is not repeated.
        raise ValueError("must say in which file the key is: write 'file:PATH'")
    return word


def _provider_url(value: object) -> str:
    url = _text(value)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise ValueError("is not an http or https URL without user and password")
    if parts.scheme == "http" and not _is_inside(parts.hostname):
        raise ValueError("would send the key and the facts in the clear: use https, or http on this machine")
    return url


def _is_inside(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _loopback(value: object) -> str:
    host = _text(value)
    if not _is_inside(host):
        raise ValueError(
            f"{host!r} would be open to others, and there are no tokens yet: use 127.0.0.1, ::1 or localhost"
        )
    return host


def _bytes(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        found = re.fullmatch(r"\s*(\d+)\s*(KiB|MiB|GiB)\s*", _text(value))
        if not found:
            raise ValueError(f"{value!r} is not a size: write '8MiB' or a number of bytes")
        size = int(found[1]) << {"KiB": 10, "MiB": 20, "GiB": 30}[found[2]]
    if not 1024 <= size <= 1 << 34:
        raise ValueError(f"{value!r} must be between 1KiB and 16GiB")
    return size


Size = Annotated[
    int,
    PlainValidator(_bytes),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\s*\d+\s*(KiB|MiB|GiB)\s*$"},
                {"type": "integer", "minimum": 1024},
            ]
        }
    ),
]
Duration = Annotated[
    timedelta,
    PlainValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": _DURATION, "examples": ["6h", "14d"]}),
]
Cadence = Annotated[
    timedelta | None,
    PlainValidator(_cadence),
    WithJsonSchema(
        {"type": "string", "pattern": rf"^off$|{_DURATION}", "examples": ["7d", "28d", "off"]},
    ),
]
Step = Annotated[
    RolloutStep,
    PlainValidator(_step),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*(shadow|\d+(\.\d+)?\s*%)(\s+\S+)?\s*$",
            "examples": ["shadow 3d", "10% 2d"],
        }
    ),
]
Percent = Annotated[
    float,
    PlainValidator(_percent),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\s*\+?\d+(\.\d+)?\s*%\s*$"},
                {"type": "number", "minimum": 0},
            ]
        }
    ),
]
Trigger = Annotated[
    str,
    PlainValidator(_trigger),
    WithJsonSchema({"type": "string", "enum": ["performance", "drift", "data", *_SCHEDULES]}),
]
Approval = Annotated[
    str,
    PlainValidator(_approval),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^(auto|manual(:(performance|drift|data|schedule)(,(performance|drift|data|schedule))*)?)$",
        }
    ),
]
History = Annotated[
    str,
    PlainValidator(_history),
    WithJsonSchema({"type": "string", "pattern": r"^(all|\s*\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*)$"}),
]
ModelAtAlias = Annotated[str, BeforeValidator(_reference), Field(examples=["flight-delay@champion"])]
Host = Annotated[str, BeforeValidator(_loopback)]
ProviderModel = Annotated[str, BeforeValidator(_advisor), Field(examples=["openai:gpt-5"])]
ProviderUrl = Annotated[str, BeforeValidator(_provider_url)]
SecretReference = Annotated[str, BeforeValidator(_secret_reference), Field(examples=["env:OPENAI_API_KEY"])]
KeyFile = Annotated[str, BeforeValidator(_key_file), Field(examples=["file:model.pub"])]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=64)]
ColumnName = Annotated[str, Field(min_length=1)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Table(BaseModel):
    """A table of the file: unknown keys are faults, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
