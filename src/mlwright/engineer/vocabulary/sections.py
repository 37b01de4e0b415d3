"""Sections of documents for people: what stands below a heading, and whether anybody filled it in."""

import re
from dataclasses import dataclass
from typing import Final

from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.configuration import Text
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, unknown, yes
from mlwright.model.findings import Location

_PLACEHOLDER: Final = re.compile(
    r"<!--.*?-->|\[?\bmore information needed\b\]?|\[?\b(todo|tbd|to be (done|defined|written|completed))\b[^\n]*"
    r"|\b(n/a|none yet|coming soon|lorem ipsum[^\n]*)|[.…_*\-\[\]()|>#=~`:\s]+",
    re.IGNORECASE | re.DOTALL,
)
_NUMBERED: Final = re.compile(r"^[\W\d_]*(?:[a-zA-Z][.)]\s+)?")
_NAMED: Final = re.compile(r"readme|index|about")
_FILLED: Final = 20
_LOOKED_AT: Final = 2_000
_LONGEST: Final = 20_000
_ASIDE: Final = (Role.TEST, Role.VENDORED, Role.EXAMPLE)
MOST: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section: its title as written, its text up to the next title of its level, and where it begins."""

    title: str
    body: str
    at: Location

    @property
    def filled(self) -> bool:
        """Whether more stands there than titles, dots and "to do"."""
        lines = (line for line in self.body[:_LOOKED_AT].splitlines() if not line.lstrip().startswith("#"))
        return len(_PLACEHOLDER.sub("", "\n".join(lines))) >= _FILLED


def sections(repository: Repository, *titles: str) -> tuple[Section, ...]:
    """The filled sections whose whole title, without numbers and marks, is one of these regular expressions (any case).

    The first title of a document is its name, which tells the subject of the project and no section: a project about
    credit risk is called "Credit risk assessment". It counts only where the name of the file says the same.
    """
    wanted = re.compile("|".join(f"(?:{each})" for each in titles), re.IGNORECASE)
    aside = {each.path for each in repository.files if each.role in _ASIDE}
    found: list[Section] = []
    for text in repository.texts:
        named = _NAMED.match(text.path.rpartition("/")[2].lower()) is None
        places = [
            place
            for place, (title, _) in enumerate(text.headings)
            if (place > 0 or named) and wanted.fullmatch(plain(title))
        ]
        if places and text.path not in aside:
            lines = text.content.splitlines()
            found += (each for place in places if (each := _section(text, lines, place)).filled)
    return tuple(found)


def plain(title: str) -> str:
    """A title without its number, emphasis and last colon."""
    return _NUMBERED.sub("", title).strip(" *_`#:?.").replace("**", "")


def told(found: tuple[Section, ...], holds: str, lacks: str) -> Answer:
    """TRUE where there is a section; else unknown, for such a document may well be kept elsewhere."""
    if not found:
        return unknown(f"{lacks}; it may be kept elsewhere")
    return yes(f'{holds}: {found[0].at} "{found[0].title}"', *(each.at for each in found[:MOST]))


def _section(text: Text, lines: list[str], place: int) -> Section:
    title, line = text.headings[place]
    level, stop = _level(lines, line), len(lines) + 1
    for _, later in text.headings[place + 1 :]:
        deeper = _level(lines, later)
        if not level or not deeper or deeper <= level:
            stop = later
            break
    body = "\n".join(lines[line : min(stop - 1, line + 2_000)])[:_LONGEST]
    return Section(title=title, body=body, at=Location(path=text.path, line=line))


def _level(lines: list[str], line: int) -> int:
    """How many marks stand before a Markdown title; 0 for a title of another notation."""
    written = lines[line - 1].lstrip() if line <= len(lines) else ""
    return len(written) - len(written.lstrip("#"))
