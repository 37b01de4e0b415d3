"""What a sentence may cite: an id, what stands behind it in words and figures, and whether it holds."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from mlwright.engineer.asking.words import stem, tokens
from mlwright.model.assessment import Assessment, RubricView
from mlwright.model.findings import Finding, Location, Outcome

NUMBER: Final = re.compile(r"(?<![\w.])[-+−]?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number that evidence shows; ``percent`` tells that it is one of a hundred."""

    value: Decimal
    percent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One thing that can be cited.

    ``title`` is the sentence that holds or not, "" for what merely records. ``outcome`` is None there. ``text`` is all
    that stands behind the id.
    """

    id: str
    title: str
    outcome: Outcome | None
    text: str
    figures: tuple[Figure, ...] = ()
    places: tuple[Location, ...] = ()

    @property
    def words(self) -> frozenset[str]:
        """Stems of everything behind the id."""
        return frozenset(map(stem, tokens(f"{self.title} {self.text}")))


def exhibits_of(assessment: Assessment) -> dict[str, Exhibit]:
    """Everything in a report that can be cited, by id: findings, ``readiness``, ``rubric:…``, ``profile``."""
    made = {each.id: _finding(each) for each in assessment.findings}
    low, high = assessment.readiness.low, assessment.readiness.high
    made["readiness"] = record("readiness", f"readiness {low:.1f} to {high:.1f} of 100")
    for view in assessment.rubrics:
        made[f"rubric:{view.id}"] = _rubric(view)
    profile = assessment.profile
    said = (
        f"{profile.kind} {' '.join(profile.frameworks)} {' '.join(profile.tools)} {' '.join(profile.reasons)}"
    )
    counts = {outcome: sum(each.outcome is outcome for each in assessment.findings) for outcome in Outcome}
    totals = f"{assessment.files} files, {len(assessment.findings)} findings, " + ", ".join(
        f"{number} {outcome}" for outcome, number in counts.items()
    )
    made["profile"] = record("profile", f"{said}; {totals}")
    return made


def record(id: str, text: str) -> Exhibit:
    """Something that happened or was measured: it has figures and neither holds nor fails."""
    return Exhibit(id=id, title="", outcome=None, text=text, figures=tuple(figures_in(text)))


def _finding(finding: Finding) -> Exhibit:
    text = f"{finding.evidence} {finding.severity} {finding.effort} {finding.outcome}"
    figures = [*figures_in(f"{finding.title}. {finding.evidence}"), *_values(finding.values)]
    return Exhibit(
        id=finding.id,
        title=finding.title,
        outcome=finding.outcome,
        text=text,
        figures=tuple(figures),
        places=finding.locations,
    )


def _rubric(view: RubricView) -> Exhibit:
    points = f"{view.points.low:g} to {view.points.high:g} of {view.out_of:g}" if view.points else ""
    items = "; ".join(
        f"{item.id} {item.title} {item.points.low:g}" for each in view.sections for item in each.items
    )
    return record(
        f"rubric:{view.id}", f"{view.title}: {view.verdict}; {points}; next {view.next_level}; {items}"
    )


def figures_in(text: str) -> Iterator[Figure]:
    """The numbers of a text, and whether a percent sign or the word follows."""
    for found in NUMBER.finditer(text):
        value = number(found[0])
        if value is not None:
            after = text[found.end() : found.end() + 9].lstrip().lower()
            yield Figure(value=value, percent=after.startswith(("%", "percent", "per cent")))


def _values(values: Mapping[str, object]) -> Iterable[Figure]:
    for key, value in sorted(values.items()):
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        parsed = number(repr(value))
        if parsed is None:
            continue
        percent = any(word in key.lower() for word in ("percent", "completeness"))
        yield Figure(value=parsed, percent=percent)
        if not percent and isinstance(value, float) and 0 <= value <= 1:
            yield Figure(value=parsed * 100, percent=True)


def number(text: str) -> Decimal | None:
    """A written number, with thousands separated or not; None where it is none."""
    try:
        value = Decimal(text.replace(",", "").replace("−", "-"))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def shows(figures: Iterable[Figure], said: Decimal, *, percent: bool) -> bool:
    """Whether a number is among the figures, exactly or rounded to the digits in which it was said."""
    step = Decimal(1).scaleb(min(0, int(said.as_tuple().exponent)))
    return any(
        figure.percent == percent and (figure.value == said or _rounded(figure.value, step) == said)
        for figure in figures
    )


def _rounded(value: Decimal, step: Decimal) -> Decimal | None:
    # A whole number is not a rounding of another: 12 is not shown by 12.4 unless a decimal was said.
    if step == 1 and value != value.to_integral_value() and abs(value) < 10:
        return None
    try:
        return value.quantize(step)
    except InvalidOperation:
        return None
