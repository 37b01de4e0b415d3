"""A text as lines, sentences and clauses with the ids that each of them cites."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mlwright.model.findings import Location

_MOST: Final = 20_000
_LONGEST: Final = 1_000
"""Characters of one sentence; a longer one is no sentence and is cut into pieces that must stand by themselves."""

_ID: Final = r"`?[A-Za-z][\w:./@+-]*`?"
CITED: Final = re.compile(rf"\[({_ID}(?:\s*[,;]\s*{_ID})*)\]")
"""``[data.contract]`` or ``[data.contract, run:01J]``."""

_CONTROL: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
_LEAD: Final = re.compile(r"^\s*(?:[-*+•]\s+|\d{1,2}[.)]\s+|#{1,6}\s+|>\s*)?")
_END: Final = re.compile(r"(?<=[.!?])[\"”')*_]*\s+(?=[^\s\[]|\[[^\]]*\]\s*[^\s.])")
_BREAK: Final = re.compile(r"[;:](?=\s)|,?\s+\b(?:but|however|whereas|while|although|though|yet)\b")
_RHETORIC: Final = re.compile(r"\bknow\b|n['’]t\b", re.IGNORECASE)
"""“Did you know …?” and “Isn't it …?” say something."""
_SHORT: Final = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|approx|no|fig|resp)\.$", re.IGNORECASE)
_UNSURE: Final = re.compile(
    r"\b(?:unknown|unclear|not (?:be )?(?:known|visible|available|told|determined|seen|clear)|cannot "
    r"(?:be )?(?:tell|told"
    r"|see|seen|know|determine|determined|say)|can't (?:tell|see|say)|could not be|couldn't be|not enough evidence"
    r"|undetermined)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: its bullet or the like, and its sentences; none where it is empty."""

    lead: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """A part of a sentence and what it cites. ``unknown``: it says that something is not known."""

    text: str
    ids: tuple[str, ...]
    unknown: bool
    question: bool


def sentences_of(text: str) -> Iterator[Line]:
    """The lines of a text with their sentences. Code between fences is left out: commands come from the rules."""
    one_form = unicodedata.normalize("NFKC", text[:_MOST].replace("\r\n", "\n").replace("\r", "\n"))
    clean = _CONTROL.sub("", one_form)
    fenced = False
    for raw in clean.split("\n"):
        if raw.strip().startswith(("```", "~~~")):
            fenced = not fenced
            continue
        if fenced:
            continue
        lead = _LEAD.match(raw)
        mark = lead[0] if lead else ""
        yield Line(lead=_tidy(mark), sentences=tuple(_sentences(raw[len(mark) :].strip())))


def _tidy(mark: str) -> str:
    # Markdown's headings and quotes say nothing on a terminal; numbers of a list would be numbers nobody checked.
    return "- " if mark.strip() and mark.strip()[0] in "-*+•0123456789" else ""


def _sentences(text: str) -> Iterator[str]:
    whole = ""
    for piece in _END.split(text):
        whole = f"{whole} {piece}".strip()
        if _SHORT.search(whole):
            continue
        yield from _pieces(whole)
        whole = ""
    if whole:
        yield from _pieces(whole)


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), _LONGEST):
        yield text[start : start + _LONGEST]


def clauses_of(sentence: str) -> list[Clause]:
    """The clauses of a sentence: a group of citations covers what stands before it, back to the group before.

    What stands after the last group is covered by that one.
    """
    question = sentence.rstrip(' *_"”').endswith("?") and not _RHETORIC.search(sentence)
    groups = list(CITED.finditer(sentence))
    if not groups:
        return [_clause(part, (), question) for part in _BREAK.split(sentence) if part.strip()]
    parts: list[tuple[str, tuple[str, ...]]] = []
    start = 0
    ids: tuple[str, ...] = ()
    for group in groups:
        ids = tuple(each.strip().strip("`") for each in re.split(r"[,;]", group[1]))
        between = sentence[start : group.start()]
        if between.strip(" ,;.") or not parts:
            parts.append((between, ids))
        else:
            parts[-1] = (parts[-1][0], (*parts[-1][1], *ids))
        start = group.end()
    rest = sentence[start:]
    if re.search(r"\w", rest):
        parts.append((rest, parts[-1][1]))
    return [
        _clause(piece, ids, question) for text, ids in parts for piece in _BREAK.split(text) if piece.strip()
    ]


def _clause(text: str, ids: tuple[str, ...], question: bool) -> Clause:
    return Clause(text=text, ids=ids, unknown=bool(_UNSURE.search(text)), question=question)


def plain(text: str, places: Sequence[Location]) -> str:
    """A text without the places of what it cites, so that a line number is no figure; other places stay."""
    for place in sorted({str(each) for each in places}, key=len, reverse=True):
        text = text.replace(place, " ")
    for place in sorted({each.path for each in places}, key=len, reverse=True):
        text = text.replace(place, " ")
    for line in sorted({each.line for each in places if each.line}, reverse=True):
        text = re.sub(rf"\blines? {line}\b", " ", text, flags=re.IGNORECASE)
    return text
