"""Documents for people: README, model card, runbook, changelog and their like, with their headings."""

import re

from mlwright.engineer.facts.configuration import Text

LONGEST = 200_000
TOTAL = 8_000_000
_LONGEST_TITLE = 300
_NO_TITLE = ("|", "- ", "* ", ">")

_NAMES = re.compile(
    r"^(?:readme|changelog|changes|history|news|release[-_ ]?notes|security|contributing|codeowners|maintainers"
    r"|authors|owners|code_of_conduct|governance|support|licen[cs]e|copying|notice|model[-_ ]?card|data[-_ ]?sheet"
    r"|data[-_ ]?card|dataset[-_ ]?card|run[-_ ]?book|play[-_ ]?book|postmortem|incident|slo|architecture|design"
    r"|pull_request_template)(?:[-_. ].*)?$"
)
_SUFFIXES = (".md", ".rst", ".mdx", ".adoc", ".markdown")
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.{1,200}?)[ \t]*#*[ \t]*$")
_ADOC = re.compile(r"^(={1,5}) +(.{1,200})$")
_UNDERLINE = re.compile(r"^([=\-~^\"'*+#:.`_])\1{2,}\s*$")


def is_text(path: str) -> bool:
    """Whether a file of this name is a document for people."""
    name = path.rpartition("/")[2].lower()
    if name.endswith(_SUFFIXES):
        return True
    stem, dot, suffix = name.rpartition(".")
    plain = suffix == "txt" if dot else True
    return plain and _NAMES.match(stem if dot else name) is not None


def weight(path: str) -> tuple[int, int, str]:
    """What to read first where not everything can be read: known names, then the shallow ones."""
    name = path.rpartition("/")[2].lower()
    return (0 if _NAMES.match(name) else 1, path.count("/"), path)


def read_text(path: str, raw: bytes) -> Text:
    """A document from its bytes; broken UTF-8 is replaced, what is over 200 kB is cut."""
    content = raw[: LONGEST * 4].decode("utf-8-sig", errors="replace")[:LONGEST]
    return Text(path=path, content=content, headings=headings(content))


def headings(content: str) -> tuple[tuple[str, int], ...]:
    """The titles of a Markdown, reStructuredText or AsciiDoc text with their lines; fenced code is left out."""
    found: list[tuple[str, int]] = []
    fence = ""
    lines = content.splitlines()
    for number, line in enumerate(lines, start=1):
        bare = line.strip()
        if bare[:3] in {"```", "~~~"}:
            fence = "" if fence == bare[:3] else fence or bare[:3]
            continue
        if fence:
            continue
        if len(line) > _LONGEST_TITLE:
            continue
        title = _HEADING.match(line) or _ADOC.match(line)
        if title is not None:
            found.append((title.group(2).strip(), number))
        elif number > 1 and _UNDERLINE.match(line):
            above = lines[number - 2].strip()
            if (
                above
                and len(above) <= 200
                and not _UNDERLINE.match(above)
                and not above.startswith(_NO_TITLE)
            ):
                found.append((above, number - 1))
    return tuple(found)


def patterns(raw: bytes) -> tuple[str, ...]:
    """The patterns of an ignore file, in order, without comments."""
    text = raw.decode("utf-8", errors="replace")
    return tuple(
        line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    )
