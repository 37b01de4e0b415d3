"""Findings that somebody accepted, with a reason and until when: beside the line, or in a file of the root.

Beside the line, or above it on lines of its own, in whatever takes ``#`` or ``//`` for a comment::

    frame = load(path)  # mlwright: accept model.loads_trusted -- our own bucket (until 2027-01-31)

In ``.mlwright-accept.toml``::

    [[accept]]
    finding = "release.canary"
    path = "batch/*"            # optional: only places below it
    reason = "batch scoring has no traffic to split"
    expires = 2027-01-31        # optional: the last day

An accepted finding stays in the report and keeps its outcome; it only no longer fails a gate.
"""

import io
import re
import tokenize
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Final

from mlwright.engineer.lines import Lines
from mlwright.errors import Fault, near_match
from mlwright.model.assessment import Suppression
from mlwright.model.findings import Finding, Location, Outcome

FILE: Final = ".mlwright-accept.toml"

_COMMENT: Final = re.compile(r"(?:^|\s)(?:#|//|<!--)\s*mlwright:\s*accept\b(?P<rest>.*)$")
_ALONE: Final = re.compile(r"^\s*(?:#|//|<!--)")
_UNTIL: Final = re.compile(r"\(\s*until\s+(?P<date>[^()]*?)\s*\)\s*(?:-->\s*)?$")
_HEADER: Final = re.compile(r"^\s*\[\[\s*accept\s*\]\]")
_AT_LINE: Final = re.compile(r"at line (\d+)")
_KEYS: Final = ("finding", "path", "reason", "expires")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptances:
    """What was accepted, and the annotations that cannot be used: those accept nothing."""

    suppressions: tuple[Suppression, ...] = ()
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Accept:
    """One annotation: which probes, where (a glob, or the lines of one file), why, until when."""

    ids: tuple[str, ...]
    reason: str
    expires: date | None
    source: Location
    glob: str | None = None
    line: int | None = None
    top: bool = False

    def covers(self, place: Location | None) -> bool:
        """Whether it speaks of this place; None is the repository as a whole."""
        if self.line is None:
            return self.glob is None or (place is not None and fnmatchcase(place.path, self.glob))
        here = place is not None and (place.path, place.cell) == (self.source.path, self.source.cell)
        return here and place is not None and (place.line == self.line or (place.line is None and self.top))


def read_acceptances(
    findings: Sequence[Finding], lines: Lines, *, probes: Collection[str], today: date
) -> Acceptances:
    """Read the annotations of the files that findings point at, and the file in the root.

    Args:
        findings: what was found; only what does not hold, or broke, can be accepted.
        lines: the repository's text.
        probes: all ids that can be accepted.
        today: an acceptance ends after its last day.
    """
    open_ones = [each for each in findings if each.outcome in (Outcome.FALSE, Outcome.ERROR)]
    texts = sorted(
        {(place.path, place.cell) for finding in open_ones for place in finding.locations},
        key=lambda text: (text[0], text[1] or 0),
    )
    read: list[_Accept | Fault] = [*_from_file(lines.of(FILE), probes)]
    for path, cell in texts:
        if path != FILE:
            read += _from_comments(path, cell, lines.of(path, cell), probes)
    suppressions: list[Suppression] = []
    faults = [each for each in read if isinstance(each, Fault)]
    for accept in (each for each in read if isinstance(each, _Accept)):
        accepted = list(_apply(accept, open_ones, today))
        suppressions += accepted
        if not accepted:
            faults.append(Fault(where=str(accept.source), what=f"accepts nothing: {_idle(accept)}"))
    return Acceptances(
        suppressions=tuple(sorted(suppressions, key=_order)),
        faults=tuple(sorted(faults, key=lambda fault: (fault.where, fault.what))),
    )


def accepted(
    finding: Finding, place: Location | None, suppressions: Iterable[Suppression]
) -> Suppression | None:
    """Who accepted this finding at this place; an acceptance that has expired is none."""
    return next(
        (
            each
            for each in suppressions
            if each.finding == finding.id and not each.expired and each.location in (None, place)
        ),
        None,
    )


def _apply(accept: _Accept, findings: Sequence[Finding], today: date) -> Iterator[Suppression]:
    everywhere = accept.line is None and accept.glob is None
    for finding in findings:
        if finding.id in accept.ids:
            places: Iterable[Location | None] = (None,) if everywhere else (finding.locations or (None,))
            for place in places:
                if accept.covers(place):
                    yield Suppression(
                        finding=finding.id,
                        location=place,
                        reason=accept.reason,
                        expires=accept.expires,
                        source=accept.source,
                        expired=accept.expires is not None and accept.expires < today,
                    )


def _idle(accept: _Accept) -> str:
    what = ", ".join(accept.ids)
    return f"{what} is no problem {'here' if accept.line is not None else 'now' if accept.glob is None else 'there'}"


def _order(each: Suppression) -> tuple[str, str, int, int, str, int]:
    place = each.location or Location(path="")
    return (
        each.finding, place.path, place.cell or 0, place.line or 0, each.source.path, each.source.line or 0
    )  # fmt: skip


