"""From what the links found to a verdict: which cause, how sure, in which shares.

Defects that a repair proves come before the world is blamed; what no repair explains is the world's, or nobody's. In
doubt the answer is ``mixed`` or ``cannot say``: a wrong verdict that sounds sure is the worst outcome.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mlwright.model.diagnosis import Cause, Outcome, Share, Sureness
from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring.diagnosis.figures import percent, portion
from mlwright.stages.monitoring.diagnosis.findings import Findings, Repair
from mlwright.stages.monitoring.diagnosis.intervals import scaled
from mlwright.stages.monitoring.diagnosis.refit import HELPS

CARRIES: Final = 0.5
"""A cause that carries more than half of the drop is the verdict, if nothing else carries much."""
SOME: Final = 0.2
"""A share below which a second cause is not one."""
TOP: Final = 0.35
"""Where no cause carries as much, none is the verdict."""
LEFT: Final = 0.1
"""A rest that is proven and larger is looked into, and a verdict that leaves it is not sure."""
FELL: Final = 0.3
"""Share of labels known less than before from which no verdict on the world is sure."""
DOMINANT: Final = 0.6
NO_GAIN: Final = 0.15
_LOSSY: Final = (
    "missing",
    "sentinel",
    "constant",
    "default",
    "stale",
    "new levels",
    "range",
    "join",
    "differs",
)
"""Mechanisms after which no repair brings all of the information back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict, and the shares that it rests on, largest first."""

    cause: Cause
    sureness: Sureness
    why: str
    shares: tuple[Share, ...] = ()


def judge(found: Findings) -> Judgement:
    """Apply the verdict table."""
    answer = found.reality.answer
    if answer == "too little":
        return Judgement(
            cause=Cause.OPEN,
            sureness=Sureness.OPEN,
            why="there are too few labels to say whether anything fell",
        )
    if answer != "worse":
        return _no_drop(found, answer)
    worst = found.labelling.worst
    if worst is not None and worst.recovered is None:
        sureness = Sureness.SURE if worst.sure else Sureness.LIKELY
        return Judgement(cause=Cause.LABELS, sureness=sureness, why=worst.text)
    shares = [*_merged(found.repairs), *_world(found)]
    shares.sort(key=lambda each: (-each.share.value, each.cause.value))
    return _weighed(found, tuple(each for each in shares if each.share.value >= 0.05))


def _no_drop(found: Findings, answer: str) -> Judgement:
    real = found.reality
    if answer == "better":
        return Judgement(
            cause=Cause.NO_EVIDENCE, sureness=Sureness.SURE, why="quality has become better, not worse"
        )
    # an estimate of more than a standard error above 0 is no evidence, but no all-clear either
    calm = real.drop.value <= (real.drop.upper - real.drop.value) / 2
    sharp = calm and real.loss_before > 0 and real.detectable <= 0.15 * real.loss_before
    why = f"what was seen is within chance; a drop of {real.detectable:.3g} would have shown"
    return Judgement(cause=Cause.NO_EVIDENCE, sureness=Sureness.SURE if sharp else Sureness.LIKELY, why=why)


def _merged(repairs: tuple[Repair, ...]) -> list[Share]:
    """Repairs as shares, those of one cause added up."""
    made: dict[Cause, Share] = {}
    for each in repairs:
        other = made.get(each.cause)
        if other is None:
            made[each.cause] = Share(cause=each.cause, share=each.share, text=each.text)
            continue
        both = replace(
            each.share,
            value=other.share.value + each.share.value,
            lower=other.share.lower + each.share.lower,
            upper=other.share.upper + each.share.upper,
        )
        made[each.cause] = Share(cause=each.cause, share=both, text=f"{other.text}; {each.text}")
    return list(made.values())


def _world(found: Findings) -> list[Share]:
    """What is left after the repairs, split by S5 to S9."""
    left = found.rest.value if found.rest is not None else 1.0
    if not found.rest_proven or left < LEFT or found.mixture is None:
        return []
    shift, mixture = found.shift, found.mixture
    if shift is not None and shift.shifted and not found.ranking_lost:
        whole = Estimate(value=left, lower=left, upper=left, assumption="P(x|y) is as it was")
        rest = found.rest or whole
        back = (
            ""
            if shift.recovered is None
            else f"; correcting the scores for it takes back {portion(shift.recovered)}"
        )
        return [
            Share(
                cause=Cause.PRIOR,
                share=rest,
                text=f"the share of the classes moved, the classes did not{back}",
            )
        ]
    if mixture.mix is None or mixture.rate is None:
        return []
    made: list[Share] = []
    if mixture.mix.value > 0:
        made.append(_population(found))
    if mixture.rate.value > 0:
        made += _answers(found)
    return made


def _population(found: Findings) -> Share:
    mixture = found.mixture
    assert mixture is not None
    assert mixture.mix is not None
    broken = _lost_to(found)
    if broken is not Cause.LOST:
        # without a feature that it leans on the model is less sure of the same cases: that is no other population
        text = "the model is less sure since a feature is broken"
        return Share(cause=broken, share=_of_rest(found, mixture.mix), text=text)
    unseen = mixture.unseen
    if unseen is not None and unseen.value >= CARRIES and unseen.lower > SOME:
        text = f"rows of which the reference has next to none carry {portion(unseen)} of it"
        return Share(cause=Cause.UNSEEN, share=_of_rest(found, mixture.mix), text=text)
    loop, drop = found.loop, found.reality.drop.value
    if loop is not None and loop.selective and loop.selection >= CARRIES * drop:
        text = f"labels are known of the harder answers: choosing them makes {percent(loop.selection / drop)} of it"
        return Share(cause=Cause.FEEDBACK, share=_of_rest(found, mixture.mix), text=text)
    text = "cases that the model knows to be harder are more frequent"
    return Share(cause=Cause.HARDER, share=_of_rest(found, mixture.mix), text=text)


def _answers(found: Findings) -> list[Share]:
    """The rate term: concept change as far as a refit takes it back, information lost as far as it does not."""
    mixture, gain = found.mixture, found.refit.gain if found.refit is not None else None
    assert mixture is not None
    assert mixture.rate is not None
    rate = _of_rest(found, mixture.rate)
    strange = _strange(found, rate)
    if strange is not None:
        return [strange]
    if gain is None:
        return [
            Share(cause=Cause.OPEN, share=rate, text="worse answers to the same cases, no refit to tell why")
        ]
    if _loop_proven(found):
        return [
            Share(cause=Cause.FEEDBACK, share=rate, text="worse where the model chose, not where it explored")
        ]
    if gain.value >= HELPS:
        text = f"the same cases have other outcomes; a refit takes back {portion(gain)}"
        return [Share(cause=Cause.CONCEPT, share=rate, text=text)]
    if gain.value < NO_GAIN:
        text = f"the features tell less of the outcome; a refit takes back {percent(max(gain.value, 0.0))}"
        return [Share(cause=_lost_to(found), share=rate, text=text)]
    part = gain.value / HELPS
    concept = Share(
        cause=Cause.CONCEPT,
        share=scaled(rate, part),
        text=f"a refit takes back {portion(gain)}, too little to be sure",
    )
    lost = Share(cause=_lost_to(found), share=scaled(rate, 1 - part), text="the rest no refit takes back")
    return [concept, lost]


def _strange(found: Findings, rate: Estimate) -> Share | None:
    """The rate term where it lies on rows outside the reference: "the same cases" does not hold there."""
    outside = found.mixture.unseen if found.mixture is not None else None
    if outside is None or outside.value < CARRIES or outside.lower <= SOME:
        return None
    text = f"rows of which the reference has next to none carry {portion(outside)} of it"
    broken = _lost_to(found)
    if broken is not Cause.LOST:  # they are strange because a feature is
        return Share(cause=broken, share=rate, text=f"{text}, and a feature of them is broken")
    return Share(cause=Cause.UNSEEN, share=rate, text=text)


def _lost_to(found: Findings) -> Cause:
    """Information that is gone where a feature is known to be broken beyond repair went with it."""
    faded = set() if found.refit is None else {each.column for each in found.refit.test.suspects}
    known = {each.cause for each in found.repairs}
    copied = Cause.SKEW in {each.cause for each in found.repairs if each.proven}
    # what a second copy brought back is not gone
    back = {each.column for each in found.skew.suspects} if copied else set()
    broken = [
        each
        for link in (found.skew, found.integrity)
        for each in link.suspects
        if each.column not in back
        and (each.mechanism in _LOSSY or each.column in found.integrity.lost)
        and ((each.recovered is not None and each.recovered.value >= 0.1) or each.column in faded)
    ]
    if not broken:
        return Cause.LOST
    return Cause.SKEW if Cause.SKEW in known else Cause.QUALITY


def _loop_proven(found: Findings) -> bool:
    loop = found.loop
    return (
        loop is not None
        and loop.gap is not None
        and loop.gap.lower > 0
        and loop.test.outcome is Outcome.FOUND
    )


def _weighed(found: Findings, shares: tuple[Share, ...]) -> Judgement:
    """The largest share is the verdict, or several are, or none."""
    shares = _joined(shares)
    if not shares:
        return Judgement(
            cause=Cause.OPEN, sureness=Sureness.OPEN, why="the drop is real, and no test explains it"
        )
    top = shares[0]
    others = [each for each in shares[1:] if each.share.value >= SOME]
    if top.share.value < TOP:
        cause = Cause.MIXED if others else Cause.OPEN
        why = (
            "several causes carry a little each"
            if others
            else "no test explains more than a part of the drop"
        )
        return Judgement(cause=cause, sureness=Sureness.OPEN, why=why, shares=shares)
    # What does not carry half of the drop is no verdict by itself beside another cause.
    if others and (others[0].share.value > _second_limit(top) or top.share.value < CARRIES):
        why = "several causes carry the drop: " + ", ".join(
            f"{each.cause} {portion(each.share)}" for each in (top, *others)
        )
        proven = all(each.share.lower > 0.05 for each in (top, others[0]))
        return Judgement(
            cause=Cause.MIXED, sureness=Sureness.LIKELY if proven else Sureness.OPEN, why=why, shares=shares
        )
    if top.cause is Cause.OPEN:
        return Judgement(cause=Cause.OPEN, sureness=Sureness.OPEN, why=top.text, shares=shares)
    sureness = _sureness(found, top, alone=not others)
    if sureness is Sureness.SURE and _hides(found, top):
        sureness = Sureness.LIKELY
    return Judgement(cause=top.cause, sureness=sureness, why=top.text, shares=shares)


def _joined(shares: tuple[Share, ...]) -> tuple[Share, ...]:
    """Shares of one cause (a repair and what it could not bring back) as one."""
    merged = _merged(tuple(Repair(cause=each.cause, share=each.share, text=each.text) for each in shares))
    return tuple(sorted(merged, key=lambda each: (-each.share.value, each.cause.value)))


def _second_limit(top: Share) -> float:
    """How much a second cause may carry before the verdict is mixed: the world's terms are softer than a repair."""
    return 0.25 if top.cause in _REPAIRED else 1.0 - DOMINANT


