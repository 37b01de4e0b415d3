"""What keys and texts of experiments and runs may be, as the MLflow protocol has it."""

import posixpath
import re
import secrets
from collections.abc import Iterable
from typing import Final

from mlwright.errors import UsageError

KEY_LIMIT: Final = 250
"""Letters of a key, as every MLflow client knows it."""
TEXT_LIMIT: Final = 1 << 20
"""Letters of a value. MLflow stops at 6,000 (param) and 8,000 (tag); clients that were made for more may send more."""
NAME_LIMIT: Final = 500
ROOT_LIMIT: Final = 2048

_KEY = re.compile(r"[/\w.\- :]*")
_TRAITS: Final = (
    "able adept agile ample bold brave brisk bright calm candid clear clever crisp deft eager fair fleet fond frank"
    " gentle glad grand hardy honest humble jolly keen kind lively lucid merry mild neat noble patient placid polite"
    " proud quick quiet rapid ready serene shrewd sleek smooth steady stoic sunny swift tidy upbeat vivid wary wise"
).split()
_ANIMALS: Final = (
    "auk bear bee bison boar carp cat cod colt crab crane crow deer dog dove duck eel elk emu ewe fawn finch fish fly"
    " fox frog gnat gnu goat goose gull hare hawk hen heron ibex jay kit koi lamb lark lion loon lynx mare mink mole"
    " moth mouse newt owl ox perch pike pony quail ram ray robin rook seal shad shark shrew snail stork swan toad trout"
).split()


def check_key(what: str, key: str) -> str:
    """The key, when it can be one of a param, a metric or a tag.

    Args:
        what: the field that holds it, for the error.
        key: the key.

    Raises:
        UsageError: it is empty, too long, has letters that paths cannot have, or would be another name as a path.
    """
    if not key:
        raise UsageError(f"Missing value for required parameter '{what}'.")
    if _KEY.fullmatch(key) is None:
        raise UsageError(
            f"Invalid value {key!r} for parameter '{what}' supplied: Names may only contain alphanumerics,"
            " underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."
        )
    plain = posixpath.normpath(key)
    if plain != key or plain == "." or plain.startswith(("..", "/")):
        raise UsageError(
            f"Invalid value {key!r} for parameter '{what}' supplied: Names may be treated as files in certain cases,"
            f" and must not resolve to other names when treated as such. This name would resolve to {plain!r}"
        )
    return check_length(what, key, KEY_LIMIT)


def check_length(what: str, text: str, limit: int) -> str:
    """The text, when it is short enough.

    Raises:
        UsageError: it has more letters than ``limit``.
    """
    if len(text) > limit:
        raise UsageError(f"'{what}' exceeds the maximum length of {limit} characters")
    return text


def check_pairs(what: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Check keys and values of params or tags.

    Raises:
        UsageError: a key cannot be one, or a value is too long.
    """
    for key, value in pairs:
        check_key("key", key)
        check_length(f"{what} value", value, TEXT_LIMIT)


def check_experiment_name(name: str) -> str:
    """The name, when an experiment can have it.

    Raises:
        UsageError: it is empty or too long.
    """
    if not name:
        raise UsageError(f"Invalid experiment name: {name!r}")
    return check_length("name", name, NAME_LIMIT)


def check_root(root: str) -> str:
    """The place for artifacts that a client chose, when it can be one.

    Raises:
        UsageError: it is too long, refers to a run, or leaves its own folder.
    """
    check_length("artifact_location", root, ROOT_LIMIT)
    if root.startswith("runs:"):
        raise UsageError(f"Artifact location cannot be a runs:/ URI. Given: {root!r}")
    if ".." in re.split(r"[/\\]", root.partition("?")[0]) or "#" in root:
        raise UsageError(f"Invalid artifact location: {root!r} has '..' or '#' in it")
    return root


def below(root: str, *names: str) -> str:
    """A place for artifacts below another; what follows a ``?`` stays at the end.

    >>> below("mlflow-artifacts:/0", "run", "artifacts")
    'mlflow-artifacts:/0/run/artifacts'
    """
    head, mark, query = root.partition("?")
    return f"{head.rstrip('/')}/{'/'.join(names)}{mark}{query}"


def random_name() -> str:
    """A name for a run that was given none: ``brisk-heron-417``."""
    return f"{secrets.choice(_TRAITS)}-{secrets.choice(_ANIMALS)}-{secrets.randbelow(1000)}"
