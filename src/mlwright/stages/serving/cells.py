"""Cells of a CSV by the types of the fields that they stand for: the same in a request and in a file."""

from collections.abc import Mapping
from typing import Final

from mlwright.model.batches import NUMBERS, WHOLE

MISSING: Final = frozenset({"", "nan", "NaN", "NA", "N/A", "null", "None"})
"""What says that a number or a boolean is missing."""

_BOOLEANS: Final[Mapping[str, bool]] = {
    "true": True,
    "false": False,
    "1": True,
    "0": False,
    "1.0": True,
    "0.0": False,
}


def cell(kind: str, text: str) -> object:
    """One cell as a value of a field of this type; None is missing.

    Raises:
        ValueError: it is none.
    """
    if kind not in NUMBERS:
        return text or None
    plain = text.strip()
    if plain in MISSING:
        return None
    if kind == "boolean":
        truth = _BOOLEANS.get(plain.lower())
        if truth is None:
            raise ValueError(text)
        return truth
    if "_" in plain:  # Python reads 1_000 as a number
        raise ValueError(text)
    if kind in WHOLE and plain.lstrip("+-").isdecimal():
        return int(plain)
    return float(plain)


def cell_or_text(kind: str, text: str) -> object:
    """The same, but what is none stays the text that it is: to refuse it is the contract's."""
    try:
        return cell(kind, text)
    except ValueError:
        return text


def guessed(text: str) -> object:
    """A cell of a model without a signature: a number where it is one."""
    return cell_or_text("long", text)