_REPAIRED: Final = (Cause.LABELS, Cause.SERVING, Cause.SKEW, Cause.QUALITY)


def _sureness(found: Findings, top: Share, *, alone: bool) -> Sureness:
    if top.cause in _REPAIRED:
        return _sure_of_defect(found, top) if alone else Sureness.LIKELY
    if not alone or top.share.value < CARRIES or _labels_fell(found):
        return Sureness.LIKELY
    clean = _clean(found)
    mixture = found.mixture
    assert mixture is not None
    if top.cause is Cause.PRIOR:
        return Sureness.SURE if clean else Sureness.LIKELY
    if top.cause in (Cause.HARDER, Cause.UNSEEN):
        small = mixture.cbpe_gap is not None and abs(mixture.cbpe_gap) < 0.3 * found.reality.drop.value
        sure = clean and small and mixture.mix is not None and mixture.mix.lower > CARRIES
        return Sureness.SURE if sure else Sureness.LIKELY
    # Never sure of a concept change: nothing in (x, y) tells it from a silent re-definition upstream. A second copy
    # excludes one on the way to the model, but not one in the source that both copies are made of.
    return Sureness.LIKELY


def _hides(found: Findings, top: Share) -> bool:
    """Whether a proven rest is left that the verdict does not explain.

    Rows that could not be recomputed are no such rest: the share is then that of the rows that could.
    """
    rest = found.rest
    if top.cause not in _REPAIRED or rest is None or not found.rest_proven:
        return False
    own = sum(each.share.value for each in found.repairs if each.cause is top.cause)
    if top.share.value - own >= SOME:
        return True  # what a broken feature is only blamed for may be another cause
    left = 1.0 - top.share.value
    if top.cause is Cause.SKEW and found.skew.recovered is not None:
        left = min(left, 1.0 - found.skew.recovered.value)
    return left >= LEFT


