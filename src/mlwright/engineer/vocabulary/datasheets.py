"""Documents about data: which texts are one, and which of the seven sections they have."""

import re
from typing import Final

from mlwright.engineer.facts.configuration import Text
from mlwright.engineer.facts.repository import Repository
from mlwright.model.findings import Location

SECTIONS: Final = {
    "motivation": r"motivation|purpose|why .*(created|collected)|intended",
    "composition": r"composition|instances|contents?|fields|columns|features|schema|data dictionary|structure",
    "collection": r"collect|source|provenance|acquisition|origin",
    "preprocessing": r"pre-?process|clean|label|annotat|transform",
    "uses": r"\buses?\b|usage|intended use|tasks|limitations|considerations",
    "distribution": r"distribut|licen[cs]|access|sharing|availability",
    "maintenance": r"maint|update|owner|contact|support|version|retention",
}
"""The sections that Gebru et al. (2021) ask for, with what their headings may be called."""

_SHEET: Final = re.compile(
    r"(^|/)(data(set)?[\-_ ]?(sheet|card|statement|dictionary))[^/]*\.(md|rst|txt|mdx)$",
    re.IGNORECASE,
)
_README: Final = re.compile(r"(^|/)(data|datasets?)/readme\.(md|rst|txt)$", re.IGNORECASE)
_ABOUT: Final = re.compile(
    r"^(?!.*\bdata[ -]?(scien|cent|base|engineer|structure|load|pipeline|class|frame|flow|analy|driv|drift|valid))"
    r".*\b(data|data ?sets?|data ?sheet|corpus|corpora)\b",
    re.IGNORECASE,
)


def sheets(repository: Repository) -> tuple[Text, ...]:
    """The documents that are about data as a whole."""
    return tuple(each for each in repository.texts if _SHEET.search(each.path))


def data_sections(repository: Repository) -> tuple[Location, ...]:
    """The headings of any document under which the data is described, and a README next to the data."""
    beside = tuple(Location(path=each.path) for each in repository.texts if _README.search(each.path))
    return beside + tuple(
        Location(path=text.path, line=line)
        for text in repository.texts
        for title, line in text.headings
        if _ABOUT.match(title)
    )


_MENTION: Final = re.compile(
    r"\b(data ?sets?|training data|train\.csv|data (is|are|was|were|from|comes))\b", re.IGNORECASE
)


def mentions_data(repository: Repository) -> tuple[Location, ...]:
    """The first place of each document that speaks of a data set in its running text."""
    return tuple(
        Location(path=text.path, line=text.content.count("\n", 0, said.start()) + 1)
        for text in repository.texts
        if (said := _MENTION.search(text.content))
    )


def sections_of(sheet: Text) -> frozenset[str]:
    """The sections that a data sheet's headings show."""
    titles = [title for title, _ in sheet.headings]
    return frozenset(
        name
        for name, words in SECTIONS.items()
        if any(re.search(words, title, re.IGNORECASE) for title in titles)
    )
