"""The tables ``[[promotion]]`` of ``mlwright.toml``, read without the libraries that judge the whole file."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import msgspec

from mlwright.adapters.config.storage import find_file, read_toml
from mlwright.model.promotion import Approval, PromotionPolicy

_KEYS = frozenset(each.name for each in fields(PromotionPolicy))
_APPROVAL_KEYS = frozenset(each.name for each in fields(Approval))


def find_promotions(*starts: Path) -> tuple[PromotionPolicy, ...]:
    """The policies of the project that holds the first of these folders that one holds; none without a project.

    Raises:
        SettingsError: the file is not TOML, or these tables have faults.
    """
    file = next((found for start in starts if (found := find_file(start)) is not None), None)
    return load_promotions(file) if file else ()


def load_promotions(path: Path) -> tuple[PromotionPolicy, ...]:
    """The policies in one ``mlwright.toml``; the other tables may have faults where these have none.

    Raises:
        SettingsError: the file is absent or is not TOML, or these tables have faults.
    """
    tables = read_toml(path).get("promotion", [])
    if isinstance(tables, list) and all(_is_plain(each) for each in tables):
        try:
            return policies_in(tables)
        except (msgspec.ValidationError, TypeError):
            pass
    # Whoever judges the whole file words its faults.
    from mlwright.adapters.config.load import load_settings

    return load_settings(path).promotions


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
