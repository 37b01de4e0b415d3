"""YAML as plain trees with line numbers; hostile input ends as ``Unreadable``, never as a hang or a crash.

It is read from libyaml's events, in a loop: nothing here recurses, no tag makes an object, and what aliases would
expand to is counted before it is used. Keys stay the text that was written, so ``on:`` is "on" and not True.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from mlwright.engineer.facts.configuration import Plain

try:
    _Loader: Any = yaml.CSafeLoader
except AttributeError:  # PyYAML was built without libyaml
    _Loader = yaml.SafeLoader

NODES = 150_000
DEPTH = 64
DOCUMENTS = 1_000
PLACEHOLDER = "__template__"

Lines = dict[tuple[str | int, ...], int]


class Unreadable(Exception):
    """Why a text is not read; caught inside the collectors and turned into a note."""


@dataclass(frozen=True, slots=True)
class Tree:
    """One document: its plain data and the line of each path of keys."""

    data: Plain
    lines: Lines


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end was not seen yet."""

    value: Any
    path: tuple[str | int, ...]
    anchor: str | None
    tag: str | None
    before: int
    key: str | None = None
    merges: list[Any] = field(default_factory=list)


_WORDS: dict[str, bool | None] = {
    **{each: True for word in ("true", "yes", "on") for each in (word, word.title(), word.upper())},
    **{each: False for word in ("false", "no", "off") for each in (word, word.title(), word.upper())},
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]{0,40})")
_OCTAL = re.compile(r"0o?[0-7]{1,20}")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,32}")
_EXPONENT = r"(?:[eE][-+]?[0-9]{1,4})?"
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]{0,40}\.[0-9_]{0,40}|\.[0-9]{1,40}|[0-9]{1,40}(?=[eE]))" + _EXPONENT)


