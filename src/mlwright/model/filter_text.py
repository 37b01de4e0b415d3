"""Reading the text of filters and orders: names, comparators, numbers, quoted texts, lists.

Reads forward once, so that its time grows with the length of the text whatever the text is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from mlwright.errors import UsageError

Number: TypeAlias = int | float

_SPACE: Final = re.compile(r"\s*")
_WORD: Final = re.compile(r"\w+")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.])")
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,25}")
_SIGN_NAME: Final = re.compile(r"[^\s=<>!()'\"`]*")
_SIGNS: Final = re.compile(r"[=!<>]+")
_WORDS: Final = re.compile(r"(?:NOT\s+)?(?:IN|[IR]?LIKE)\b|IS\s+NOT\s+NULL\b|IS\s+NULL\b", re.IGNORECASE)

_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Name:
    """A name in a filter: ``metrics.loss`` has the entity ``metrics``, a bare ``status`` has none."""

    entity: str | None
    key: str
    at: int
    written: str

    def __str__(self) -> str:
        return self.written if len(self.written) < 80 else self.written[:77] + "…"


class Cursor:
    """A place in a text, and what can be read from there. Every reading passes over the space before it."""

    def __init__(self, text: str, what: str) -> None:
        self._text = text
        self._what = what
        self._at = 0
        bad = next((at for at, c in enumerate(text) if c == "\0" or "\ud800" <= c <= "\udfff"), None)
        if bad is not None:
            raise self.fault("a character that is no text stands here", at=bad)

    def ended(self) -> bool:
        """Whether nothing but space is left."""
        return self._skip() >= len(self._text)

    def sees(self, word: str) -> bool:
        """Whether the word or sign comes next; a word in letters of any case, and not as the start of a name."""
        at = self._skip()
        found = self._text[at : at + len(word)]
        after = self._text[at + len(word) : at + len(word) + 1]
        return found.upper() == word and not (word.isalpha() and (after.isalnum() or after in ("_", ".")))

    def take_word(self, word: str) -> bool:
        """Pass over the word if it comes next."""
        if not self.sees(word):
            return False
        self._at += len(word)
        return True

    def read_name(self) -> Name:
        """A name: words and quoted parts joined by dots, without space between.

        Raises:
            UsageError: none stands here.
        """
        at = self._skip()
        parts = [self._read_part()]
        while self._text[self._at : self._at + 1] == ".":
            self._at += 1
            parts.append(self._read_part())
        written = self._text[at : self._at]
        after = self._text[self._at : self._at + 1]
        if after and not after.isspace() and after not in "=!<>":
            end = _SIGN_NAME.match(self._text, self._at)
            rest = end.group() if end else ""
            key = ".".join(parts[1:] or parts) + rest
            raise self.fault(
                f"the name does not end at {after!r}",
                why="a key with other signs than letters, digits, _ and . stands in quotes",
                near=f"{parts[0] + '.' if len(parts) > 1 else ''}`{key}`"
                if rest and len(key) < 100
                else None,
            )
        if len(parts) == 1:
            return Name(None, parts[0], at, written)
        return Name(parts[0], ".".join(parts[1:]), at, written)

    def read_comparator(self) -> tuple[int, str]:
        """Where a comparator stands, and it, in capitals and with single spaces.

        Raises:
            UsageError: none stands here.
        """
        at = self._skip()
        found = _SIGNS.match(self._text, at) or _WORDS.match(self._text, at)
        if found is None:
            raise self.fault("a comparator is missing", why="such as =, !=, <, >=, LIKE, ILIKE or IN")
        self._at = found.end()
        return at, " ".join(found.group().upper().split())

    def read_text(self, of: str) -> str:
        """A text in single or double quotes; a doubled quote, or one after a backslash, stands for itself.

        Raises:
            UsageError: none stands here, or its end is missing.
        """
        at = self._skip()
        if self._text[at : at + 1] not in ("'", '"'):
            raise self.fault(
                f"{of} is compared with a text", why="write it in single or double quotes, such as 'text'"
            )
        return self._read_quoted()

    def read_number(self, of: str, *, quoted: bool = False) -> Number:
        """A number; with ``quoted`` also a whole one in quotes. Beyond 64 bits it is a float.

        Raises:
            UsageError: none stands here.
        """
        at = self._skip()
        if quoted and self._text[at : at + 1] in ("'", '"'):
            found = _WHOLE.fullmatch(self._read_quoted())
        elif found := _NUMBER.match(self._text, at):
            self._at = found.end()
        if found is None:
            raise self.fault(
                f"{of} is compared with a number", why="such as 1, -0.5 or 1e-3, without quotes", at=at
            )
        written = found.group()
        if _WHOLE.fullmatch(written) and -_LARGEST <= int(written) <= _LARGEST:
            return int(written)
        return float(written)

    def read_list(self, of: str, most: int) -> tuple[str, ...]:
        """Texts in brackets, at least one.

        Raises:
            UsageError: none stands here, it does not end, or there are too many.
        """
        example = "such as ('a', 'b')"
        if not self._take("("):
            raise self.fault(f"{of} is compared with a list of texts", why=example)
        found: list[str] = []
        while not self._take(")"):
            if found and not self._take(","):
                raise self.fault("the list does not go on here", why=f"texts are joined by commas, {example}")
            if found and self._take(")"):
                break
            found.append(self.read_text(f"each value of {of}"))
            if len(found) > most:
                raise self.fault("the list is too long", why=f"at most {most:,} values are taken")
        if not found:
            raise self.fault("the list is empty", why=example)
        return tuple(found)

    def fault(
        self,
        what: str,
        *,
        at: int | None = None,
        why: str | None = None,
        near: str | None = None,
        known: Iterable[str] = (),
    ) -> UsageError:
        """The error that says what is wrong at a place, by default the present one."""
        place = min(self._at if at is None else at, len(self._text))
        shown = self._text[place : place + 40].encode(errors="replace").decode().replace("\0", "?")
        hint = f"; did you mean {near!r}?" if near else ""
        choices = ", ".join(known)
        return UsageError(
            f"{_short(what)}{hint}",
            where=f"{self._what}, character {place + 1}" + (f" ({shown!r})" if shown else " (its end)"),
            why="; ".join(each for each in (f"there is {choices}" if choices else None, why) if each) or None,
        )

    def _skip(self) -> int:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at

    def _take(self, sign: str) -> bool:
        if self._text[self._skip() : self._at + 1] != sign:
            return False
        self._at += 1
        return True

    def _read_part(self) -> str:
        if self._text[self._at : self._at + 1] in ("'", '"', "`"):
            return self._read_quoted()
        found = _WORD.match(self._text, self._at)
        if found is None:
            raise self.fault("a name is missing", why="such as metrics.loss, params.`batch size` or status")
        self._at = found.end()
        return found.group()

    def _read_quoted(self) -> str:
        """What stands in the quotes that begin here."""
        begin, quote = self._at, self._text[self._at]
        special = re.compile(re.escape(quote) if quote == "`" else re.escape(quote) + r"|\\")
        # Where the quote after a backslash is the last one, it ends the text: 'C:\\'.
        last = self._text.rfind(quote)
        at = begin + 1
        pieces: list[str] = []
        while (found := special.search(self._text, at)) is not None:
            place, sign = found.start(), found.group()
            pieces.append(self._text[at:place])
            follows = self._text[place + 1 : place + 2] == quote
            if sign == quote and not follows:
                self._at = place + 1
                return "".join(pieces)
            doubled = follows and (sign == quote or place + 1 != last)
            pieces.append(quote if doubled else sign)
            at = place + (2 if doubled else 1)
        raise self.fault(f"the quote {quote} that begins here has no end", at=begin)


def _short(what: str) -> str:
    return what if len(what) <= 300 else what[:299] + "…"
