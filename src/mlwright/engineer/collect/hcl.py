"""HCL2 native syntax, as Terraform files have it, as plain trees with line numbers.

Only structure is read: blocks, attributes, literals, lists and objects. Every other expression is kept as its text in
``${…}``; ``jsonencode(…)`` and heredocs of JSON become the tree that they write. The full grammar of python-hcl2 takes
more than a second to load and 10 µs per character; a repository may have megabytes of Terraform. Reference: HashiCorp,
HCL Native Syntax Specification.
"""

import json
import re
from dataclasses import dataclass, field

from mlwright.engineer.collect.trees import Unreadable, deep
from mlwright.engineer.facts.configuration import Plain

_DEPTH = 40
_TOKENS = 200_000


@dataclass(frozen=True, slots=True)
class Block:
    """A block: ``resource "aws_s3_bucket" "data" { … }`` has a type, two labels and a body."""

    type: str
    labels: tuple[str, ...]
    body: dict[str, Plain]
    line: int


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int
    line: int


_LEXEMES = re.compile(
    r"(?P<space>[ \t\r\ufeff]+)|(?P<comment>(?:\#|//)[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)|(?P<newline>\n)"
    r"|(?P<heredoc><<-?[A-Za-z_][\w-]*[ \t\r]*\n)|(?P<quote>\")"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|(?P<word>[A-Za-z_][\w-]*)"
    r"|(?P<sign>==|!=|<=|>=|&&|\|\||=>|\.\.\.|[^\s])"
)
_IN_STRING = re.compile(r"\\.|\$\$\{|%%\{|[$%]\{|[\"{}\n]", re.DOTALL)


def blocks_of(text: str) -> list[Block]:
    """The top-level blocks of a file; raises Unreadable for what is no HCL, too deep or too long."""
    reader = _Reader(text, _tokens(text))
    try:
        return reader.top()
    except IndexError:
        raise Unreadable("not valid HCL: it ends in the middle") from None


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position, line = 0, 1
    while position < len(text):
        matched = _LEXEMES.match(text, position)
        if matched is None:
            raise Unreadable(f"not valid HCL at line {line}")
        kind, end = str(matched.lastgroup), matched.end()
        if kind == "quote":
            end = _string_end(text, position, line)
            kind = "string"
        elif kind == "heredoc":
            end = _heredoc_end(text, position, end, line)
        if kind not in {"space", "comment"}:
            found.append(_Token(kind, text[position:end], position, end, line))
        if len(found) > _TOKENS:
            raise Unreadable(f"more than {_TOKENS:,} words")
        line += text.count("\n", position, end)
        position = end
    found.append(_Token("end", "", position, position, line))
    return found


def _string_end(text: str, start: int, line: int) -> int:
    """Where a quoted string ends; the templates in it may hold strings again."""
    modes = ["quote"]
    position = start + 1
    while modes:
        found = _IN_STRING.search(text, position)
        if found is None or (found.group() == "\n" and modes == ["quote"]) or len(modes) > _DEPTH:
            raise Unreadable(f"not valid HCL: a string that does not end, at line {line}")
        lexeme, position = found.group(), found.end()
        if modes[-1] == "quote":
            if lexeme == '"':
                modes.pop()
            elif lexeme in {"${", "%{"}:
                modes.append("template")
        elif lexeme == '"':
            modes.append("quote")
        elif lexeme in {"{", "${", "%{"}:
            modes.append("template")
        elif lexeme == "}":
            modes.pop()
    return position


def _heredoc_end(text: str, start: int, begin: int, line: int) -> int:
    name = text[start:begin].strip("<- \t\r\n")
    found = re.compile(rf"^[ \t]*{re.escape(name)}[ \t\r]*$", re.MULTILINE).search(text, begin)
    if found is None:
        raise Unreadable(f"not valid HCL: a heredoc that does not end, at line {line}")
    return found.end()


