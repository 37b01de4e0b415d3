"""Numbers and lists as the evidence of a finding says them."""

from collections.abc import Iterable, Sequence
from typing import Final

SHOWN: Final = 20
"""How many places a finding shows at most; how many there are stands in its values."""


def counted(number: int, singular: str, plural: str = "") -> str:
    """``counted(3, "split")`` is "3 splits"."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def listed(names: Iterable[str], shown: int = 5) -> str:
    """The first names in order of the alphabet, and how many more there are."""
    known = sorted(set(names), key=lambda name: (name.lower(), name))
    more = len(known) - shown
    return ", ".join(known[:shown]) + (f" and {more} more" if more > 0 else "")


def enumerated(names: Sequence[str], shown: int = 5) -> str:
    """The first names in the order given, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
