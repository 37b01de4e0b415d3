"""The query of a page's address: read with limits, and written again with something changed."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias
from urllib.parse import quote_plus

Change: TypeAlias = str | Sequence[str] | None


class Query:
    """The names and values behind the question mark, in order; empty values are as good as none."""

    def __init__(self, path: str, items: Iterable[tuple[str, str]]) -> None:
        self.path = path
        self._items = [(name, value) for name, value in items if value != ""]

    def one(self, name: str, otherwise: str = "") -> str:
        """The last value of a name."""
        return next((value for key, value in reversed(self._items) if key == name), otherwise)

    def all(self, name: str) -> list[str]:
        """All values of a name, each once."""
        return list(dict.fromkeys(value for key, value in self._items if key == name))

    def listed(self, name: str) -> list[str]:
        """All values of a name, of which each may hold several with commas between; each once."""
        parts = (part.strip() for value in self.all(name) for part in value.split(","))
        return list(dict.fromkeys(part for part in parts if part))

    def whole(self, name: str, otherwise: int, least: int, most: int) -> int:
        """A whole number, moved into its limits; what is none counts as not given."""
        text = self.one(name)
        value = int(text) if text.isdecimal() and len(text) < 10 else otherwise
        return min(max(value, least), most)

    def pairs(self, *without: str) -> list[tuple[str, str]]:
        """What is asked for, without some names: the hidden fields of a form."""
        return [each for each in self._items if each[0] not in without]

    def but(self, **changes: Change) -> str:
        """The address with other values for some names; None or an empty text leaves a name out."""
        items = self.pairs(*changes)
        for name, value in changes.items():
            if value is not None:
                items += [(name, each) for each in ([value] if isinstance(value, str) else value) if each]
        return address(self.path, items)


def address(path: str, items: Iterable[tuple[str, str]]) -> str:
    """A path with a query, escaped."""
    query = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in items)
    return f"{path}?{query}" if query else path
