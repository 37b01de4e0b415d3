"""One Python file: bytes → text → syntax tree → plain tuples. Nothing in it is executed or imported."""

import ast
import io
import sys
import tokenize
import warnings
from collections.abc import Sequence
from typing import Final, NamedTuple

from mlwright.engineer.collect.expressions import RawFile
from mlwright.engineer.collect.syntax import Reading

_DEEP: Final = 12_000
"""Frames that the pass may stack: the parser lets through trees of some 3,000 levels, at up to three frames each."""


class Piece(NamedTuple):
    """A piece of source: the cell that it stands in, its syntax tree, its lines."""

    cell: int | None
    tree: ast.Module
    lines: Sequence[str]


def parse_file(path: str, content: bytes) -> RawFile:
    """What a Python file says, as plain tuples; under "fault" what kept it from being parsed."""
    text = decode(content)
    lines = text.split("\n")
    raw: RawFile = {"lines": len(lines) - (not lines[-1])}
    try:
        raw |= read_trees(package_of(path), [Piece(None, parse(text), lines)])
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raw["fault"] = fault_of(error)
    return raw


def parse(text: str) -> ast.Module:
    """The syntax tree of a source text, without the warnings that Python gives about what it parses.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it cannot be parsed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def read_trees(package: str, pieces: Sequence[Piece]) -> RawFile:
    """What these pieces of source say, one after another.

    Raises:
        RecursionError: a tree is too deep.
    """
    try:
        return _read(package, pieces)
    except RecursionError:
        # A tree that is deep and sound (a sum of two thousand terms) needs more frames than Python allows at first.
        usual = sys.getrecursionlimit()
        sys.setrecursionlimit(max(usual, _DEEP))
        try:
            return _read(package, pieces)
        finally:
            sys.setrecursionlimit(usual)


def _read(package: str, pieces: Sequence[Piece]) -> RawFile:
    reading = Reading(package)
    for piece in pieces:
        reading.read(piece.tree, piece.lines, piece.cell)
    return reading.finish()


def decode(content: bytes) -> str:
    """The text of a source file by PEP 263, with ``\\n`` line ends; broken bytes are replaced."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content[:4096]).readline)
        text = content.decode(encoding, "replace")
    except (SyntaxError, LookupError, UnicodeError):
        text = content.decode("utf-8-sig", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def fault_of(error: BaseException) -> str:
    """Why something could not be parsed, in a few words."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno or 1}: {error.msg or 'invalid syntax'}"[:200]
    if isinstance(error, RecursionError | MemoryError):
        return "nested too deeply"
    return str(error)[:200] or type(error).__name__


def package_of(path: str) -> str:
    """The dotted package that a file's relative imports start from, as far as its path tells."""
    folders = path.split("/")[:-1]
    if "src" in folders:
        folders = folders[len(folders) - folders[::-1].index("src") :]
    return ".".join(folders)
