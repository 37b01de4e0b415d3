"""The tables ``[[promotion]]`` of ``mlwright.toml`` as values."""

from collections.abc import Mapping, Sequence
from dataclasses import fields

import msgspec

from mlwright.model.promotion import Approval, PromotionPolicy

_KEYS = frozenset(each.name for each in fields(PromotionPolicy))
_APPROVAL_KEYS = frozenset(each.name for each in fields(Approval))


def plain_policies(tables: object) -> tuple[PromotionPolicy, ...] | None:
    """What the tables ``[[promotion]]`` say, or None where one is not as it should be."""
    if not isinstance(tables, list) or not all(_is_plain(each) for each in tables):
        return None
    try:
        return policies_in(tables)
    except (msgspec.ValidationError, TypeError):
        return None


def policies_in(tables: Sequence[Mapping[str, object]]) -> tuple[PromotionPolicy, ...]:
    """Tables of the right form as policies.

    Raises:
        msgspec.ValidationError: a value has another type.
    """
    return tuple(msgspec.convert(each, PromotionPolicy) for each in tables)


def _is_plain(table: object) -> bool:
    """Whether every key is known: one that is misspelt must not make a policy laxer."""
    if not isinstance(table, dict) or not table.keys() <= _KEYS:
        return False
    approvals = table.get("approvals", [])
    return isinstance(approvals, list) and all(
        isinstance(each, dict) and each.keys() <= _APPROVAL_KEYS for each in approvals
    )
