"""What was met and is not carried: collected once each, however often a source is read."""

from typing import Final

from mlwright.adapters.moving.texts import clean
from mlwright.model.moving import LeftOut

_MOST: Final = 2000


class Unreadable(ValueError):
    """A run's own file cannot be read at all; the message says why, in words for the report."""


class Notes:
    """Collects :class:`LeftOut`; the first 2000 by name, all others as one number."""

    def __init__(self) -> None:
        self._kept: dict[LeftOut, None] = {}
        self._more: set[int] = set()

    def add(self, what: str, where: str, why: str) -> None:
        """Note it, unless it was noted before."""
        note = LeftOut(what=clean(what)[:500], where=clean(where)[:500], why=clean(why)[:500])
        if note in self._kept:
            return
        if len(self._kept) < _MOST:
            self._kept[note] = None
        elif len(self._more) < 1_000_000:
            self._more.add(hash(note))

    def all(self) -> tuple[LeftOut, ...]:
        """In the order of where and what."""
        kept = sorted(self._kept, key=lambda note: (note.where, note.what, note.why))
        if self._more:
            kept.append(
                LeftOut(what=f"{len(self._more)} more notes", where="", why=f"only {_MOST} are told by name")
            )
        return tuple(kept)
