"""JSON and TOML as plain trees with line numbers; what cannot be read is ``Unreadable``."""

import json
import re
import tomllib
from typing import Any

from mlwright.engineer.collect.trees import DEPTH, Lines, Tree, Unreadable, deep
from mlwright.engineer.facts.configuration import Plain

_JSON_LINES = 200_000


def json_tree(text: str) -> Tree:
    """A JSON text; raises Unreadable. Lines are known up to 200 kB."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not valid JSON" if isinstance(error, ValueError) else "nested too deeply") from None
    if deep(data):
        raise Unreadable(f"nested deeper than {DEPTH}")
    return Tree(data, _json_lines(text) if len(text) <= _JSON_LINES else {(): 1})


_JSON_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|[{}\[\],:\n]')


def _json_lines(text: str) -> Lines:
    """The line of each key and each list position of a valid JSON text."""
    lines: Lines = {(): 1}
    line = 1
    stack: list[list[Any]] = []  # [is a list, path, key or position, whether a key comes next]
    for found in _JSON_TOKEN.finditer(text):
        token = found.group()
        if token == "\n":
            line += 1
        elif token in "{[":
            path: tuple[str | int, ...] = (*stack[-1][1], stack[-1][2]) if stack else ()
            lines.setdefault(path, line)
            stack.append([token == "[", path, 0 if token == "[" else "", token == "{"])
        elif token in "}]":
            if stack:
                stack.pop()
        elif token == ",":
            if stack and stack[-1][0]:
                stack[-1][2] += 1
            elif stack:
                stack[-1][3] = True
        elif token == ":":
            pass
        elif stack and stack[-1][3]:
            stack[-1][2], stack[-1][3] = token[1:-1], False
            lines[(*stack[-1][1], token[1:-1])] = line
        elif stack and stack[-1][0]:
            lines[(*stack[-1][1], stack[-1][2])] = line
    return lines


_QUOTED = re.compile(r""""[^"\n]*"|'[^'\n]*'""")
_KEY_ENDS = re.compile(r"[=,\[\]{}]")


def _bomb(text: str) -> bool:
    """Whether a dotted key has so many parts that tomllib, which is quadratic in them, would hang."""
    return any(
        line.count(".") > 200
        and any(part.count(".") > 200 for part in _KEY_ENDS.split(_QUOTED.sub("s", line)))
        for line in text.splitlines()
    )


def toml_tree(text: str) -> Tree:
    """A TOML text; raises Unreadable. Lines are found by looking for the keys."""
    if _bomb(text):
        raise Unreadable("a key of more than 200 parts")
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not valid TOML" if isinstance(error, ValueError) else "nested too deeply") from None
    if deep(data):
        raise Unreadable(f"nested deeper than {DEPTH}")
    return Tree(_jsonable(data), _TomlLines(text).lines)


def _jsonable(data: Plain) -> Plain:
    """The same tree with dates and times as text; its depth was bounded before."""
    if isinstance(data, dict):
        return {key: _jsonable(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_jsonable(value) for value in data]
    return data if isinstance(data, str | int | float | bool | None) else str(data)


_TOML_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]\n]{1,400}?)\s*\]")
_BARE = r"""(?:[\w-]+|"[^"\n]{0,200}"|'[^'\n]{0,200}')"""
_TOML_KEY = re.compile(rf"\s*({_BARE}(?:\s*\.\s*{_BARE})*)\s*=\s*(.*)")
_TOML_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
_TOML_ITEM = re.compile(r"""("(?:[^"\\]|\\.)*"|'[^']*')|([\[{])|([\]}])|(#)""")


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(each.strip("\"'") for each in _TOML_PART.findall(dotted))


class _TomlLines:
    """The line of each table, key and element of an array, as far as a look at the lines tells."""

    def __init__(self, text: str) -> None:
        self.lines: Lines = {(): 1}
        self.counts: dict[tuple[str, ...], int] = {}
        self.table: tuple[str | int, ...] = ()
        self.array: tuple[str | int, ...] = ()
        self.depth = self.position = 0
        self.quoted = ""
        for number, line in enumerate(text.splitlines(), start=1):
            self._feed(line, number)

    def _feed(self, line: str, number: int) -> None:
        if self.quoted:
            self.quoted = "" if self.quoted in line else self.quoted
        elif self.array:
            self._elements(line, number)
        else:
            self._line(line, number)

    def _line(self, line: str, number: int) -> None:
        header = _TOML_HEADER.match(line)
        if header is not None:
            self.table = _table(header.group(1) == "[[", _parts(header.group(2)), self.counts)
            self.lines.setdefault(self.table, number)
            if self.table and isinstance(self.table[-1], int):
                self.lines.setdefault(self.table[:-1], number)
            return
        found = _TOML_KEY.match(line)
        if found is None:
            return
        path = (*self.table, *_parts(found.group(1)))
        self.lines[path] = number
        rest = found.group(2)
        self.quoted = next(
            (each for each in ('"""', "'''") if rest.startswith(each) and each not in rest[3:]), ""
        )
        if rest.startswith("["):
            self.array, self.depth, self.position = path, 0, 0
            self._elements(rest, number)

    def _elements(self, text: str, number: int) -> None:
        for item in _TOML_ITEM.finditer(text):
            if not self.array or item.group(4):
                break
            if item.group(3):
                self.depth -= 1
                self.position += self.depth == 1
                if self.depth <= 0:
                    self.array = ()
                continue
            if self.depth == 1:
                self.lines.setdefault((*self.array, self.position), number)
                self.position += item.group(1) is not None
            self.depth += item.group(2) is not None


def _table(many: bool, parts: tuple[str, ...], counts: dict[tuple[str, ...], int]) -> tuple[str | int, ...]:
    """The path of a table header; ``[[a]]`` counts its elements, and ``[a.b]`` below it belongs to the last one."""
    if many:
        counts[parts] = counts.get(parts, -1) + 1
    path: tuple[str | int, ...] = ()
    for length in range(1, len(parts) + 1):
        path = (*path, parts[length - 1])
        if parts[:length] in counts:
            path = (*path, counts[parts[:length]])
    return path
