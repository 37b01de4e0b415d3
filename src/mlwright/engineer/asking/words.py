"""Words of a question: what they are, which word they were meant to be, what they have in common.

Plain and deterministic on purpose: a person can follow why a question was read as it was.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Final

_MOST: Final = 2000
"""Characters of a question that are read; nobody asks a longer one by hand."""

_WORD: Final = re.compile(r"[a-z0-9]+(?:\.[a-z0-9_]+)*")
_ORDINARY: Final = frozenset(
    """a an the our my your their its this that these those is are was were be been am do does did have has had will
    would can could should shall may might must i we you they it he she us me them to of for in on at by with from into
    about as and or but if then than so very just also please there here some any each every all how what when where
    who whom whose why which want wants wanted need needs like make makes made get gets got go goes going gone take
    takes use uses used using know think tell show give help thing things way ways lot today now still already yet
    ever never not no yes up out off over under again new old good well much many more most less least really
    quite actually currently right time times people person team user users customer customers company week weeks
    month months day days year years because since while before after during between without within only delay
    delays delayed""".split()
)
"""Never taken for a misspelling of another word."""

_GLUE: Final = frozenset(
    """a an the our my your their its this that these those is are was were be been am do does did i we you they it us
    me to of for in on at by with from into as and or so just also please some any""".split()
)
"""Left out before phrases are looked for: "deploy this PyTorch model" holds "deploy pytorch model"."""

_FOREIGN: Final = frozenset(
    """der die das und ist wie ich wir mein meine unser unsere nicht ein eine einen fur mit auf warum kann brauche
    le la les des une est comment pourquoi notre nos mon je nous pour avec el los las una como por nuestro nuestra
    modelo il perche nostro modello o os um uma nao para porque meu minha""".split()
)

_IRREGULAR: Final = {
    "fell": "fall",
    "fallen": "fall",
    "ran": "run",
    "running": "run",
    "built": "build",
    "broke": "break",
    "broken": "break",
    "chose": "choose",
    "chosen": "choose",
    "spent": "spend",
    "better": "better",
    "metrics": "metric",
    "series": "series",
    "bias": "bias",
    "biased": "bias",
    "biases": "bias",
    "process": "process",
    "access": "access",
    "fairness": "fair",
    "readiness": "ready",
    "maturity": "mature",
    "degradation": "degrade",
    "comparison": "compare",
    "compliance": "comply",
    "compliant": "comply",
    "reproducibility": "reproduce",
    "reproducible": "reproduce",
    "reproducable": "reproduce",
    "vulnerabilities": "vulnerability",
    "deployment": "deploy",
    "deployments": "deploy",
    "leakage": "leak",
    "dropped": "drop",
    "dropping": "drop",
    "getting": "get",
    "scaling": "scale",
    "fitting": "fit",
    "splitting": "split",
    "shipping": "ship",
    "shipped": "ship",
    "logging": "log",
    "logged": "log",
}


def tokens(text: str) -> tuple[str, ...]:
    """The words of a text in lower case, without accents and apostrophes: "What's A/B?" is ("whats", "ab").

    Dotted names such as ``data.contract`` stay whole.
    """
    flat = unicodedata.normalize("NFKD", text[:_MOST]).casefold()
    flat = "".join(each for each in flat if not unicodedata.combining(each))
    flat = flat.replace("'", "").replace("’", "").replace("a/b", "ab").replace("ci/cd", "ci")
    return tuple(_WORD.findall(flat))


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without its ending, so that deploy, deploys and deploying are one. Light; it errs by leaving."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 3 or not word.isalpha():
        return word
    for ending, instead in (
        ("ies", "y"),
        ("sses", "ss"),
        ("ments", ""),
        ("ings", ""),
        ("ing", ""),
        ("ed", ""),
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return _bare(word[: -len(ending)] + instead)
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return _bare(word[:-1])
    return _bare(word)


def _bare(word: str) -> str:
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def content(words: Sequence[str]) -> tuple[str, ...]:
    """The stems of the words that carry meaning, in order."""
    return tuple(stem(word) for word in words if word not in _GLUE)


def corrected(word: str, vocabulary: Collection[str]) -> str | None:
    """The word of the vocabulary that a word is, or is a misspelling of; None where there is none, or no single one.

    A misspelling begins with the same letter and is one edit away (two from seven letters on), where swapping two
    neighbours is one edit (optimal string alignment).
    """
    own = stem(word)
    if own in vocabulary:
        return own
    if word in _ORDINARY or len(own) < 4 or not own.isalpha():
        return None
    allowed = 1 if len(own) < 7 else 2
    best: dict[int, list[str]] = {}
    for known in vocabulary:
        if known[0] == own[0] and abs(len(known) - len(own)) <= allowed and len(known) >= 4:
            steps = _distance(own, known, allowed)
            if steps <= allowed:
                best.setdefault(steps, []).append(known)
    nearest = best[min(best)] if best else []
    return nearest[0] if len(nearest) == 1 else None


def sounds_foreign(words: Sequence[str]) -> bool:
    """Whether a question seems to be in another language: two of its little words, and more than English ones."""
    theirs = sum(word in _FOREIGN for word in words)
    return theirs >= 2 and theirs > sum(word in _ORDINARY for word in words)


def _distance(left: str, right: str, limit: int) -> int:
    """Optimal string alignment distance; above the limit any larger number may come back."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, one in enumerate(left, 1):
        earlier, before, row = before, row, [i]
        for j, other in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (one != other))
            if i > 1 and j > 1 and one == right[j - 2] and left[i - 2] == other:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
    return row[-1]
