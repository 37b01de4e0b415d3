"""Visitors of the kinds of nodes that say nothing themselves, and only lead to what is below them."""

import ast
from collections.abc import Callable
from typing import Any, Final

Visitor = Callable[[Any, Any], None]

_NOT_CHILDREN: Final = frozenset(
    (
        *(
            "ctx",
            "op",
            "ops",
            "id",
            "attr",
            "arg",
            "name",
            "asname",
            "module",
            "level",
            "names",
            "kind",
            "conversion",
        ),
        *("simple", "is_async", "rest", "kwd_attrs", "type_comment", "type_ignores", "lineno"),
    )
)
FIELDS: Final[dict[type, tuple[str, ...]]] = {
    kind: tuple(field for field in kind._fields if field not in _NOT_CHILDREN)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
"""The fields of each kind of node that hold nodes; names, operators and contexts are told apart by nobody."""


def passing(kind: type) -> Visitor:
    """A visitor that only goes on to what is below."""
    name, fields = kind.__name__, FIELDS[kind]

    def through(reading: Any, node: Any) -> None:
        reading._trail.append(name)
        for field in fields:
            value = getattr(node, field, None)
            if type(value) is list:
                reading._all(value)
            elif (visitor := reading.visitors.get(type(value))) is not None:
                visitor(reading, value)

    def through_one(reading: Any, node: Any) -> None:
        reading._trail.append(name)
        value = getattr(node, only, None)
        if type(value) is list:
            reading._all(value)
        elif (visitor := reading.visitors.get(type(value))) is not None:
            visitor(reading, value)

    only = fields[0] if len(fields) == 1 else ""
    return through_one if only else through
