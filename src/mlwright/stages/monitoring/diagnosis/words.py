"""What the report says beside the verdict: one paragraph, what would change it, what to type next, its limits."""

import re
from typing import Final

from mlwright.model.answers import NextCommand
from mlwright.model.diagnosis import Cause, Happening, Sureness, Suspect
from mlwright.stages.monitoring.diagnosis.case import Case
from mlwright.stages.monitoring.diagnosis.figures import percent, portion
from mlwright.stages.monitoring.diagnosis.findings import Findings
from mlwright.stages.monitoring.diagnosis.reality import LOSSES
from mlwright.stages.monitoring.diagnosis.refit import HELPS
from mlwright.stages.monitoring.diagnosis.verdict import LEFT, Judgement

_ENDPOINT: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*\Z")
_WORLD: Final = (Cause.CONCEPT, Cause.LOST, Cause.HARDER, Cause.UNSEEN, Cause.PRIOR, Cause.FEEDBACK)
_DEFECTS: Final = (Cause.LABELS, Cause.SERVING, Cause.SKEW, Cause.QUALITY)

_FIRST: Final = {
    Cause.SERVING: "Roll the image or model back; then replay it on the logged inputs.",
    Cause.SKEW: "Repair the path of the named features, back-fill, replay.",
    Cause.QUALITY: "Quarantine the source of the named features, set a rule for defaults, add a contract test.",
    Cause.LABELS: "Stop judging the model by these labels; repair what makes them, then diagnose again.",
    Cause.PRIOR: "Correct the scores for the new share of the classes and move the threshold; retrain later.",
    Cause.HARDER: "Collect labels where it became harder; retraining on the same kind of rows does not help.",
    Cause.UNSEEN: "Abstain or route there, and gather labelled rows of that kind.",
    Cause.CONCEPT: "Retrain on recent rows and shorten the cadence.",
    Cause.LOST: "Do not retrain: find the join, source or labels that stopped carrying what they did.",
    Cause.FEEDBACK: "Explore 1–2 % of the traffic, train with inverse propensities, keep a holdout.",
    Cause.MIXED: "Act on the largest share that can be recovered; then diagnose again.",
    Cause.OPEN: "Bring what is listed under what would change the verdict.",
    Cause.NO_EVIDENCE: "Keep watching.",
}


def summary(case: Case, found: Findings, judged: Judgement) -> str:
    """The verdict in one paragraph."""
    real = found.reality
    if real.answer != "worse":
        broken = _standing(found)
        context = f" Not hurting yet, but worth a look: {broken}." if broken else ""
        return f"{real.test.text[:1].upper()}{real.test.text[1:]}.{context}"
    since = ""
    if real.onset is not None:
        since = f" since {real.onset.at:%Y-%m-%d %H:%M} UTC, {real.onset.shape}"
    head = (
        f"{LOSSES[case.task]} {real.drop.value:+.3g}{since} ({real.drop.level:.0%} interval {real.drop.lower:+.3g} to "
        f"{real.drop.upper:+.3g})."
    )
    parts = [head]
    said = str(judged.cause)
    if judged.cause is Cause.CONCEPT:
        where = (
            "a re-definition, in the source of both copies,"
            if found.has_copy
            else "an upstream re-definition"
        )
        said = f"concept change or {where} of {redefined(found)}"
    sure = ", likely" if judged.sureness is Sureness.LIKELY else ""
    named = _named(found, judged.cause)
    why = judged.why
    if judged.cause in (Cause.SKEW, Cause.QUALITY) and named and judged.shares:
        part = judged.shares[0].share
        more = "more than all of it, " if part.value > 1.05 and part.lower > 1.0 else ""
        why = f"{more}{portion(part)}{'' if more else ' of it'} is explained by {named}{_end(found, judged)}"
    elif named:
        why += f" ({named})"
    parts.append(f"{said[:1].upper()}{said[1:]}{sure}: {why.rstrip('.')}{_event(found, judged)}.")
    if judged.cause in _DEFECTS and judged.sureness is Sureness.SURE and len(judged.shares) == 1:
        parts.append("Not concept change.")
    parts.append(f"Next: {_FIRST[judged.cause][:1].lower()}{_FIRST[judged.cause][1:]}")
    return " ".join(parts)