@dataclass(slots=True)
class _Reader:
    """Recursive descent over the tokens; the depth is bounded before it recurses."""

    text: str
    tokens: list[_Token]
    at: int = 0
    depth: int = 0
    found: list[Block] = field(default_factory=list)

    def top(self) -> list[Block]:
        while True:
            self._newlines()
            if self._now.kind == "end":
                return self.found
            start = self._now
            name, labels = self._head()
            if self._now.text == "=":  # an attribute, as in a .tfvars file
                self._value_of_attribute()
                continue
            self.found.append(Block(name, labels, self._body(), start.line))

    @property
    def _now(self) -> _Token:
        return self.tokens[self.at]

    def _fail(self) -> Unreadable:
        return Unreadable(f"not valid HCL at line {self._now.line}")

    def _newlines(self) -> None:
        while self._now.kind == "newline":
            self.at += 1

    def _head(self) -> tuple[str, tuple[str, ...]]:
        if self._now.kind != "word":
            raise self._fail()
        name = self._now.text
        self.at += 1
        labels = []
        while self._now.kind in {"word", "string"}:
            labels.append(_unquoted(self._now.text))
            self.at += 1
        return name, tuple(labels)

    def _body(self) -> dict[str, Plain]:
        if self._now.text != "{":
            raise self._fail()
        self._deeper()
        self.at += 1
        body: dict[str, Plain] = {}
        while True:
            self._newlines()
            if self._now.text == "}":
                self.at += 1
                self.depth -= 1
                return body
            name, labels = self._head()
            if self._now.text == "=" and not labels:
                body[name] = self._value_of_attribute()
                continue
            inner: Plain = self._body()
            for label in reversed(labels):
                inner = {label: inner}
            held = body.setdefault(name, [])
            if isinstance(held, list):
                held.append(inner)

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > _DEPTH:
            raise Unreadable(f"nested deeper than {_DEPTH}")

    def _value_of_attribute(self) -> Plain:
        self.at += 1
        value = self._value({"newline"}, {"}"})
        if self._now.kind not in {"newline", "end"} and self._now.text != "}":
            raise self._fail()
        return value

    def _value(self, kinds: set[str], ends: set[str]) -> Plain:
        """The expression that ends before a token of these kinds or texts (or the end of the file)."""
        start = self.at
        value, whole = self._simple()
        if whole and self._ended(kinds, ends):
            return value
        self.at = start
        depth = 0
        while not (depth == 0 and self._ended(kinds, ends)):
            if self._now.kind == "end":
                raise self._fail()
            depth += (self._now.text in {"(", "[", "{"}) - (self._now.text in {")", "]", "}"})
            self.at += 1
        return "${" + self.text[self.tokens[start].start : self.tokens[max(self.at - 1, start)].end] + "}"

    def _ended(self, kinds: set[str], ends: set[str]) -> bool:
        return self._now.kind in kinds or self._now.kind == "end" or self._now.text in ends

    def _simple(self) -> tuple[Plain, bool]:
        """(value, True) where a literal, list, object or ``jsonencode`` begins here, else (None, False)."""
        token = self._now
        following = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if token.text == "jsonencode" and following.text == "(":
            return self._encoded()
        if token.text in {"[", "{"} and not self._comprehension():
            self._deeper()
            value: Plain = self._list() if token.text == "[" else self._object()
            self.depth -= 1
            return value, True
        if token.text == "-" and following.kind == "number":
            self.at += 2
            return -_number(following.text), True
        if token.kind in _LITERALS or token.text in _NAMED:
            self.at += 1
            return _literal(token), True
        return None, False

    def _comprehension(self) -> bool:
        ahead = self.at + 1
        while self.tokens[ahead].kind == "newline":
            ahead += 1
        return self.tokens[ahead].text == "for"

    def _encoded(self) -> tuple[Plain, bool]:
        self.at += 2
        self._newlines()
        value, whole = self._simple()
        self._newlines()
        if whole and self._now.text == ")":
            self.at += 1
            return value, True
        return None, False

    def _list(self) -> list[Plain]:
        self.at += 1
        values: list[Plain] = []
        while True:
            while self._now.kind == "newline" or self._now.text == ",":
                self.at += 1
            if self._now.text == "]":
                self.at += 1
                return values
            values.append(self._value(set(), {",", "]"}))

    def _object(self) -> dict[str, Plain]:
        self.at += 1
        values: dict[str, Plain] = {}
        while True:
            while self._now.kind == "newline" or self._now.text == ",":
                self.at += 1
            if self._now.text == "}":
                self.at += 1
                return values
            key = self._value(set(), {"=", ":", "}"})
            if self._now.text == "}":
                raise self._fail()
            self.at += 1
            name = key[2:-1] if isinstance(key, str) and key.startswith("${") else str(key)
            values[name] = self._value({"newline"}, {",", "}"})


_LITERALS = {"string", "heredoc", "number"}
_NAMED = {"true": True, "false": False, "null": None}


def _literal(token: _Token) -> Plain:
    if token.kind == "string":
        return _unquoted(token.text)
    if token.kind == "heredoc":
        return _heredoc(token.text)
    return _NAMED[token.text] if token.text in _NAMED else _number(token.text)


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found.group(1), found.group()), text[1:-1])


def _number(text: str) -> int | float:
    return int(text) if text.isdigit() and len(text) < 40 else float(text)


def _heredoc(text: str) -> Plain:
    """The lines of a heredoc, or the tree where they are JSON: policies are written so."""
    lines = text.split("\n")[1:-1]
    content = "\n".join(line.strip() for line in lines) if text.startswith("<<-") else "\n".join(lines)
    if content.lstrip().startswith(("{", "[")):
        try:
            tree = json.loads(content)
        except (ValueError, RecursionError):
            return content
        return content if deep(tree, 30) else tree
    return content
