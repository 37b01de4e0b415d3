"""Filters and orders of searches, in the words of MLflow: ``metrics.loss < 0.1 AND params."batch size" = '32'``.

One grammar for everything that can be searched; what may be asked of a subject is data (``filter_subjects.py``). A
filter is a list of conditions joined by AND: there is no OR and there are no brackets, as in MLflow. The result holds
values only, never text of a query.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from mlwright.errors import UsageError, near_match
from mlwright.model.filter_text import Cursor, Name

MOST_CONDITIONS: Final = 200
"""A database refuses expressions much deeper than this."""

MOST_LISTED: Final = 10_000
"""Values in all lists of a filter together; SQLite takes 32,766 values in a statement."""

LONGEST_PATTERN: Final = 10_000
"""Characters of a LIKE pattern; SQLite refuses patterns over 50,000 bytes."""

LONGEST_FILTER: Final = 2_000_000
"""Characters."""

_REFUSED: Final = {
    "OR": "a filter has no OR: search once for each alternative, or use IN (…) where the attribute takes it",
    "NOT": "NOT stands only in NOT IN and IS NOT NULL: use != for the opposite",
    "(": "a filter has no brackets: conditions are joined by AND only",
    ";": "one filter is one list of conditions: leave out the semicolon",
}
_MEANT: Final = {"==": "=", "<>": "!="}


class Kind(StrEnum):
    """What a condition or an order speaks of."""

    ATTRIBUTE = "attribute"
    METRIC = "metric"
    PARAM = "param"
    TAG = "tag"
    DATASET = "dataset"
    METADATA = "metadata"
    SPAN = "span"
    FEEDBACK = "feedback"
    EXPECTATION = "expectation"
    ISSUE = "issue"


Value: TypeAlias = str | int | float | tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition. ``comparator`` is in capitals: ``=``, ``LIKE``, ``NOT IN``, ``IS NOT NULL`` …

    ``value`` is a number for metrics and numeric attributes (int only where its text is a whole number of 64 bits), a
    tuple for IN and NOT IN, None for IS NULL and IS NOT NULL, else text.
    """

    kind: Kind
    key: str
    comparator: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One key to order by; of an attribute its own name, not an alias of it."""

    kind: Kind
    key: str
    ascending: bool = True


class Measure(StrEnum):
    """What the values of an attribute are."""

    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute that can be searched: the name it has with us, its values, and what it can be compared by."""

    name: str
    comparators: frozenset[str]
    measure: Measure = Measure.TEXT
    kind: Kind = Kind.ATTRIBUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What can be asked when searching one kind of thing."""

    name: str
    """In the plural, for errors."""
    entities: Mapping[str, Kind]
    """What stands before the first dot."""
    attributes: Mapping[str, Attribute]
    """By every name that they go by."""
    comparators: Mapping[Kind, frozenset[str]] = field(default_factory=dict)
    """Of the kinds whose keys are free."""
    keys: Mapping[Kind, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    """Of the kinds that have a few keys: each with its comparators."""
    orders: Mapping[str, tuple[Kind, str]] = field(default_factory=dict)
    """Attributes that can be ordered by, by every name that they go by."""
    ordered: frozenset[Kind] = frozenset()
    """Kinds with free keys that can be ordered by."""


def parse_filter(text: str | None, subject: Subject) -> tuple[Condition, ...]:
    """Read a filter; None and blank text are no conditions.

    Raises:
        UsageError: it is not a filter, or asks for what the subject does not have; says at which character.
    """
    if not text:
        return ()
    if len(text) > LONGEST_FILTER:
        raise UsageError(
            f"the filter has {len(text):,} characters",
            why=f"at most {LONGEST_FILTER:,} are read",
            where="filter",
        )
    cursor = Cursor(text, "filter")
    found: list[Condition] = []
    listed = 0
    while not cursor.ended():
        if cursor.take_word("AND"):
            continue
        for word, why in _REFUSED.items():
            if cursor.sees(word):
                raise cursor.fault(f"{word} cannot stand here", why=why)
        condition = _read_condition(cursor, subject)
        listed += len(condition.value) if isinstance(condition.value, tuple) else 0
        found.append(condition)
        if len(found) > MOST_CONDITIONS or listed > MOST_LISTED:
            raise cursor.fault(
                "the filter asks too much at once",
                why=f"at most {MOST_CONDITIONS} conditions and {MOST_LISTED:,} listed values are taken",
            )
    return tuple(found)


def parse_order(clauses: Sequence[str], subject: Subject) -> tuple[Order, ...]:
    """Read what to order by, most important first: ``metrics.loss DESC``, ``attributes.start_time``.

    Raises:
        UsageError: a clause cannot be read, names what the subject cannot be ordered by, or comes twice.
    """
    found: list[Order] = []
    if len(clauses) > 20:
        raise UsageError("too many clauses in order_by", why="at most 20 are taken", where="order_by")
    for clause in clauses:
        cursor = Cursor(clause[:LONGEST_FILTER], "order_by")
        kind, key = _read_ordered(cursor, subject)
        ascending = cursor.take_word("ASC") or not cursor.take_word("DESC")
        if not cursor.ended():
            raise cursor.fault("the clause does not end here", why="write a key, and ASC or DESC after it")
        if any(each.kind is kind and each.key == key for each in found):
            raise UsageError(f"order_by names {kind.value} {key!r} twice", where="order_by")
        found.append(Order(kind=kind, key=key, ascending=ascending))
    return tuple(found)


def _read_ordered(cursor: Cursor, subject: Subject) -> tuple[Kind, str]:
    name = cursor.read_name()
    kind = _kind_of(cursor, name, subject)
    if kind is Kind.ATTRIBUTE:
        if name.key not in subject.orders:
            near = _near(name.key, subject.orders)
            raise cursor.fault(
                f"{subject.name} cannot be ordered by {name.key!r}",
                at=name.at,
                near=near,
                known=subject.orders,
            )
        return subject.orders[name.key]
    if kind not in subject.ordered:
        raise cursor.fault(f"{subject.name} cannot be ordered by a {kind.value}", at=name.at)
    return kind, name.key


def _read_condition(cursor: Cursor, subject: Subject) -> Condition:
    name = cursor.read_name()
    kind = _kind_of(cursor, name, subject)
    key, measure = name.key, Measure.NUMBER if kind is Kind.METRIC else Measure.TEXT
    if kind is Kind.ATTRIBUTE:
        attribute = _attribute(cursor, name, subject)
        kind, key, measure = attribute.kind, attribute.name, attribute.measure
        allowed = attribute.comparators
    elif kind in subject.keys:
        allowed = _allowed_for_key(cursor, name, kind, subject)
    else:
        allowed = subject.comparators[kind]
    if not key:
        raise cursor.fault(f"the {kind.value} has no name", at=name.at)
    at, comparator = cursor.read_comparator()
    if comparator not in allowed:
        meant = _MEANT.get(comparator)
        raise cursor.fault(
            f"{name} cannot be compared by {comparator}",
            at=at,
            near=meant,
            known=sorted(allowed, key=_plainness),
        )
    if kind in {Kind.FEEDBACK, Kind.EXPECTATION} and comparator[0] in "<>":
        measure = Measure.NUMBER
    value = _read_value(cursor, str(name), comparator, measure)
    return Condition(kind=kind, key=key, comparator=comparator, value=value)


def _near(word: str, known: Mapping[str, object]) -> str | None:
    # Comparing takes long for long words, and nobody meant them.
    return near_match(word, known) if len(word) < 100 else None


def _plainness(comparator: str) -> tuple[bool, int, str]:
    return comparator[0].isalpha(), len(comparator), comparator


def _kind_of(cursor: Cursor, name: Name, subject: Subject) -> Kind:
    if name.entity is None:
        return Kind.ATTRIBUTE
    kind = subject.entities.get(name.entity)
    if kind is None:
        near = _near(name.entity, subject.entities)
        raise cursor.fault(
            f"{subject.name} have no {name.entity!r}", at=name.at, near=near, known=subject.entities
        )
    return kind


def _attribute(cursor: Cursor, name: Name, subject: Subject) -> Attribute:
    attribute = subject.attributes.get(name.key)
    if attribute is None:
        near = _near(name.key, subject.attributes)
        free = [each for each in ("metrics", "params", "tags") if each in subject.entities]
        why = (
            f"a key of your own is written {' or '.join(f'{each}.{name.key}' for each in free)}"
            if free
            else None
        )
        raise cursor.fault(
            f"{subject.name} have no attribute {name.key!r}",
            at=name.at,
            near=near,
            known=subject.attributes,
            why=why if name.entity is None and len(name.key) < 100 else None,
        )
    return attribute


def _allowed_for_key(cursor: Cursor, name: Name, kind: Kind, subject: Subject) -> frozenset[str]:
    known = subject.keys[kind]
    # A key that ends in a dot stands for all that begin with it.
    for key, allowed in known.items():
        if name.key == key or (key.endswith(".") and name.key.startswith(key) and name.key != key):
            return allowed
    raise cursor.fault(
        f"a {kind.value} has no {name.key!r}", at=name.at, near=_near(name.key, known), known=known
    )


def _read_value(cursor: Cursor, name: str, comparator: str, measure: Measure) -> Value:
    if comparator.startswith("IS "):
        return None
    if comparator.endswith("IN"):
        return cursor.read_list(name, MOST_LISTED)
    if measure is Measure.TEXT:
        text = cursor.read_text(name)
        if comparator.endswith("LIKE") and len(text) > LONGEST_PATTERN:
            raise cursor.fault(
                "the pattern is too long", why=f"a pattern has at most {LONGEST_PATTERN:,} characters"
            )
        return text
    number = cursor.read_number(name, quoted=measure is Measure.WHOLE)
    if measure is Measure.WHOLE and not isinstance(number, int):
        raise cursor.fault(f"{name} is compared with a whole number")
    return number