def _end(found: Findings, judged: Judgement) -> str:
    """What is left after the repair, or that nothing is."""
    other = [each for each in judged.shares[1:] if each.share.value >= LEFT]
    if other:
        return f"; {portion(other[0].share)} is {other[0].cause}"
    rest = found.rest
    repaired = any(each.cause is judged.cause for each in found.repairs)
    if rest is None or not repaired:
        return ""
    if not found.rest_proven:
        return "; repaired, the loss is back where it was, as far as these rows can tell"
    if judged.cause is Cause.SKEW and found.skew.recovered is not None:
        return f"; of the rows that could be recomputed it is {portion(found.skew.recovered)}"
    left = 1.0 - sum(each.share.value for each in judged.shares)
    return f"; {percent(left)} is left, which nothing explains yet" if left >= LEFT else ""


def _event(found: Findings, judged: Judgement) -> str:
    """The change of the pipeline at the onset, and how far from it."""
    onset = found.reality.onset
    if not found.changes.at_onset or judged.cause not in _DEFECTS or onset is None:
        return ""
    first = found.changes.at_onset[0]
    minutes = (onset.at - first.at).total_seconds() / 60
    away = f"{abs(minutes):.0f} min" if abs(minutes) < 120 else f"{abs(minutes) / 60:.0f} h"
    how = "in the same minute as" if abs(minutes) < 1 else f"{away} {'after' if minutes > 0 else 'before'}"
    source = f" [{first.source}]" if first.source else ""
    return f"; it began {how} {first.kind} {first.what}{source}"


def would_change(case: Case, found: Findings, judged: Judgement) -> tuple[str, ...]:
    """What, if it were known, could change the verdict, most telling first."""
    made: list[str] = []
    real = found.reality
    if real.answer == "too little":
        return tuple(f"{each[:1].upper()}{each[1:]}" for each in real.test.needs)
    if real.answer == "no evidence":
        return (f"More labelled rows: a drop below {real.detectable:.3g} does not show on these",)
    soft = judged.cause in (*_WORLD, Cause.MIXED, Cause.OPEN)
    if soft:
        made += _copies(found, judged)
    if soft and not case.happenings:
        made.append(
            "The log of deploys, schemas and sources: something that was changed at the onset speaks for a defect"
        )
    if found.changes.at_onset and judged.cause in _WORLD:
        made.append(f"What {_happened(found.changes.at_onset[0])} did: it stands at the onset")
    worst = found.labelling.worst
    if judged.cause is Cause.LABELS and worst is not None and not worst.sure:
        other = " or the scores" if worst.doubtful else ""
        made.append(
            f"A sample of labels made by hand: it would show whether the labels{other} are what is wrong"
        )
    if case.model is None and judged.cause in (*_WORLD, Cause.SERVING, Cause.MIXED, Cause.OPEN):
        made.append(
            "The recorded model: replayed on the logged inputs it would prove or exclude a serving defect"
        )
    if judged.cause in (Cause.CONCEPT, Cause.LOST, Cause.MIXED) and found.refit is not None:
        gain = found.refit.gain
        if gain is not None and gain.lower < HELPS < gain.upper:
            made.append(f"More labelled rows: a refit takes back {portion(gain)} of the drop")
    if judged.cause in _WORLD and case.current.explored is None:
        made.append(
            "A share of traffic answered at random (1–2 %): without it a feedback loop cannot be excluded"
        )
    if judged.cause is Cause.LOST and case.current.label_source is None:
        made.append("The source of each label: noise in the labels looks like lost information")
    if judged.cause in _DEFECTS and judged.sureness is not Sureness.SURE:
        made.append("More labelled rows, or the exact model: the share that the repair recovers is not firm")
    return tuple(dict.fromkeys(made))


