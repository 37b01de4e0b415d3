"""All rubrics, and the findings as they read them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from mlwright.engineer.probe import When
from mlwright.engineer.rubrics.ai_act import AI_ACT, HIGH_RISK
from mlwright.engineer.rubrics.aws import AWS
from mlwright.engineer.rubrics.documents import DATASHEET, MODEL_CARD
from mlwright.engineer.rubrics.google import GOOGLE
from mlwright.engineer.rubrics.items import Seen, item_of, section_of
from mlwright.engineer.rubrics.microsoft import MICROSOFT
from mlwright.engineer.rubrics.ml_test_score import ML_TEST_SCORE
from mlwright.engineer.rubrics.principles import PRINCIPLES
from mlwright.engineer.rubrics.review import REVIEW
from mlwright.engineer.rubrics.shape import Check, Rubric
from mlwright.engineer.rubrics.technical_debt import TECHNICAL_DEBT
from mlwright.model.assessment import Profile, RepositoryKind, RubricView
from mlwright.model.findings import Finding, Outcome

RUBRICS: Final = (
    ML_TEST_SCORE,
    GOOGLE,
    MICROSOFT,
    AWS,
    TECHNICAL_DEBT,
    PRINCIPLES,
    MODEL_CARD,
    DATASHEET,
    AI_ACT,
    REVIEW,
)

QUESTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {HIGH_RISK: "the system is high-risk under Article 6 and Annex I or III"}
    | {
        check.id: check.title
        for rubric in RUBRICS
        for chapter in rubric.chapters
        for check in chapter.checks
        if check.question
    }
)
"""What only people know, by id: a sentence that is true where the answer is yes."""

IN_NO_RUBRIC: Final[Mapping[str, str]] = MappingProxyType(
    {
        "data.no_identifiers": "a fault of the features themselves, which no published rubric names",
        "model.card_agrees": "the rubric for model cards counts sections; whether they are true is a fault of its own",
    }
)
"""Probes that no published rubric asks for, with the reason; they count in readiness alone."""


def views(
    findings: Iterable[Finding], profile: Profile, elsewhere: frozenset[str] = frozenset()
) -> tuple[RubricView, ...]:
    """Read findings by every rubric.

    Args:
        findings: what the probes found, and what people answered (``answers.Answers.findings``), in any order; an item
            whose findings are not among them stays open.
        profile: what the repository is for; a rubric that is not meant for it says so and gives no points.
        elsewhere: ids of probes whose FALSE means "not seen here": they leave an item open instead of closing it.
    """
    seen = Seen(findings={each.id: each for each in findings}, elsewhere=elsewhere)
    return tuple(view(rubric, profile, seen) for rubric in RUBRICS)


def view(rubric: Rubric, profile: Profile, seen: Seen) -> RubricView:
    """Read findings by one rubric."""
    reason = not_for(rubric, profile, seen)
    sections = () if reason else tuple(section_of(chapter, seen) for chapter in rubric.chapters)
    reading = rubric.read(sections)
    return RubricView(
        id=rubric.id,
        title=rubric.title,
        source=rubric.source,
        verdict=f"does not apply: {reason}" if reason else reading.verdict,
        points=reading.points,
        out_of=reading.out_of,
        sections=sections,
        next_level=reading.next_level,
        blocking=reading.blocking,
        note=rubric.note,
    )


def not_for(rubric: Rubric, profile: Profile, seen: Seen) -> str:
    """Why a rubric is not meant for this repository, "" where it is."""
    answered = seen.findings.get(rubric.unless)
    if rubric.when is When.ALWAYS:
        return ""
    if profile.kind is RepositoryKind.LIBRARY:
        return "this is for others to install"
    if profile.kind is RepositoryKind.OTHER or not (profile.trains or profile.serves):
        return "nothing here trains or serves a model"
    if rubric.when is When.TRAINS and not profile.trains:
        return "nothing here trains a model"
    if answered is not None and answered.outcome is Outcome.FALSE:
        return answered.evidence
    return ""


def raised(id: str, profile: Profile, seen: Seen) -> tuple[str, ...]:
    """The items, as ``rubric/item``, whose points rise at the lower end once this finding holds."""
    held = replace(seen.findings[id], outcome=Outcome.TRUE, values={})
    after = Seen(findings={**seen.findings, id: held}, elsewhere=seen.elsewhere)
    return tuple(
        f"{rubric.id}/{check.id}"
        for rubric in RUBRICS
        if not not_for(rubric, profile, seen)
        for check in _asking(rubric, id)
        if item_of(check, after).points.low > item_of(check, seen).points.low
    )


def names(rubrics: Sequence[Rubric] = RUBRICS) -> frozenset[str]:
    """Ids of all probes that rubrics read."""
    checks = (check for rubric in rubrics for chapter in rubric.chapters for check in chapter.checks)
    return frozenset(name for check in checks for name in check.names) - frozenset(QUESTIONS)


def _asking(rubric: Rubric, id: str) -> list[Check]:
    return [check for chapter in rubric.chapters for check in chapter.checks if id in check.names]
