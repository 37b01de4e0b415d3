"""The report as one HTML file: nothing is fetched, nothing runs, and whatever the repository holds is only text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mlwright import __version__
from mlwright.doors.reports import words
from mlwright.doors.reports.radar import axes, radar
from mlwright.engineer.baseline import Problem
from mlwright.engineer.probe import Probe
from mlwright.engineer.standing import Standing
from mlwright.model.assessment import Interval
from mlwright.model.contracts import Severity
from mlwright.model.findings import Finding, Outcome

_TONES: Final = {
    Outcome.TRUE: "ok",
    Outcome.ERROR: "odd",
    Outcome.NOT_AVAILABLE: "busy",
    Outcome.NOT_SUPPORTED: "busy",
    Outcome.NOT_APPLICABLE: "none",
}
_GRAVITY: Final = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.INFO: "info"}
_SAID: Final = {
    Outcome.TRUE: "holds",
    Outcome.ERROR: "broke",
    Outcome.NOT_AVAILABLE: "unknown",
    Outcome.NOT_SUPPORTED: "unsupported",
    Outcome.NOT_APPLICABLE: "does not apply",
}


def html(standing: Standing, probes: Mapping[str, Probe]) -> str:
    """The page as text; the same report gives the same text.

    Args:
        standing: the report.
        probes: the questions by id: why each one matters.
    """
    report = standing.assessment
    principles = words.rubric_of(report.rubrics, "principle", "kreuzberger")
    score = words.rubric_of(report.rubrics, "test-score", "test_score")
    page = _ENVIRONMENT.get_template("report.html").render(
        standing=standing,
        report=report,
        score=score,
        principles=principles,
        chart=radar(axes(principles.sections))
        if principles is not None and not words.idle(principles)
        else "",
        others=[view for view in report.rubrics if view is not score],
        topics=words.by_topic(report.findings),
        counts=words.counts(report.findings),
        outcomes={each.id: each.outcome for each in report.findings},
        missing=words.missing(report),
        problems=_by_finding(standing),
        probes=probes,
    )
    return page + "\n"


def _by_finding(standing: Standing) -> dict[str, list[Problem]]:
    found: dict[str, list[Problem]] = {}
    for each in standing.problems:
        found.setdefault(each.finding.id, []).append(each)
    return found


def _tone(finding: Finding) -> str:
    return _TONES.get(finding.outcome) or _GRAVITY[finding.severity]


def _word(finding: Finding) -> str:
    return _SAID.get(finding.outcome) or str(finding.severity)


def _bar(points: Interval, out_of: float) -> Markup:
    """A bar in SVG: filled to what is shown, hatched to what could be."""
    low, high = (100 * min(max(each / out_of if out_of else 0, 0), 1) for each in (points.low, points.high))
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rest" width="100" height="8"/>'
        '<rect class="maybe" x="{:.1f}" width="{:.1f}" height="8"/>'
        '<rect class="shown" width="{:.1f}" height="8"/></svg>'
    ).format(low, high - low, low)


def _plain(value: object) -> object:
    """What an expression of the template may write: no text that could steer a reader's program."""
    return words.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=_plain,
)
_ENVIRONMENT.globals.update(mlwright=__version__, RUNGS=words.RUNGS, MARKS=words.MARKS, COUNTED=words.COUNTED)
_ENVIRONMENT.globals.update(
    kind_of=words.kind_of, idle=words.idle, tally=words.counts, bar=_bar, by_machine=words.by_machine
)
_ENVIRONMENT.filters.update(
    number=words.number, interval=words.interval, size=words.size, many=words.many, tone=_tone, word=_word
)