def _labels_fell(found: Findings) -> bool:
    """Whether far fewer labels are known than before, or the rows with labels were chosen by the model."""
    case = found.reality.case
    known = [float(np.isfinite(side.label).mean()) for side in (case.reference, case.current) if len(side)]
    fell = len(known) == 2 and known[0] - known[1] > FELL
    return fell or (found.loop is not None and found.loop.test.outcome is Outcome.FOUND)


def _sure_of_defect(found: Findings, top: Share) -> Sureness:
    own = [each for each in found.repairs if each.cause is top.cause]
    if not own or not all(each.proven for each in own):
        return Sureness.LIKELY
    if top.share.lower >= CARRIES:
        return Sureness.SURE
    return (
        Sureness.SURE
        if top.share.value >= CARRIES and top.share.lower > SOME and found.changes.at_onset
        else Sureness.LIKELY
    )


def _clean(found: Findings) -> bool:
    """Whether the pipeline was looked at, by a second copy or by replay and the log, and nothing was found in it."""
    if found.integrity.test.outcome is not Outcome.CLEAR or found.labelling.faults:
        return False
    if found.loop is not None and found.loop.selective:
        return False
    if found.has_copy:
        return found.skew.test.outcome is Outcome.CLEAR
    return found.replay.test.outcome is Outcome.CLEAR and found.changes.test.outcome is Outcome.CLEAR


def _of_rest(found: Findings, share: Estimate) -> Estimate:
    """A share of what is left as a share of the whole drop; both intervals count."""
    rest = found.rest
    if rest is None:
        return share
    return replace(
        share,
        value=share.value * rest.value,
        lower=min(share.lower * max(rest.lower, 0.0), share.lower * rest.upper),
        upper=share.upper * max(rest.upper, 0.0),
    )
