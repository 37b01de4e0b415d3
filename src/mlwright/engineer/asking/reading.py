"""Reading a question: which of the known intents it has, because of which words; asking back instead of guessing."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mlwright.engineer.asking.intents import INTENTS, Intent
from mlwright.engineer.asking.words import content, corrected, sounds_foreign, stem, tokens
from mlwright.model.answers import OtherReading, Reading

ENOUGH: Final = 3.0
"""The least weight that a reading needs."""
AHEAD: Final = 1.0
"""By how much it must be ahead of the next one."""
_NAMED: Final = 8.0
"""What naming a finding by its id adds to "explain it"."""
ENGLISH_ONLY: Final = "questions are read in English only"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scored:
    intent: Intent
    score: float
    why: tuple[str, ...]


def read(question: str, finding_ids: Collection[str] = (), names: Collection[str] = ()) -> Reading:
    """Match a question with the intents.

    Args:
        question: English, in any form; spelling mistakes are forgiven where they have one correction only.
        finding_ids: ids that may be named in it.
        names: of endpoints; they say what is meant and not what is asked.
    """
    named = {word for name in names for word in tokens(name)}
    words = tuple(word for word in tokens(question) if word not in named)
    ranked = _rank(words, named_findings(question, finding_ids))
    best, rest = ranked[0], ranked[1:]
    clear = best.score >= ENOUGH and best.score - rest[0].score >= AHEAD
    if clear and not sounds_foreign(words):
        near = [each for each in rest[:2] if each.score >= ENOUGH / 2]
        return Reading(
            intent=best.intent.id,
            title=best.intent.title,
            why=best.why,
            others=tuple(map(_other, near)),
            sure=True,
        )
    return Reading(
        intent="",
        title="",
        why=best.why if best.score else (),
        others=tuple(map(_other, ranked[:3])),
        sure=False,
        note=_doubt(words, best, rest[0]),
    )


def named_findings(question: str, finding_ids: Collection[str]) -> tuple[str, ...]:
    """The ids among the known ones that a question names, in its order."""
    said = re.findall(r"[a-z0-9_/-]+(?:\.[a-z0-9_-]+)+", question[:2000].lower())
    return tuple(dict.fromkeys(id for each in said if (id := each.rstrip(".")) in finding_ids))


def _rank(words: Sequence[str], named: Sequence[str]) -> list[_Scored]:
    meant = {word: found for word in dict.fromkeys(words) if (found := corrected(word, _VOCABULARY))}
    stems = [meant.get(word, each) for word in words for each in content((word,))]
    pairs = set(_runs(stems)) | set(_runs([meant.get(word, stem(word)) for word in words]))
    scored = [_score(each, meant, pairs, named) for each in INTENTS]
    # Where nothing speaks for any, the order of the table is the order in which teams ask.
    return sorted(scored, key=lambda each: -each.score)


def _score(intent: Intent, meant: Mapping[str, str], runs: Collection[str], named: Sequence[str]) -> _Scored:
    weights = _STEMS[intent.id]
    hits: dict[str, tuple[float, str]] = {}
    for word, found in meant.items():
        weight = weights.get(found)
        if weight is not None and found not in hits:
            hits[found] = (weight, word if stem(word) == found else f"{word} (read as {found})")
    total = sum(weight for weight, _ in hits.values())
    why = [word for _, word in sorted(hits.values(), key=lambda each: -each[0])]
    for phrase, weight in _PHRASES[intent.id].items():
        if phrase in runs:
            total += weight
            why.insert(0, _SPELT[phrase])
    if intent.id == "explain" and named:
        total += _NAMED
        why[:0] = named
    return _Scored(intent=intent, score=total, why=tuple(dict.fromkeys(why)))


def _runs(stems: Sequence[str]) -> Iterable[str]:
    """All runs of two and three neighbours."""
    for length in (2, 3):
        for start in range(len(stems) - length + 1):
            yield " ".join(stems[start : start + length])


def _doubt(words: Sequence[str], best: _Scored, second: _Scored) -> str:
    if sounds_foreign(words):
        return ENGLISH_ONLY
    if best.score < ENOUGH:
        said = f"only {', '.join(best.why)} was understood" if best.why else "no word of it was understood"
        return f"{said}; {ENGLISH_ONLY}, and only about machine learning in production"
    return f"it could as well mean “{best.intent.title}” as “{second.intent.title}”"


def _other(scored: _Scored) -> OtherReading:
    intent = scored.intent
    return OtherReading(intent=intent.id, title=intent.title, example=intent.examples[0])


_STEMS: Final = {each.id: {stem(word): weight for word, weight in each.words.items()} for each in INTENTS}
_SPELT: Final = {
    " ".join(map(stem, phrase.split())): phrase
    for each in reversed(INTENTS)
    for phrase in reversed(list(each.phrases))
}
_PHRASES: Final = {
    each.id: {" ".join(map(stem, phrase.split())): weight for phrase, weight in each.phrases.items()}
    for each in INTENTS
}
_VOCABULARY: Final = frozenset(
    [word for weights in _STEMS.values() for word in weights]
    + [word for phrases in _PHRASES.values() for phrase in phrases for word in phrase.split()]
)
