"""Checking what a language model wrote, sentence by sentence: what claims something must cite it, and cite it rightly.

A sentence that carries a number or a verdict is let through only if it names ids that exist, its numbers stand behind
those ids, and it does not say the opposite of what they found. The rules err by dropping. They cannot tell whether a
sentence without number or verdict is wise; the answer of the rules always stands beside it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mlwright.engineer.asking.claims import Claim, claims_in, judge_word, says_title, verdict_words
from mlwright.engineer.asking.commands import invented
from mlwright.engineer.asking.exhibits import Exhibit, shows
from mlwright.engineer.asking.numbers import Amount, amounts_in
from mlwright.engineer.asking.sentences import CITED, Clause, clauses_of, plain, sentences_of
from mlwright.engineer.asking.words import sounds_foreign, tokens
from mlwright.model.answers import Dropped
from mlwright.model.findings import Outcome

_UNKNOWN: Final = (Outcome.NOT_AVAILABLE, Outcome.NOT_SUPPORTED, Outcome.ERROR, Outcome.NOT_APPLICABLE)
_URL: Final = re.compile(r"https?://|www\.", re.IGNORECASE)
_LATIN: Final = 0x24F
"""The last letter of the extended Latin alphabet."""
_FLAG: Final = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What is left of a text, and what was dropped."""

    text: str
    dropped: tuple[Dropped, ...]


def check(text: str, exhibits: Mapping[str, Exhibit], allowed: str = "") -> Checked:
    """Check every sentence of a text.

    Args:
        text: what a model wrote; only its first 20,000 characters are read.
        exhibits: what may be cited, by id.
        allowed: text of the rules' own answer: addresses and flags that stand in it may be repeated.
    """
    kept: list[str] = []
    dropped: list[Dropped] = []
    for line in sentences_of(text):
        good: list[str] = []
        for sentence in line.sentences:
            reason = fault_of(sentence, exhibits, allowed)
            if reason is None:
                good.append(sentence)
            else:
                dropped.append(Dropped(sentence=sentence[:500], reason=reason))
        if good:
            kept.append(line.lead + " ".join(good))
        elif not line.sentences and kept and kept[-1]:
            kept.append("")
    return Checked(text="\n".join(kept).strip(), dropped=tuple(dropped))


def fault_of(sentence: str, exhibits: Mapping[str, Exhibit], allowed: str = "") -> str | None:
    """Why a sentence must not be let through, or None."""
    outside = _outside(sentence, allowed)
    if outside is not None:
        return outside
    cited = [id for group in CITED.findall(sentence) for id in _ids(group)]
    unknown = [id for id in cited if id not in exhibits]
    if unknown:
        return f"it cites {unknown[0]!r}, which does not exist"
    for clause in clauses_of(sentence):
        shown = [exhibits[id] for id in clause.ids]
        reason = _clause_fault(clause, shown, exhibits)
        if reason is not None:
            return reason
    return None


def _clause_fault(clause: Clause, shown: Sequence[Exhibit], exhibits: Mapping[str, Exhibit]) -> str | None:
    amounts = amounts_in(plain(clause.text, [place for each in shown for place in each.places]))
    claims = claims_in(clause.text)
    verdicts = verdict_words(clause.text, question=clause.question)
    about = (
        [] if clause.question else [each for each in exhibits.values() if says_title(clause.text, each.title)]
    )
    if not shown:
        if amounts:
            return f"it has a number ({amounts[0].text}) and cites nothing"
        if verdicts:
            return f"it gives a verdict ({verdicts[0]}) and cites nothing"
        return f"it says what {about[0].id} is about and does not cite it" if about else None
    return (
        _amount_fault(amounts, shown)
        or _grand_fault(claims, shown)
        or _outcome_fault(claims, shown, clause)
        or _title_fault(clause, [each for each in about if each not in shown])
    )


def _amount_fault(amounts: Sequence[Amount], shown: Sequence[Exhibit]) -> str | None:
    figures = [figure for each in shown for figure in each.figures]
    for amount in amounts:
        if amount.value is None:
            shown_so = amount.digits and any(_stands_in(amount.text, each) for each in shown)
        else:
            shown_so = shows(figures, amount.value, percent=amount.percent)
        if not shown_so:
            return f"{amount.text!r} is not in the evidence of {', '.join(each.id for each in shown)}"
    return None


def _stands_in(text: str, exhibit: Exhibit) -> bool:
    """Whether a version, a date or the like stands in the evidence just as it was written."""
    return bool(
        re.search(rf"(?<![\w.]){re.escape(text)}(?![\w])", f"{exhibit.title} {exhibit.text}", re.IGNORECASE)
    )


def _grand_fault(claims: Sequence[Claim], shown: Sequence[Exhibit]) -> str | None:
    """A verdict on the whole must stand in what is cited: one good finding makes nothing secure."""
    known = frozenset(word for each in shown for word in each.words)
    for claim in claims:
        if claim.grand and claim.stem not in known:
            return f"no evidence that it cites says {claim.word!r}"
    return None


def _outcome_fault(claims: Sequence[Claim], shown: Sequence[Exhibit], clause: Clause) -> str | None:
    for each in shown:
        if each.outcome is None:
            wrong = next(
                (claim for claim in claims if not claim.grand and claim.stem not in each.words), None
            )
            if wrong is not None and not any(other.outcome is not None for other in shown):
                return f"{each.id} records nothing of {wrong.word!r}"
            continue
        said = {claim.positive for claim in claims}
        title = judge_word(clause.text, each.title)
        if title is not None:
            said.add(title)
        if each.outcome in _UNKNOWN and said and not clause.unknown:
            return f"{each.id} is {each.outcome.replace('_', ' ')}: neither a pass nor a failure"
        if each.outcome is Outcome.TRUE and (False in said or clause.unknown):
            return f"{each.id} holds, and the sentence says otherwise"
        if each.outcome is Outcome.FALSE and (True in said or clause.unknown):
            return f"{each.id} does not hold, and the sentence says otherwise"
    return None


def _title_fault(clause: Clause, about: Sequence[Exhibit]) -> str | None:
    """A clause that speaks of another finding than it cites must at least not contradict that one."""
    for each in about:
        title = judge_word(clause.text, each.title)
        holds = each.outcome is Outcome.TRUE
        if title is not None and each.outcome in (Outcome.TRUE, Outcome.FALSE) and title != holds:
            return f"it says the opposite of {each.id}, which it does not cite"
        if title is not None and each.outcome in _UNKNOWN and not clause.unknown:
            return f"it decides {each.id}, which is unknown"
    return None


def _outside(sentence: str, allowed: str) -> str | None:
    if any(each.isalpha() and ord(each) > _LATIN for each in sentence) or sounds_foreign(tokens(sentence)):
        return "it is not plain English, which is all that can be checked"
    if _URL.search(sentence):
        return "it has an address that no rule gave"
    made_up = invented(sentence)
    if made_up:
        return f"there is no command {made_up[0]!r}"
    for flag in _FLAG.findall(sentence):
        if flag not in allowed:
            return f"it has a flag ({flag}) that no rule gave"
    return None


def _ids(group: str) -> list[str]:
    return [each for part in re.split(r"[,;]", group) if (each := part.strip().strip("`"))]
