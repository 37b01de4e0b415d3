"""Verdicts in prose: which words judge, in which direction, and which sentence says that a finding holds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mlwright.engineer.asking.words import stem, tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One judging word: ``positive`` after negation; ``grand`` ones judge the whole and need evidence of their own."""

    word: str
    stem: str
    positive: bool
    grand: bool


def _stems(text: str) -> frozenset[str]:
    return frozenset(map(stem, text.split()))


_GOOD: Final = _stems(
    """pass passes passed hold holds fine ok okay green satisfied fulfilled correct protected present exists complete
    enforced working works succeed succeeds successful success sufficient clean resolved fixed met implemented covered
    guaranteed safely properly stable accurate trustworthy verified configured established"""
)
_BAD: Final = _stems(
    """fail fails failed failing failure broken missing absent lack lacks lacking wrong violate violates violated
    violation red insufficient incomplete degraded degrading exposed leak leaks leaking leaked stale risky dangerous
    defect faulty unprotected unpinned unlocked untested unmonitored unversioned unsigned worse bad poor inaccurate"""
)
_GRAND_GOOD: Final = _stems(
    """ready production-ready secure safe healthy compliant robust perfect flawless excellent mature reliable
    reproducible     promote promoted ship approve approved certified sound bulletproof"""
)
_GRAND_BAD: Final = _stems(
    """insecure unsafe unhealthy noncompliant non-compliant vulnerable rollback unready immature unreliable
    irreproducible     compromised hacked illegal unlawful"""
)
_RUN: Final = _stems(
    "pass passes passed fail fails failed green red work works working succeed succeeds successful"
)
_RUNS: Final = _stems("test tests suite ci build pipeline run runs gate workflow training endpoint model")
"""What passes when it is run; nothing was run here, so "the tests pass" needs evidence that says so."""
_NEGATIONS: Final = frozenset(
    """not no never none neither nor without nothing nobody cannot isnt arent wasnt werent dont doesnt didnt cant
    couldnt     wont hasnt havent hadnt lacks lack lacking hardly barely nowhere free""".split()
)
_ABSENT: Final = frozenset("missing absent".split())
_FAR: Final = 4
"""Words between a negation and what it negates."""

_SUPPOSED: Final = (
    # A finite verb begins a claim again: "you should know the packages are locked".
    re.compile(
        r"\b(?:should|must|needs? to|would|in order to|to (?:make|be|get|keep|have|avoid)|recommend|suggest|consider"
        r"|want)\b"
        r".*?(?=[,;:—]|\b(?:because|since|as|and|that)\b|\b[\w-]+\s+(?:is|are|was|were|has|have)\b|$)",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:if|unless|until|whether|so that|make sure(?: that)?|ensure(?: that)?)\b"
        r".*?(?=[,;:—]|\b(?:because|since)\b|$)",
        re.IGNORECASE,
    ),
)
_IMPERATIVE: Final = re.compile(
    r"^\W*(?:(?:then|next|first|also|finally|please|now),?\s+)?(?:add|pin|lock|set|write|run|use|create|start"
    r"|configure|move|replace|"
    r"record|log|put|keep|define|check|make|fix|declare|generate|remove|rotate|revoke|split|seed|evaluate|measure|compare|test|"
    r"begin|store|load|export|build|look|read|ask|let)\b"
    r".*?(?=[,;:—]|\b(?:because|since|and|that)\b|\b[\w-]+\s+(?:is|are|was|were|has|have)\b|$)",
    re.IGNORECASE,
)
_PRESENCE: Final = re.compile(
    r"\bthere (?:is|are|was|were)\b"
    r"|\b(?:repository|project|repo|code|team|you|it) (?:has|have|uses?|contains?|includes?|lacks?)\b",
    re.IGNORECASE,
)
_COMPOUND: Final = (
    (re.compile(r"\broll(?:ed|ing)?[ -]back\b", re.IGNORECASE), "rollback"),
    (re.compile(r"\bproduction[ -]ready\b", re.IGNORECASE), "ready"),
    (re.compile(r"\bnon[ -]compliant\b", re.IGNORECASE), "noncompliant"),
    (re.compile(r"\bin place\b", re.IGNORECASE), "established"),
)
_EMPTY: Final = _stems(
    """the a an of to in on at by for with and or is are was were be been it its this that from as each every all any
    some which     can has have here there not no never one than so"""
)


def verdict_words(text: str, *, question: bool = False) -> list[str]:
    """The words of a text that judge or, outside of questions, say that something is there, wherever they stand."""
    presence = [] if question else _PRESENCE.findall(text)
    return [claim.word for claim in _claims(_compounds(text))] + [each.lower() for each in presence]


def claims_in(text: str) -> list[Claim]:
    """The judgements that a text makes; what it only asks for or supposes ("should", "if", "pin …") is none."""
    return _claims(_supposed_out(_compounds(text)))


def says_title(text: str, title: str) -> bool:
    """Whether a text says what a finding's title says, or its opposite: most of its words, in one clause."""
    return judge_word(text, title) is not None


def judge_word(text: str, title: str) -> bool | None:
    """Whether a text says that the title holds (True), that it does not (False), or does not speak of it (None)."""
    wanted = frozenset(map(stem, tokens(title))) - _EMPTY
    if len(wanted) < 2:
        return None
    words = tokens(_supposed_out(_compounds(text)))
    stems = [_unnegated(stem(word)) for word in words]
    shared = wanted & {each for each, _ in stems}
    if len(shared) < 2 or len(shared) / len(wanted) < 0.5:
        return None
    first = min(place for place, (each, _) in enumerate(stems) if each in shared)
    last = max(place for place, (each, _) in enumerate(stems) if each in shared)
    reach = words[max(0, first - _FAR) : last + 1]
    negative = sum(word in _NEGATIONS for word in reach)
    negative += sum(word in _ABSENT for word in words[first : last + _FAR])
    negative += sum(turned for each, turned in stems[first : last + 1] if each in shared)
    # A title may be negative itself: "no model is loaded inside the handler".
    return (negative - sum(word in _NEGATIONS for word in tokens(title))) % 2 == 0


def _unnegated(word: str) -> tuple[str, bool]:
    """``unpinned`` is ``pinned`` turned round."""
    if word.startswith("un") and len(word) > 5:
        return stem(word[2:]), True
    return word, False


def _claims(text: str) -> list[Claim]:
    words = tokens(text)
    return [
        made
        for place, word in enumerate(words)
        if (made := _claim(word, words[max(0, place - _FAR) : place]))
    ]


def _claim(word: str, before: Sequence[str]) -> Claim | None:
    base = stem(word)
    grand = (
        base in _GRAND_GOOD
        or base in _GRAND_BAD
        or (base in _RUN and not _RUNS.isdisjoint(map(stem, before)))
    )
    if not (grand or base in _GOOD or base in _BAD):
        return None
    positive = base in _GOOD or base in _GRAND_GOOD
    turned = sum(each in _NEGATIONS for each in before) % 2 == 1
    return Claim(word=word, stem=base, positive=positive != turned, grand=grand)


def _compounds(text: str) -> str:
    for pattern, instead in _COMPOUND:
        text = pattern.sub(instead, text)
    return text


def _supposed_out(text: str) -> str:
    text = _IMPERATIVE.sub(" ", text)
    for pattern in _SUPPOSED:
        text = pattern.sub(" ", text)
    return text