def commands(case: Case, judged: Judgement) -> tuple[NextCommand, ...]:
    """Commands to type next, where the subject is an endpoint of a project."""
    name = case.subject.removeprefix("endpoint ")
    if not _ENDPOINT.match(name):
        return ()
    look = NextCommand(command=f"mlwright monitor {name} --drift", why="quality and drift over time")
    audit = NextCommand(command="mlwright audit", why="what was changed, and by whom")
    retrain = NextCommand(
        command=f"mlwright retrain {name} --reason 'diagnosis: {judged.cause}'",
        why="train candidates; the gate decides",
    )
    releases = NextCommand(
        command="mlwright endpoints", why="which version stands behind it, and which stood before"
    )
    check = NextCommand(command="mlwright check", why="check data sets against their contracts")
    return {
        Cause.SERVING: (releases, audit),
        Cause.SKEW: (check, audit),
        Cause.QUALITY: (check, audit),
        Cause.LABELS: (audit, look),
        Cause.CONCEPT: (retrain, look),
        Cause.PRIOR: (look, retrain),
        Cause.LOST: (check, audit),
        Cause.MIXED: (audit, look),
    }.get(judged.cause, (look,))


def limits(case: Case, found: Findings, fitted: int) -> tuple[str, ...]:
    """What this answer does not see, and what it takes for granted."""
    made = [*found.reality.notes, f"intervals: {found.reality.drop.assumption}"]
    rows = max(len(case.reference), len(case.current))
    if rows > fitted:
        made.append(
            f"models are fitted on at most {fitted:,} rows of a side, drawn by a fixed seed; losses are of all rows"
        )
    if case.model is None:
        made.append(
            "there is no recorded model: repairs are scored by a surrogate learned from the reference's scores"
        )
    if case.current.at is None:
        made.append("there are no event times: no onset, no time-zone and no lag tests")
    if not found.has_copy:
        made.append("there is no second copy of the features")
    if case.keep_texts:
        made.append("columns of free text are not tested one by one: " + ", ".join(case.keep_texts))
    return tuple(made)


def suspects(found: Findings, judged: Judgement) -> tuple[Suspect, ...]:
    """The features that are wrong, those of the verdict first, each feature and mechanism once."""
    links = [found.skew.suspects, found.integrity.suspects]
    if judged.cause in (Cause.LOST, Cause.MIXED, Cause.OPEN) and found.refit is not None:
        links.append(found.refit.collapsed)
    if judged.cause in (Cause.HARDER, Cause.UNSEEN) and found.mixture is not None:
        links.append(found.mixture.test.suspects)
    made = {(each.column, each.mechanism): each for link in reversed(links) for each in reversed(link)}
    ordered = [each for link in links for each in link]
    return tuple(dict.fromkeys(made[each.column, each.mechanism] for each in ordered))


def _copies(found: Findings, judged: Judgement) -> list[str]:
    """What a second copy of the features would show, or what the one at hand cannot."""
    named = redefined(found)
    if not found.has_copy:
        return [
            (
                f"A second copy of the features, recomputed offline for the same rows: it would show whether {named} "
                "changed its meaning upstream, which labels and served features alone cannot"
            )
        ]
    if judged.cause is not Cause.CONCEPT:
        return []
    return [
        f"What {named} means in the source that both copies are made of: a re-definition there shows in neither"
    ]


def redefined(found: Findings) -> str:
    """The features whose meaning may have changed, as far as a test names any."""
    names: list[str] = []
    for link in (found.refit, found.mixture):
        if link is not None:
            names += [each.column for each in link.test.suspects]
    unique = list(dict.fromkeys(names))[:3]
    return ", ".join(f"`{each}`" for each in unique) if unique else "a feature"


def _named(found: Findings, cause: Cause) -> str:
    """The features behind a verdict, in a few words."""
    link = {
        Cause.SKEW: found.skew.suspects,
        Cause.QUALITY: found.integrity.suspects,
        Cause.LOST: found.refit.collapsed if found.refit is not None else (),
    }.get(cause, ())
    return ", and ".join(_short(each) for each in link[:2])


def _short(each: Suspect) -> str:
    """A feature and what is wrong with it; how that is known stands in the tests."""
    what = each.text.split(";")[0]
    return f"`{each.column}`: {what.removeprefix(f'{each.column} ').removeprefix(f'{each.column}: ')}"


def _standing(found: Findings) -> str:
    """Faults of features or labels that are there although nothing fell."""
    named = [_short(each) for each in (*found.skew.suspects, *found.integrity.suspects)[:3]]
    return "; ".join([*named, *(fault.text for fault in found.labelling.faults[:1])])


def _happened(each: Happening) -> str:
    source = f" [{each.source}]" if each.source else ""
    return f"{each.kind} {each.what}{source} at {each.at:%Y-%m-%d %H:%M} UTC"
