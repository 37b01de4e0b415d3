"""Amounts in prose: digits, percents, number words, and vague amounts that no evidence can show."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from mlwright.engineer.asking.exhibits import number


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """One amount as it was written; ``value`` is None where it has none (half, most, dozens)."""

    text: str
    value: Decimal | None
    percent: bool = False

    @property
    def digits(self) -> bool:
        """Whether it was written with digits."""
        return any(each.isdigit() for each in self.text)


_ONES: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS: Final = {
    word: 10 * place
    for place, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
_WORDS: Final = {word: place for place, word in enumerate(_ONES)} | _TENS
_VAGUE: Final = frozenset(
    """half halves third thirds quarter quarters fifth tenth dozen dozens hundred hundreds thousand thousands million
    millions billion twice thrice double doubled triple tripled majority minority most few several twofold tenfold
    doubling halved""".split()
)
_NAMES: Final = frozenset(
    """p50 p90 p95 p99 s3 k8s l1 l2 f1 r2 utf8 utf-8 int8 int4 fp16 fp32 bf16 sha256 sha512 sha1 md5 oauth2 oauth http2
    ec2     h5 x86 x86_64 arm64 v1 v2 top-1 top-5 python3 python2 level0 a100 h100 t4 v100 1x""".split()
) - {"1x"}
"""Names that hold digits and are no amounts."""

_DIGITS: Final = re.compile(r"[^\s()\[\]{}\"“”,;!?*–—]*\d[^\s()\[\]{}\"“”;!?*–—]*")
_ITEM: Final = re.compile(r"[dmio][1-7]")
"""An item of the ML Test Score."""
_PERCENT: Final = re.compile(r"\s*(?:%|percent\b|per cent\b|percentage points?\b)", re.IGNORECASE)
_WORD: Final = re.compile(r"[a-z]+(?:-[a-z]+)?")
_PRONOUN_BEFORE: Final = frozenset(
    "this that which each every no the another any only either neither first next".split()
)
_PRONOUN_AFTER: Final = frozenset(
    "of another can could should would may might must that which who is by".split()
)


def amounts_in(text: str) -> list[Amount]:
    """Every amount of a text. "One" counts unless it plainly stands for a thing ("one of", "this one")."""
    return [*_written(text), *_spoken(text)]


def _written(text: str) -> list[Amount]:
    found = []
    for match in _DIGITS.finditer(text):
        word = match[0].strip("`'.,:–—-~≈<>=*_/")
        if not word or word.lower() in _NAMES or _ITEM.fullmatch(word.lower()):
            continue
        after = text[match.end() :]
        percent = word.endswith("%") or bool(_PERCENT.match(after))
        value = number(word.rstrip("%"))
        found.append(Amount(text=word, value=value, percent=percent))
    return found


def _spoken(text: str) -> list[Amount]:
    words = _WORD.findall(text.lower())
    found = []
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        after = words[place + 1] if place + 1 < len(words) else ""
        percent = after == "percent"
        if word == "one" and (before in _PRONOUN_BEFORE or after in _PRONOUN_AFTER or not after):
            continue
        if word in ("few", "several", "most", "third", "quarter", "minority", "second") and _harmless(
            word, before, after
        ):
            continue
        if word in _VAGUE:
            found.append(Amount(text=word, value=None))
        elif (value := _value(word)) is not None:
            found.append(Amount(text=word, value=Decimal(value), percent=percent))
    return found


def _harmless(word: str, before: str, after: str) -> bool:
    """ "The most valuable fix", "a third party", "few-shot": no amounts."""
    if word == "most":
        return before in ("the", "at", "your") or after in (
            "valuable",
            "likely",
            "important",
            "common",
            "often",
            "urgent",
        )
    return word == "third" and after in ("party", "parties")


def _value(word: str) -> int | None:
    tens, _, ones = word.partition("-")
    if not ones:
        return _WORDS.get(word)
    if tens in _TENS and _WORDS.get(ones, 10) < 10:
        return _TENS[tens] + _WORDS[ones]
    return None
