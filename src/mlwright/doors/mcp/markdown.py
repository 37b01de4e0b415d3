"""The report as Markdown, for readers that take neither a page nor a terminal."""

from collections.abc import Iterator

from mlwright.doors.reports import words
from mlwright.engineer.standing import Standing
from mlwright.model.findings import Finding, Outcome

_PLACES = 5
_TOP = 10


def markdown(standing: Standing) -> str:
    """The report as text; whatever the repository holds stands in it as text and never as Markdown."""
    return "\n".join(_lines(standing)) + "\n"


def _lines(standing: Standing) -> Iterator[str]:
    report = standing.assessment
    yield f"# Assessment of {_safe(report.subject)}"
    yield ""
    yield f"Readiness: **{words.interval(report.readiness)}** of 100. {words.kind_of(report.profile).capitalize()}."
    said = [f"{number} {words.COUNTED[outcome]}" for outcome, number in words.counts(report.findings).items()]
    yield f"{words.many(len(report.findings), 'finding')}: {', '.join(said)}."
    yield ""
    yield "## What to do first"
    for number, each in enumerate(report.recommendations[:_TOP], 1):
        yield ""
        yield f"{number}. **{_safe(each.title)}** (`{each.finding}`, +{words.number(each.gain)}, {each.effort})"
        yield f"   {_safe(each.why)}"
        yield f"   → {_safe(each.remedy)}"
        if each.locations:
            yield f"   at {_safe(words.places(each.locations, _PLACES))}"
    yield ""
    yield "## Rubrics"
    yield ""
    for view in report.rubrics:
        note = f" {_safe(view.note)}" if view.note else ""
        yield f"- **{_safe(view.title)}**: {_safe(view.verdict)}.{note}"
    for title, outcome in (("Does not hold", Outcome.FALSE), ("Unknown", Outcome.NOT_AVAILABLE)):
        yield ""
        yield f"## {title}"
        yield ""
        yield from (_finding(each) for each in report.findings if each.outcome is outcome)
    if report.unread:
        yield ""
        yield "## Not read"
        yield ""
        yield from (f"- {_safe(each)}" for each in report.unread)


def _finding(each: Finding) -> str:
    where = f" ({_safe(words.places(each.locations, _PLACES))})" if each.locations else ""
    return f"- `{each.id}` {_safe(each.title)}: {_safe(each.evidence)}{where}"


def _safe(text: str) -> str:
    """A text without control characters, and without what Markdown or HTML would act on."""
    return "".join(f"\\{each}" if each in "\\`*_[]<>#|~!&" else each for each in words.clean(text))
