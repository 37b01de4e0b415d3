"""The report in a terminal: one screen that says it all, and the details for whoever asks.

Every line is composed for the width that there is, so nothing breaks at 80 columns. Texts of the repository become
``Text``, never markup.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.text import Text

from mlwright.doors.reports.words import (
    COUNTED,
    MARKS,
    RUNGS,
    by_machine,
    by_topic,
    clean,
    counts,
    idle,
    interval,
    kind_of,
    many,
    missing,
    number,
    places,
    short,
    size,
)
from mlwright.engineer.baseline import Problem
from mlwright.engineer.standing import Standing
from mlwright.model.assessment import Assessment, Interval, Item, Profile, RubricView, Section
from mlwright.model.contracts import Severity
from mlwright.model.findings import Finding, Outcome

_WIDEST: Final = 100
_NAME: Final = 20
_BAR: Final = 10
_BLOCKING: Final = 3
_BEST: Final = 5
_PLACES: Final = 6
_STYLES: Final = {
    Outcome.TRUE: "green",
    Outcome.FALSE: "red",
    Outcome.ERROR: "magenta",
    Outcome.NOT_AVAILABLE: "cyan",
    Outcome.NOT_SUPPORTED: "cyan",
    Outcome.NOT_APPLICABLE: "dim",
}
_GRAVITY: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}


@dataclass(frozen=True, slots=True)
class _Page:
    """Lines that are composed once the width is known; one that is too long ends in an ellipsis."""

    compose: Callable[[int], Iterable[RenderableType]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, _WIDEST)
        for line in self.compose(width):
            # A pipe is read by programs: nothing is cut off for them.
            if isinstance(line, Text) and options.is_terminal:
                line.truncate(width, overflow="ellipsis")
            yield line


def first_screen(standing: Standing, path: str = ".") -> RenderableType:
    """What was looked at, where it stands, and the five fixes that are worth most: at most 30 lines.

    Args:
        standing: the report.
        path: how the repository was named, for the commands at the end.
    """
    return _Page(lambda width: _first(standing, path, width))


def details(standing: Standing) -> RenderableType:
    """Every finding by topic, every rubric item by item, what was accepted, and what was not seen."""
    parts: list[RenderableType] = []
    for title, findings in by_topic(standing.assessment.findings):
        parts += _topic(title, findings, standing)
    parts += [each for view in standing.assessment.rubrics for each in (Text(), rubric(view))]
    parts += _accepted(standing)
    for title, lines in (
        ("Not read", standing.assessment.unread),
        ("Scanners", standing.assessment.engines),
    ):
        if lines:
            parts += [Text(), Text(title, "bold"), *(_indented(line, 2) for line in lines)]
    return Group(*parts)


def rubric(view: RubricView) -> RenderableType:
    """One rubric in full: each item, how well it is shown, and what would raise it."""
    parts: list[RenderableType] = [
        Text.assemble((clean(view.title), "bold"), f"  {clean(view.verdict)}"),
        Text(f"  {clean(view.source)}", "dim"),
    ]
    if view.next_level:
        parts.append(_indented(f"next: {view.next_level}", 2))
    if view.blocking:
        parts.append(_indented(f"held back by: {', '.join(view.blocking)}", 2))
    for section in view.sections:
        parts += [Text(), _section(section), *(each for item in section.items for each in _item(item))]
    if view.note:
        parts += [Text(), _indented(view.note, 2, "dim")]
    return Group(*parts)


def finding_in_full(finding: Finding, standing: Standing, *, why: str, source: str) -> RenderableType:
    """One finding: the question, why it matters, the answer with all its places, and which rubrics read it."""
    read_by = [
        f"{view.id}/{item.id}"
        for view in standing.assessment.rubrics
        for section in view.sections
        for item in section.items
        if finding.id in (*item.because, *item.against)
    ]
    found = [each for each in standing.problems if each.finding.id == finding.id]
    parts: list[RenderableType] = [
        Text.assemble((finding.id, "bold"), f"  {clean(finding.title)}"),
        _indented(f"why: {why}", 2),
        Text(),
        *_finding(finding, found, most=len(finding.locations)),
    ]
    if finding.outcome is Outcome.TRUE and finding.locations:
        parts.append(_indented(f"at {places(finding.locations, _PLACES)}", 12, "dim"))
    parts += [_indented(f"{name}: {value}", 12, "dim") for name, value in sorted(finding.values.items())]
    parts.append(Text())
    if read_by:
        parts.append(_indented(f"counts in {', '.join(read_by)}", 2))
    if source:
        parts.append(_indented(f"source: {source}", 2, "dim"))
    return Group(*parts)


def _first(standing: Standing, path: str, width: int) -> Iterator[Text]:
    report = standing.assessment
    seen = f"{many(report.files, 'file')}, {size(report.bytes)}"
    yield _ends(Text(clean(report.subject), "bold"), Text(seen, "dim"), width)
    yield from _profile(report.profile)
    yield Text()
    yield _scored("Readiness", report.readiness, 100, f"{interval(report.readiness)} of 100", "bold")
    for view in report.rubrics[:9]:
        yield from _rubric_line(view, width)
    yield Text()
    yield _tally(standing, width)
    yield from _best(report, width)
    yield from _end(standing, path)


def _profile(profile: Profile) -> Iterator[Text]:
    """What was recognised, and why: a person sees at once where it is wrong."""
    used = clean(", ".join((*profile.frameworks, *profile.tools)))
    yield Text.assemble(kind_of(profile), (f" · {used}" if used else "", "dim"))
    if profile.reasons:
        yield Text(clean("; ".join(profile.reasons[:3])), "dim")


def _rubric_line(view: RubricView, width: int) -> Iterator[Text]:
    if idle(view):
        yield Text.assemble(_cut(short(view), _NAME), (" " * (_BAR + 2), ""), ("does not apply here", "dim"))
        return
    verdict, best, rest = clean(view.verdict).partition("; at best ")
    line = _scored(short(view), view.points, view.out_of, verdict)
    if view.blocking and not best and line.cell_len < width - 12:
        more = len(view.blocking) - _BLOCKING
        named = ", ".join(view.blocking[:_BLOCKING]) + (f" and {more} more" if more > 0 else "")
        line.append(f" ← {named}", "dim")
    yield line
    if best:
        yield Text(f"{'':{_NAME + _BAR + 2}}at best {rest}", "dim")


def _scored(title: str, points: Interval | None, out_of: float, said: str, style: str = "") -> Text:
    drawn = bar(points, out_of, _BAR) if points is not None else Text(" " * _BAR)
    return Text.assemble(_cut(title, _NAME, style), drawn, "  ", (said, style))


def bar(points: Interval, out_of: float, length: int) -> Text:
    """A bar: full to what is shown, shaded to what could be, empty beyond; readable without colour."""
    share = [min(max(each / out_of if out_of else 0.0, 0.0), 1.0) for each in (points.low, points.high)]
    low = floor(share[0] * length + 1e-9)
    high = low if points.known else ceil(share[1] * length - 1e-9)
    return Text.assemble(("█" * low, "green"), ("▒" * (high - low), "cyan"), ("·" * (length - high), "dim"))


def _tally(standing: Standing, width: int) -> Text:
    line = Text.assemble(("Findings  " if width >= 90 else "", "bold"))
    for outcome, count in counts(standing.assessment.findings).items():
        if count:
            line.append(f"{MARKS[outcome]} {count} {COUNTED[outcome]}", _STYLES[outcome]).append("  ")
    return line


def _best(report: Assessment, width: int) -> Iterator[Text]:
    best = report.recommendations[:_BEST]
    outcomes = {each.id: each.outcome for each in report.findings}
    if not best:
        yield Text("Nothing that was asked is known to be missing.", "bold")
        return
    yield _ends(Text("Not so today, and worth most first", "bold"), Text("effort    points", "dim"), width)
    for rank, each in enumerate(best, start=1):
        gain = f"{each.effort:<8} {'+' + number(each.gain):>7}"
        mark = MARKS[outcomes.get(each.finding, Outcome.FALSE)]  # a title says what should hold
        yield _ends(Text(f"{rank} {mark} {clean(each.title)}"), Text(gain), width)
        where = f"{places(each.locations, 1)}  " if each.locations else ""
        hint = by_machine(each.fix, each.remedy)
        remedy = clean(each.remedy) + (f"  ({hint})" if hint else "")
        yield Text.assemble("   ", (where, "cyan"), (f"→ {remedy}", "dim"))


def _end(standing: Standing, path: str) -> Iterator[Text]:
    report = standing.assessment
    accepted = {each.finding.id for each in standing.problems if each.accepted is not None}
    expired = sum(each.expired for each in report.suppressions)
    notes = [
        many(expired, "acceptance") + " expired" if expired else "",
        many(len(standing.faults), "annotation") + " unusable" if standing.faults else "",
        many(len(missing(report)), "scanner") + " missing" if missing(report) else "",
        many(len(report.unread), "note") + " on what was not read" if report.unread else "",
        f"{len(accepted)} accepted" if accepted else "",
        f"{len(report.inherited)} inherited from {clean(standing.against)}" if standing.against else "",
        f"{standing.gone} of the baseline are gone" if standing.gone else "",
    ]
    if any(notes):
        yield Text("; ".join(note for note in notes if note), "yellow")
    yield Text(f"More: mlwright assess {clean(path)} --details | --explain PROBE | --html report.html", "dim")


def _topic(title: str, findings: Sequence[Finding], standing: Standing) -> Iterator[RenderableType]:
    tally = ", ".join(f"{count} {COUNTED[outcome]}" for outcome, count in counts(findings).items() if count)
    yield Text()
    yield Text.assemble((title, "bold"), (f"  {tally}", "dim"))
    for each in findings:
        if each.outcome is not Outcome.NOT_APPLICABLE:
            yield from _finding(
                each, [one for one in standing.problems if one.finding.id == each.id], most=_PLACES
            )
    idle_ones = [each.id for each in findings if each.outcome is Outcome.NOT_APPLICABLE]
    if idle_ones:
        yield _indented(f"· do not apply: {', '.join(idle_ones)}", 2, "dim")


def _finding(finding: Finding, found: Sequence[Problem], most: int) -> Iterator[RenderableType]:
    bad = finding.outcome in (Outcome.FALSE, Outcome.ERROR)
    style = _GRAVITY[finding.severity] if finding.outcome is Outcome.FALSE else _STYLES[finding.outcome]
    word = {Outcome.FALSE: str(finding.severity), Outcome.ERROR: "broke", Outcome.TRUE: "ok"}.get(
        finding.outcome, COUNTED[finding.outcome].partition(" ")[0]
    )
    if finding.outcome is Outcome.NOT_SUPPORTED:
        word = "no reader"
    mark = Text(f"  {MARKS[finding.outcome]} {word:<9} ", style)
    yield Text.assemble(mark, clean(finding.title), (f"  {finding.id}", "dim"))
    yield _indented(finding.evidence, 14, "" if bad else "dim")
    if bad:
        if finding.locations:
            yield _indented(f"at {places(finding.locations, most)}", 14, "cyan")
        for each in dict.fromkeys(map(_state, found)):
            if each:
                yield _indented(each, 14, "dim")
        if finding.remedy:
            how = f" ({'; '.join(filter(None, (str(finding.effort), by_machine(finding.fix, finding.remedy))))})"
            yield _indented(f"→ {finding.remedy}{how}", 14)


def _state(problem: Problem) -> str:
    if problem.accepted is not None:
        until = f" until {problem.accepted.expires}" if problem.accepted.expires else ""
        where = f"{problem.location}: " if problem.accepted.location is not None else ""
        return f"{where}accepted{until}: {problem.accepted.reason} ({problem.accepted.source})"
    return "was there before" if problem.inherited else ""


def _section(section: Section) -> Text:
    points = interval(section.points) if section.points is not None else "does not apply"
    out_of = f" of {number(section.out_of)}" if section.points is not None else ""
    return Text.assemble((f"  {clean(section.title)}", "bold"), f"  {points}{out_of}")


def _item(item: Item) -> Iterator[RenderableType]:
    if not item.applies:
        yield _indented(f"{item.id:<4} ·  does not apply: {item.title}", 4, "dim")
        return
    known = item.points.known
    style = "cyan" if not known else "green" if item.points.high and not item.next_step else ""
    stands = f"E{item.rung.value} {RUNGS[item.rung.value]}"
    points = f"{interval(item.points):>7}{' ' if known else '?'}"
    yield _indented(f"{item.id:<4} {stands:<13} {points} {item.title}", 4, style)
    if item.against:
        yield _indented(f"missing or unknown: {', '.join(item.against)}", 9, "dim")
    if item.next_step:
        yield _indented(f"→ {item.next_step}", 9, "dim")


def _accepted(standing: Standing) -> Iterator[RenderableType]:
    if standing.assessment.suppressions:
        yield Text()
        yield Text("Accepted", "bold")
    for each in standing.assessment.suppressions:
        where = f" at {each.location}" if each.location is not None else ""
        until = f", until {each.expires}" if each.expires else ""
        state = "EXPIRED, accepts nothing: " if each.expired else ""
        text = f"{state}{each.finding}{where}: {each.reason}{until} ({each.source})"
        yield _indented(text, 2, "yellow" if each.expired else "")
    if standing.faults:
        yield Text()
        yield Text("Annotations that cannot be used", "bold")
    for fault in standing.faults:
        yield _indented(str(fault), 2, "yellow")


def _indented(text: str, left: int, style: str = "") -> Padding:
    return Padding(Text(clean(text), style, overflow="fold"), (0, 0, 0, left), expand=False)


def _ends(left: Text, right: Text, width: int) -> Text:
    """One line: left and right at its two ends; the left one gives way."""
    room = width - right.cell_len - 2
    left.truncate(room, overflow="ellipsis")
    return Text.assemble(left, " " * (room - left.cell_len + 2), right)


def _cut(title: str, room: int, style: str = "") -> Text:
    text = Text(clean(title), style)
    text.truncate(room - 1, overflow="ellipsis")
    text.append(" " * (room - text.cell_len))
    return text