def _from_comments(
    path: str, cell: int | None, lines: Sequence[str], probes: Collection[str]
) -> Iterator[_Accept | Fault]:
    if not any("mlwright:" in line for line in lines):
        return
    comments = _comments(path, cell, lines)
    for number, line in enumerate(lines, start=1):
        found = _COMMENT.search(comments.get(number, "") if comments is not None else line)
        if found is None:
            continue
        source = Location(path=path, line=number, cell=cell)
        target, top = number, False
        if _ALONE.match(line):
            below = (at for at in range(number + 1, len(lines) + 1) if not _ALONE.match(lines[at - 1]))
            target = next(below, number)
            top = all(_ALONE.match(above) or not above.strip() for above in lines[:number])
        yield from _parse(found["rest"], source, target, top, probes)


def _comments(path: str, cell: int | None, lines: Sequence[str]) -> Mapping[int, str] | None:
    """Comments of Python by line, so that a text that only speaks of annotations is none; None: take the lines."""
    if not path.endswith((".py", ".pyi")) or cell is not None:
        return None
    try:
        tokens = tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline)
        return {each.start[0]: each.string for each in tokens if each.type == tokenize.COMMENT}
    except (tokenize.TokenError, SyntaxError, RecursionError, ValueError):
        return None


def _parse(
    rest: str, source: Location, target: int, top: bool, probes: Collection[str]
) -> Iterator[_Accept | Fault]:
    names, dash, reason = rest.partition("--")
    reason = reason.strip().removesuffix("-->").strip()
    until = _UNTIL.search(reason)
    expires: date | str | None = None
    if until is not None:
        reason = reason[: until.start()].strip()
        expires = _date(until["date"])
    ids = tuple(name.strip() for name in names.split(",") if name.strip())
    faults = [*_unknown(ids, source, probes), *_missing(ids, reason if dash else "", expires, source)]
    yield from faults
    if not faults and not isinstance(expires, str):
        yield _Accept(ids=ids, reason=reason, expires=expires, source=source, line=target, top=top)


def _from_file(lines: Sequence[str], probes: Collection[str]) -> Iterator[_Accept | Fault]:
    if not lines:
        return
    try:
        content = tomllib.loads("\n".join(lines))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        at = _AT_LINE.search(str(error))
        where = Location(path=FILE, line=int(at[1]) if at else None)
        yield Fault(where=str(where), what=f"this is no TOML: {error}")
        return
    headers = [number for number, line in enumerate(lines, start=1) if _HEADER.match(line)]
    for key in sorted(content.keys() - {"accept"}):
        yield Fault(where=FILE, what=f"{key!r} is not known here", near=near_match(key, ["accept"]))
    entries = content.get("accept", [])
    if not isinstance(entries, list):
        yield Fault(where=FILE, what="accept is not a list: write [[accept]]")
        return
    for number, entry in enumerate(entries):
        source = Location(path=FILE, line=headers[number] if len(headers) == len(entries) else None)
        yield from _entry(entry, source, probes)


def _entry(entry: object, source: Location, probes: Collection[str]) -> Iterator[_Accept | Fault]:
    if not isinstance(entry, dict):
        yield Fault(where=str(source), what="an entry is a table with finding and reason")
        return
    faults = [
        Fault(where=str(source), what=f"{key!r} is not known here", near=near_match(key, _KEYS))
        for key in sorted(entry.keys() - set(_KEYS))
    ]
    faults += [
        Fault(where=str(source), what=f"{key} must be a text")
        for key in ("finding", "path", "reason")
        if not isinstance(entry.get(key, ""), str)
    ]
    if not faults:
        expires = entry.get("expires")
        if isinstance(expires, str):
            expires = _date(expires)
        elif expires is not None and type(expires) is not date:
            expires = str(expires)
        ids = tuple(name for name in (str(entry.get("finding", "")).strip(),) if name)
        reason = str(entry.get("reason", "")).strip()
        faults = [*_unknown(ids, source, probes), *_missing(ids, reason, expires, source)]
        if not faults and not isinstance(expires, str):
            glob = entry.get("path")
            yield _Accept(ids=ids, reason=reason, expires=expires, source=source, glob=glob)
    yield from faults


def _unknown(ids: Sequence[str], source: Location, probes: Collection[str]) -> list[Fault]:
    return [
        Fault(where=str(source), what=f"no probe is named {id!r}", near=near_match(id, probes))
        for id in ids
        if id not in probes
    ]


def _missing(ids: Sequence[str], reason: str, expires: object, source: Location) -> list[Fault]:
    faults = []
    if not ids:
        faults.append(Fault(where=str(source), what="it does not say which finding is accepted"))
    if not reason:
        faults.append(Fault(where=str(source), what="there is no reason: nothing is accepted without one"))
    if isinstance(expires, str):
        faults.append(Fault(where=str(source), what=f"{expires!r} is no date: write it as 2027-01-31"))
    return faults


def _date(text: str) -> date | str:
    """The date, or the text where it is none."""
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else text
    except ValueError:
        return text
