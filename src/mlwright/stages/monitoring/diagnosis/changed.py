"""S1: what was changed near the onset? It says where to look first and never decides alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mlwright.model.diagnosis import Happening, Onset, Outcome, Test
from mlwright.model.instants import from_micros
from mlwright.stages.monitoring.diagnosis.case import Case

_MOST: Final = 12
_PIPELINE: Final = (
    "deploy", "release", "rollout", "image", "code", "commit", "schema", "config", "setting", "dependency", "source",
    "feature", "data", "pipeline", "promotion", "model",
)  # fmt: skip
"""Kinds of happenings that can break what is computed; an outage elsewhere or a campaign cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What was changed near the onset, nearest first.

    ``at_onset`` are those of a kind that can break a pipeline, within the interval of an abrupt onset: a reason to
    look at pipelines first, and one more piece of evidence for a defect that was found.
    """

    near: tuple[Happening, ...]
    at_onset: tuple[Happening, ...]
    test: Test


def what_changed(case: Case, onset: Onset | None) -> Changes:
    """Rank happenings by their distance from the onset; without one nothing is near."""
    if not case.happenings:
        return _changes(
            Outcome.UNKNOWN,
            "nothing is known of what was changed",
            needs=(
                "the log of deploys, code, schemas, settings and sources (--since, or a project's ledger)",
            ),
        )
    listed = f"{len(case.happenings)} recorded happening{'s' if len(case.happenings) > 1 else ''}"
    if onset is None:
        return _changes(
            Outcome.UNKNOWN,
            f"{listed}; the rows show no instant at which the loss rose",
            needs=("event times of both sides, so that an onset can be found",),
        )
    room = _room(case, onset)
    ranked = sorted(
        case.happenings, key=lambda each: (abs(each.at - onset.at), each.at, each.kind, each.what)
    )
    near = tuple(each for each in ranked if onset.earliest - room <= each.at <= onset.latest + room)[:_MOST]
    inside = tuple(
        each
        for each in near
        if onset.shape == "abrupt"
        and onset.earliest - room / 4 <= each.at <= onset.latest
        and any(word in each.kind.lower() for word in _PIPELINE)
    )
    if not near:
        first = ranked[0]
        return _changes(
            Outcome.CLEAR,
            f"none of {listed} is near the {onset.shape} onset at {_short(onset.at)}; "
            f"the nearest is {_named(first, onset)}",
        )
    text = f"{onset.shape} onset at {_short(onset.at)}; nearest: " + "; ".join(
        _named(each, onset) for each in near[:3]
    )
    return Changes(
        near=near,
        at_onset=inside,
        test=Test(
            id="S1",
            title="What changed at the onset?",
            outcome=Outcome.FOUND if inside else Outcome.CLEAR,
            text=text + ("" if inside else " (not of a kind, or not near enough, to speak for a defect)"),
            numbers={"near": float(len(near)), "at onset": float(len(inside))},
            assumption="that one thing follows another is no proof that it caused it",
        ),
    )


def _room(case: Case, onset: Onset) -> timedelta:
    """How far from the onset still counts as near: a tenth of the time looked at, an hour at least, a week at most."""
    at = case.current.at
    span = (
        from_micros(int(at.max())) - from_micros(int(at.min()))
        if at is not None and len(at)
        else timedelta(days=1)
    )
    return min(max(span / 10, timedelta(hours=1), (onset.latest - onset.earliest) / 2), timedelta(days=7))


def _changes(outcome: Outcome, text: str, *, needs: tuple[str, ...] = ()) -> Changes:
    test = Test(id="S1", title="What changed at the onset?", outcome=outcome, text=text, needs=needs)
    return Changes(near=(), at_onset=(), test=test)


def _short(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _named(each: Happening, onset: Onset) -> str:
    gap = each.at - onset.at
    hours = abs(gap.total_seconds()) / 3600
    away = (
        f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} days"
    )
    source = f" [{each.source}]" if each.source else ""
    return f"{each.kind} {each.what}{source}, {away} {'before' if gap.total_seconds() <= 0 else 'after'}"
