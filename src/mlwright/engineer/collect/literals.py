"""Constants in source code, and the text of a piece of it."""

import ast
from typing import Any


def literal(node: ast.expr) -> tuple[bool, Any]:
    """Whether an expression is a literal, and its value; bytes and complex numbers as they are."""
    kind = type(node)
    if kind is not ast.Constant and kind is not ast.UnaryOp:
        return False, None
    if isinstance(node, ast.Constant):
        value = node.value
        return value is not ..., clean(value) if isinstance(value, str) else None if value is ... else value
    if (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
    ):
        value = node.operand.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return True, -value
    return False, None


def clean(text: str) -> str:
    """The text without lone surrogates, which no file and no terminal takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def cut(line: str, start: int, end: int | None) -> str:
    """A part of a line by the columns of a syntax tree, which count UTF-8 bytes."""
    if line.isascii():
        return line[start:end]
    return line.encode("utf-8", "replace")[start:end].decode("utf-8", "replace")
