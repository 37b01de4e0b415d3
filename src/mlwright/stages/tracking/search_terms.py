"""What searches in the tables of tracking are made of: comparisons, and pages that go on where the last one ended.

Nothing of what a client wrote becomes text of a query: values are bound, and columns come from tables of ours.
"""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, false, or_

from mlwright.model.filters import Value
from mlwright.model.searching import Mark, read_token, write_token

Clause: TypeAlias = ColumnElement[bool]

MOST_LISTED: Final = 30_000
"""SQLite takes 32,766 variables in a statement."""

_SIGNS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compare(tx: Connection, column: ColumnElement[Any], comparator: str, value: Value) -> Clause:
    """A comparison as MLflow means it: LIKE minds capitals in every database, ILIKE does not, NULL meets neither.

    A backslash in a pattern is a backslash.
    """
    if comparator in _SIGNS:
        found: Clause = _SIGNS[comparator](column, value)
        return found
    if isinstance(value, tuple):
        return column.in_(value) if comparator == "IN" else column.not_in(value)
    pattern = str(value)
    if comparator == "LIKE" and tx.dialect.name == "sqlite":
        # LIKE of SQLite is blind to capitals; GLOB is not.
        quoted = re.sub(r"([*?\[])", r"[\1]", pattern)
        return column.op("GLOB", is_comparison=True)(quoted.replace("%", "*").replace("_", "?"))
    if tx.dialect.name != "sqlite":
        pattern = pattern.replace("\\", "\\\\")
    return column.like(pattern) if comparator == "LIKE" else column.ilike(pattern)


@dataclass(frozen=True, slots=True)
class SortKey:
    """One column to order by. A page ends with its value, which is a str, an int or a float, or NULL.

    Where NULL can be, a key before it must tell NULL from everything else.
    """

    column: ColumnElement[Any]
    kind: type
    ascending: bool = True


def sort_by(query: Select[Any], keys: Sequence[SortKey]) -> Select[Any]:
    """The query in the order of the keys, with their columns behind its own."""
    return query.add_columns(*(each.column.label(f"key_{at}") for at, each in enumerate(keys))).order_by(
        *(each.column.asc() if each.ascending else each.column.desc() for each in keys)
    )


def after(keys: Sequence[SortKey], marks: Sequence[Mark]) -> Clause:
    """Whether a row comes after the one with these values; the last key must be unique."""
    found: Clause = false()
    for key, mark in zip(reversed(keys), reversed(marks), strict=True):
        if mark is None:
            found = and_(key.column.is_(None), found)
        else:
            beyond = key.column > mark if key.ascending else key.column < mark
            found = or_(beyond, and_(key.column == mark, found))
    first, mark = keys[0], marks[0]
    if mark is None:
        return found
    # Follows from the rest, and lets an index begin at the right place.
    return and_(first.column >= mark if first.ascending else first.column <= mark, found)


def read_marks(token: str | None, query: str, keys: Sequence[SortKey]) -> tuple[Mark, ...] | None:
    """The values that the page before ended with, None at the beginning.

    Raises:
        UsageError: the token is none that this search returned.
    """
    return read_token(token, query, [each.kind for each in keys]) if token else None


def cut_page(rows: Sequence[Row[Any]], limit: int, query: str) -> tuple[list[Any], str | None]:
    """What stands first in each row of the page, and the token of the next one, which a row too many tells of."""
    if len(rows) <= limit:
        return [row[0] for row in rows], None
    return [row[0] for row in rows[:limit]], write_token(query, tuple(rows[limit - 1])[1:])