def _scalar(text: str) -> Plain:
    """A plain YAML 1.1 scalar as a value; base-60 numbers and dates stay text, as ports and versions need it."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "-+.0123456789":
        if _INT.fullmatch(text):
            return int(text.replace("_", ""))
        if _FLOAT.fullmatch(text):
            return float(text.replace("_", ""))
        if _HEX.fullmatch(text):
            return int(text, 16)
        if _OCTAL.fullmatch(text):
            return int(text.replace("o", ""), 8)
    return text


class _Builder:
    """Builds the trees of one YAML stream from its events, within a budget of nodes and depth."""

    def __init__(self) -> None:
        self.trees: list[Tree] = []
        self.nodes = 0
        self._begin()

    def _begin(self) -> None:
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Plain, int]] = {}
        self.lines: Lines = {}
        self.root: Plain = None

    def feed(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "ScalarEvent":
            value = self._value(event)
            top = self.stack[-1] if self.stack else None
            if top is not None and top.key is None and type(top.value) is dict:
                self._key(top, event.value, event.start_mark.line + 1)
            else:
                self._spend(1)
                self._place(value, event.start_mark.line + 1)
            if event.anchor:
                self.anchors[event.anchor] = (value, 1)
        elif kind in {"MappingStartEvent", "SequenceStartEvent"}:
            self._open(event, {} if kind == "MappingStartEvent" else [])
        elif kind in {"MappingEndEvent", "SequenceEndEvent"}:
            self._close()
        elif kind == "AliasEvent":
            self._alias(event)
        elif kind == "DocumentStartEvent":
            self._begin()
        elif kind == "DocumentEndEvent":
            if len(self.trees) >= DOCUMENTS:
                raise Unreadable(f"more than {DOCUMENTS:,} documents in one file")
            self.trees.append(Tree(self.root, self.lines))

    def _value(self, event: Any) -> Plain:
        if event.tag is None or event.tag == "!":
            return _scalar(event.value) if event.implicit[0] else event.value
        if event.tag.startswith("tag:yaml.org"):
            return event.value if event.tag.endswith(":str") else _scalar(event.value)
        return _tagged(event.tag, event.value)

    def _spend(self, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > NODES:
            raise Unreadable(f"more than {NODES:,} values once its aliases are expanded")

    def _key(self, top: _Open, key: str, line: int) -> None:
        self._spend(1)
        top.key = key
        self.lines[(*top.path, key)] = line

    def _place(self, value: Plain, line: int) -> None:
        if not self.stack:
            self.root = value
            self.lines.setdefault((), line)
            return
        top = self.stack[-1]
        if type(top.value) is list:
            self.lines[(*top.path, len(top.value))] = line
            top.value.append(value)
        elif top.key is None:
            self._key(top, PLACEHOLDER, line)  # a mapping or a list as a key: ``{{ x }}`` reads so
        elif top.key == "<<":
            top.merges.extend(value if isinstance(value, list) else [value])
            top.key = None
        else:
            top.value[top.key] = value
            top.key = None

    def _open(self, event: Any, value: Any) -> None:
        if len(self.stack) >= DEPTH:
            raise Unreadable(f"nested deeper than {DEPTH}")
        line = event.start_mark.line + 1
        path: tuple[str | int, ...] = ()
        if self.stack:
            top = self.stack[-1]
            if type(top.value) is list:
                path = (*top.path, len(top.value))
            else:
                path = (*top.path, top.key if top.key is not None else PLACEHOLDER)
        self.lines.setdefault(path, line)
        self._spend(1)
        self.stack.append(_Open(value, path, event.anchor, event.tag, self.nodes))

    def _close(self) -> None:
        done = self.stack.pop()
        value = done.value
        if done.merges:
            merged: dict[str, Plain] = {}
            for source in reversed(done.merges):
                if isinstance(source, dict):
                    self._spend(len(source))
                    merged.update(source)
            value = {**merged, **value}
        if done.tag is not None and done.tag.startswith("!") and len(done.tag) > 1:
            value = _tagged(done.tag, value)
        if done.anchor:
            self.anchors[done.anchor] = (value, self.nodes - done.before + 1)
        self._place(value, self.lines.get(done.path, 1))

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise Unreadable(f"the alias *{event.anchor} stands for nothing, or for what is around it")
        value, size = self.anchors[event.anchor]
        self._spend(size)
        top = self.stack[-1] if self.stack else None
        if top is not None and top.key is None and type(top.value) is dict:
            self._key(
                top,
                str(value)[:200] if isinstance(value, str | int) else PLACEHOLDER,
                event.start_mark.line + 1,
            )
        else:
            self._place(value, event.start_mark.line + 1)


def _tagged(tag: str, value: Plain) -> Plain:
    """A CloudFormation function as its long form (``!Ref x`` is ``{"Ref": "x"}``); other tags fall away."""
    name = tag.lstrip("!")
    if name in {"Ref", "Condition"}:
        return {name: value}
    if name in _FUNCTIONS:
        return {f"Fn::{name}": value.split(".", 1) if name == "GetAtt" and isinstance(value, str) else value}
    return value


_FUNCTIONS = {
    *("Base64", "Cidr", "FindInMap", "GetAtt", "GetAZs", "ImportValue", "Join", "Select", "Split", "Sub"),
    *("Transform", "And", "Equals", "If", "Not", "Or", "Length"),
}


def deep(data: Plain, limit: int = DEPTH) -> bool:
    """Whether a tree is nested deeper than ``limit``; looks at it in a loop."""
    level = [data]
    for _ in range(limit + 1):
        level = [
            child
            for each in level
            for child in (each.values() if isinstance(each, dict) else each if isinstance(each, list) else ())
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def yaml_trees(text: str) -> list[Tree]:
    """Every document of a YAML text; raises Unreadable for what is no YAML, too deep, or too large."""
    builder = _Builder()
    loader = None
    try:
        loader = _Loader(text)
        while loader.check_event():
            builder.feed(loader.get_event())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark is not None else ""
        raise Unreadable(f"not valid YAML{place}") from None
    except (ValueError, RecursionError, OverflowError) as error:
        raise Unreadable(f"not valid YAML ({type(error).__name__})") from None
    finally:
        if loader is not None:
            loader.dispose()
    if any(deep(each.data, DEPTH) for each in builder.trees):
        raise Unreadable(f"nested deeper than {DEPTH} once its aliases are expanded")
    return builder.trees
