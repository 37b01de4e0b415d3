"""Plain tuples → the facts of Python files."""

from itertools import starmap
from typing import Any, Final

from mlwright.engineer.collect.expressions import RawFile
from mlwright.engineer.facts.code import (
    Argument,
    Assignment,
    Binding,
    Call,
    Class,
    Comparison,
    Function,
    Handler,
    Import,
    PythonFile,
    Role,
)

_KINDS: Final = {
    "imports": Import,
    "functions": Function,
    "classes": Class,
    "assignments": Assignment,
    "bindings": Binding,
    "handlers": Handler,
    "comparisons": Comparison,
}


class Maker:
    """Makes facts of plain tuples; equal arguments of calls become one object, which saves time and memory."""

    def __init__(self) -> None:
        self._arguments: dict[tuple[Any, ...], Argument] = {}

    def python_file(self, path: str, role: Role, raw: RawFile) -> PythonFile:
        """The facts of one file."""
        return PythonFile(
            path=path,
            role=role,
            lines=raw.get("lines", 0),
            notebook=path.endswith(".ipynb"),
            main_guard=raw.get("main_guard", False),
            calls=tuple(starmap(self._call, raw.get("calls", ()))),
            paths=tuple(raw.get("paths", ())),
            words=raw.get("words", frozenset()),
            asserts=raw.get("asserts", 0),
            outputs_bytes=raw.get("outputs_bytes", 0),
            executed_in_order=raw.get("executed_in_order"),
            fault=raw.get("fault"),
            **{field: tuple(starmap(kind, raw.get(field, ()))) for field, kind in _KINDS.items()},
        )

    def _call(
        self,
        name: str,
        line: int,
        cell: int | None,
        scope: str,
        args: tuple[tuple[Any, ...], ...],
        *rest: Any,
    ) -> Call:
        return Call(name, line, cell, scope, tuple(map(self._argument, args)), *rest)

    def _argument(self, row: tuple[Any, ...]) -> Argument:
        found = self._arguments.get(row)
        if found is None or type(found.value) is not type(row[2]):
            found = self._arguments[row] = Argument(*row)
        return found
