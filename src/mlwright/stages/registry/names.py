"""What models, aliases, tags and stages may be called. The words of the faults are those of MLflow's own server."""

import json
import posixpath
import re
from typing import Final

from mlwright.errors import UsageError
from mlwright.model.registry import VersionStage

# "/", "@", ":" and control characters have a meaning elsewhere; spaces may only be inside.
_NAME: Final = re.compile(r"[^\s/@:\x00-\x1f]([^/@:\x00-\x1f]*[^\s/@:\x00-\x1f])?")
_ALIAS: Final = re.compile(r"[\w\-]+")
_VERSION_ALIAS: Final = re.compile(r"[vV]\d+")
_KEY: Final = re.compile(r"[/\w.\- :]*")

_ALIAS_LENGTH: Final = 255
_NAME_LENGTH: Final = 256
_KEY_LENGTH: Final = 250
_VALUE_LENGTH: Final = 100_000
_PROMPT_TEXT: Final = "mlflow.prompt.text"

LATEST: Final = "latest"
"""The alias that nobody sets: it is the newest version."""

_STAGES: Final = {stage.lower(): stage for stage in VersionStage}


def check_model_name(name: str, parameter: str = "name") -> None:
    """Refuse a name that could not be used in a reference such as ``name/3``, or as the name of a folder.

    Raises:
        UsageError: it is one.
    """
    if not name.strip():
        raise UsageError(f"Missing value for required parameter '{parameter}'.")
    if "/" in name or ":" in name:
        raise UsageError(f"Invalid model name '{name}'. Names cannot contain '/' or ':'.")
    if posixpath.normpath(name) != name or name in {".", ".."} or name.startswith(".."):
        raise UsageError(
            f"Invalid value {json.dumps(name)} for parameter 'name' supplied: it would be another name as a folder"
        )
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a model",
            why="'/', '@', ':' and control characters have a meaning elsewhere; spaces may only be inside",
        )
    _check_length("name", name, _NAME_LENGTH)


def check_alias(alias: str, *, new: bool = True) -> None:
    """Refuse an alias that no client of the MLflow protocol could ask for; a new one must not be reserved.

    Raises:
        UsageError: it is empty, has other characters than letters, digits, ``_`` and ``-``, or is reserved.
    """
    if not alias:
        raise UsageError("Registered model alias name cannot be empty.")
    if not _ALIAS.fullmatch(alias):
        raise UsageError(
            f"Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )
    _check_length("Registered model alias name", alias, _ALIAS_LENGTH)
    if new and alias.lower() == LATEST:
        raise UsageError("'latest' alias name (case insensitive) is reserved.")
    if new and _VERSION_ALIAS.fullmatch(alias):
        raise UsageError(f"Version alias name '{alias}' is reserved.")


def check_tag(key: str, value: str = "") -> None:
    """Refuse a tag whose key could not be the name of a file, or that is too long.

    Raises:
        UsageError: it is one.
    """
    if not _KEY.fullmatch(key):
        raise UsageError(
            f"Invalid value {json.dumps(key)} for parameter 'key' supplied: Names may only contain alphanumerics, "
            "underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."
        )
    norm = posixpath.normpath(key)
    if norm != key or norm == "." or norm.startswith(("..", "/")):
        raise UsageError(
            f"Invalid value {json.dumps(key)} for parameter 'key' supplied: Names may be treated as files in certain "
            f"cases, and must not resolve to other names when treated as such. This name would resolve to {norm!r}"
        )
    _check_length("key", key, _KEY_LENGTH)
    if key == _PROMPT_TEXT and len(value) > _VALUE_LENGTH:
        raise UsageError(f"Prompt text exceeds max length of {_VALUE_LENGTH} characters.")
    _check_length("value", value, _VALUE_LENGTH)


def parse_version(text: str) -> int:
    """The number of a version as a client wrote it.

    Raises:
        UsageError: it is none.
    """
    try:
        number = int(text)
    except ValueError:
        raise UsageError(f"Parameter 'version' must be an integer, got '{text}'.") from None
    # Beyond this no column could hold it; no version has such a number.
    return number if abs(number) < 2**31 else 0


def parse_stage(text: str) -> VersionStage:
    """One of MLflow's stages, in letters of any case.

    Raises:
        UsageError: there is no such stage.
    """
    stage = _STAGES.get(text.lower())
    if stage is None:
        known = ", ".join(VersionStage)
        raise UsageError(f"Invalid Model Version stage: {text}. Value must be one of {known}.")
    return stage


def _check_length(what: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise UsageError(f"'{what}' exceeds the maximum length of {limit} characters")
