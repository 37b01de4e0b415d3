"""Texts, values and paths out of files of others, made safe to store."""

import json
from collections.abc import Iterator
from typing import Final

import yaml

from mlwright.model.moving import ForeignFile

_MOST_NODES: Final = 20_000
_MOST_DEPTH: Final = 32
_MOST_PATH: Final = 500


def clean(text: str) -> str:
    """The text without what no database keeps: lone surrogates and NUL become U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")


def as_text(value: object) -> str:
    """A value as a param shows it: Python's words for numbers, truth and None; JSON for lists and mappings.

    Raises:
        ValueError: it is too large or too deep, or holds itself (YAML can say so).
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list | dict):
        _measure(value)
        return clean(json.dumps(value, ensure_ascii=False, default=str))
    return clean(str(value))


def flat(value: object, separator: str = ".") -> dict[str, str]:
    """The leaves of nested mappings as texts, by the joined names on the way to them.

    Raises:
        ValueError: it is too large or too deep.
    """
    return {key: as_text(leaf) for key, leaf in leaves(value, separator)}


def leaves(value: object, separator: str = ".") -> Iterator[tuple[str, object]]:
    """Every value of nested mappings that is no mapping itself. Empty mappings are leaves.

    Raises:
        ValueError: it is too large or too deep.
    """
    waiting: list[tuple[tuple[str, ...], object]] = [((), value)]
    seen = 0
    while waiting:
        names, met = waiting.pop()
        seen += 1
        if seen > _MOST_NODES or len(names) > _MOST_DEPTH:
            raise ValueError(f"more than {_MOST_NODES} values, or nested deeper than {_MOST_DEPTH}")
        if isinstance(met, dict) and (met or not names):
            inner = [((*names, clean(str(name))), each) for name, each in met.items()]
            waiting.extend(reversed(inner))
        elif names:
            yield separator.join(names), met


def _measure(value: object) -> None:
    """Aliases in YAML make small files into huge or endless values: count before anything is written out."""
    waiting: list[tuple[int, object]] = [(0, value)]
    seen = 0
    while waiting:
        depth, met = waiting.pop()
        seen += 1
        if seen > _MOST_NODES or depth > _MOST_DEPTH:
            raise ValueError(f"more than {_MOST_NODES} values, or nested deeper than {_MOST_DEPTH}")
        if isinstance(met, dict):
            waiting.extend((depth + 1, each) for each in met.values())
        elif isinstance(met, list):
            waiting.extend((depth + 1, each) for each in met)


def parse_json(data: str | bytes) -> object:
    """JSON, also Python's NaN and Infinity.

    Raises:
        ValueError: it is none, or nested too deeply.
    """
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def parse_yaml(data: bytes) -> object:
    """YAML of plain values; nothing in it is executed.

    Raises:
        ValueError: it is none, or nested too deeply.
    """
    try:
        depth = 0
        # libyaml composes by recursion in C, which no RecursionError ends: count before it does.
        for event in yaml.parse(data, Loader=_SafeLoader):
            depth += isinstance(event, _OPENING) - isinstance(event, _CLOSING)
            if depth > _MOST_DEPTH:
                raise ValueError(f"nested deeper than {_MOST_DEPTH}")
        return yaml.load(data, Loader=_SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark is not None else ""
        raise ValueError(f"no YAML{place}") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def mapping(value: object) -> dict[str, object]:
    """The mapping that a value is, with texts as keys; an empty one where it is none."""
    return {str(key): each for key, each in value.items()} if isinstance(value, dict) else {}


def text_of(value: object) -> str:
    """The text that a value is, or an empty one."""
    return clean(value) if isinstance(value, str) else ""


def artifact_path(text: str) -> str:
    """A path below a run's artifacts: no root, no ``..``, no control characters. Empty where nothing is left."""
    parts = []
    for part in clean(text).replace("\\", "/").split("/"):
        kept = "".join(each if each.isprintable() else "_" for each in part).strip()
        if kept not in ("", ".", ".."):
            parts.append(kept)
    return "/".join(parts)[-_MOST_PATH:].lstrip("/")


class Names:
    """Gives each artifact a path of its own: the second ``a.txt`` becomes ``a-2.txt``."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._folders: set[str] = set()
        self._numbers: dict[str, int] = {}

    def take(self, wanted: str, otherwise: str = "file") -> str:
        """The path as wanted, or the nearest that is free: neither a file nor a folder of one."""
        path = artifact_path(wanted) or otherwise
        if any(each in self._taken for each in _parents(path)):
            path = path.replace("/", "_")  # a file stands where its folder would have to be
        stem, dot, ending = path.rpartition(".")
        if not stem or "/" in ending:
            stem, dot, ending = path, "", ""
        first = path
        while path in self._taken or path in self._folders:
            self._numbers[first] = number = self._numbers.get(first, 1) + 1
            path = f"{stem}-{number}{dot}{ending}"
        self._taken.add(path)
        self._folders.update(_parents(path))
        return path


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def in_order(files: dict[str, int | None]) -> Iterator[ForeignFile]:
    """Files by path, as the port wants them."""
    for path in sorted(files):
        yield ForeignFile(path=path, size=files[path])


_OPENING: Final = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_CLOSING: Final = (yaml.SequenceEndEvent, yaml.MappingEndEvent)
_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
