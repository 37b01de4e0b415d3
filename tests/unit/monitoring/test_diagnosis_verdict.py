"""The verdict table, on results made by hand, and what the report says beside the verdict."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from mlwright.model.diagnosis import Cause, Happening, Onset, Outcome, Sureness, Suspect
from mlwright.model.diagnosis import Test as Link
from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring.diagnosis.case import Case, Sample, Task
from mlwright.stages.monitoring.diagnosis.changed import Changes, what_changed
from mlwright.stages.monitoring.diagnosis.feedback import FeedbackLoop
from mlwright.stages.monitoring.diagnosis.figures import percent, portion
from mlwright.stages.monitoring.diagnosis.findings import Findings, Repair
from mlwright.stages.monitoring.diagnosis.integrity import Integrity
from mlwright.stages.monitoring.diagnosis.labelling import LabelFault, Labelling
from mlwright.stages.monitoring.diagnosis.mixture import Mixture
from mlwright.stages.monitoring.diagnosis.priors import LabelShift
from mlwright.stages.monitoring.diagnosis.reality import Reality
from mlwright.stages.monitoring.diagnosis.refit import Refit
from mlwright.stages.monitoring.diagnosis.replay import Replay
from mlwright.stages.monitoring.diagnosis.skew import Skew
from mlwright.stages.monitoring.diagnosis.verdict import judge
from mlwright.stages.monitoring.diagnosis.words import summary, would_change

_NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def _test(outcome=Outcome.CLEAR, suspects=(), needs=()):
    return Link(id="S", title="t", outcome=outcome, text="text", suspects=suspects, needs=needs)


def _about(value, half=0.1):
    return Estimate(value=value, lower=value - half, upper=value + half)


def _case(**more):
    side = Sample(features=pl.DataFrame({"x": [1.0]}), label=np.ones(1), score=np.ones(1))
    return Case(task=Task.BINARY, reference=side, current=side, **more)


def _reality(answer="worse", detectable=0.01):
    drop = {"worse": _about(0.1, 0.02), "better": _about(-0.1, 0.02)}.get(answer, _about(0.0, 0.02))
    return Reality(
        answer=answer, case=_case(), drop=drop, loss_before=0.15, loss_now=0.25, labelled=1000,
        detectable=detectable, onset=None, series=(), test=_test(needs=("30 labels",)),
    )  # fmt: skip


def _findings(answer="worse", *, mix=None, rate=None, gain=None, shifted=False, repairs=(), rest=1.0, **more):
    """Everything clear but what is given."""
    world = {}
    if mix is not None:
        world = {
            "mixture": Mixture(
                test=_test(),
                mix=_about(mix),
                rate=_about(rate),
                cbpe_gap=more.pop("gap", 0.1 * rate),
                unseen=_about(more.pop("unseen", 0.0)),
            ),
            "shift": LabelShift(test=_test(), shifted=shifted, recovered=_about(0.7)),
            "refit": Refit(test=_test(), gain=None if gain is None else _about(gain, 0.08)),
        }
    held = {
        "labelling": Labelling(faults=(), test=_test()),
        "changes": Changes(near=(), at_onset=(), test=_test(Outcome.UNKNOWN)),
        "replay": Replay(differs=0.0, recovered=None, score=None, test=_test(Outcome.UNKNOWN)),
        "skew": Skew(mismatch={}, suspects=(), recovered=None, repaired=None, test=_test(Outcome.UNKNOWN)),
        "integrity": Integrity(mismatch={}, suspects=(), recovered=None, repaired=None, test=_test()),
    }
    return Findings(
        reality=_reality(answer), repairs=repairs, rest=_about(rest, 0.05), rest_proven=rest > 0.1,
        **(held | world | more),
    )  # fmt: skip


def _repair(cause, value, *, half=0.1, proven=True):
    return Repair(cause=cause, share=_about(value, half), text="what was wrong", proven=proven)


_COPY = {
    "skew": Skew(mismatch={}, suspects=(), recovered=None, repaired=None, test=_test(Outcome.CLEAR)),
    "has_copy": True,
}
_DEPLOY = Happening(at=_NOON, kind="deploy", what="churn/7", source="audit:214")
_AT_ONSET = {"changes": Changes(near=(_DEPLOY,), at_onset=(_DEPLOY,), test=_test(Outcome.FOUND))}
_BROKEN = Suspect(column="x", mechanism="missing", text="80% null", rows=0.8, recovered=_about(0.5))
_LOOP = {"loop": FeedbackLoop(test=_test(Outcome.FOUND), selective=True, gap=_about(0.1, 0.02))}

_TABLE = [
    ("no evidence", _findings("no evidence"), Cause.NO_EVIDENCE, Sureness.SURE),
    ("better", _findings("better"), Cause.NO_EVIDENCE, Sureness.SURE),
    ("too little", _findings("too little"), Cause.OPEN, Sureness.OPEN),
    ("replay", _findings(repairs=(_repair(Cause.SERVING, 0.95),), rest=0.05), Cause.SERVING, Sureness.SURE),
    (
        "scores alone",
        _findings(repairs=(_repair(Cause.SERVING, 0.9, proven=False),), rest=0.1),
        Cause.SERVING,
        Sureness.LIKELY,
    ),
    ("skew", _findings(repairs=(_repair(Cause.SKEW, 0.9),), rest=0.1, **_COPY), Cause.SKEW, Sureness.SURE),
    (
        "a repair that is not firm",
        _findings(repairs=(_repair(Cause.QUALITY, 0.55, half=0.3),), rest=0.1),
        Cause.QUALITY,
        Sureness.LIKELY,
    ),
    (
        "the same at a deploy",
        _findings(repairs=(_repair(Cause.QUALITY, 0.55, half=0.3),), rest=0.1, **_AT_ONSET),
        Cause.QUALITY,
        Sureness.SURE,
    ),
    (
        "two defects",
        _findings(repairs=(_repair(Cause.SKEW, 0.55), _repair(Cause.QUALITY, 0.4)), rest=0.05),
        Cause.MIXED,
        Sureness.LIKELY,
    ),
    (
        "two repairs of one kind",
        _findings(
            repairs=(_repair(Cause.QUALITY, 0.5, half=0.02), _repair(Cause.QUALITY, 0.45, half=0.02)),
            rest=0.05,
        ),
        Cause.QUALITY,
        Sureness.SURE,
    ),
    (
        "defect and concept",
        _findings(repairs=(_repair(Cause.QUALITY, 0.5),), rest=0.5, mix=0.05, rate=0.95, gain=0.6),
        Cause.MIXED,
        Sureness.LIKELY,
    ),
    (
        "what no repair brings back",
        _findings(
            repairs=(_repair(Cause.QUALITY, 0.5),),
            rest=0.5,
            mix=0.05,
            rate=0.95,
            gain=0.0,
            integrity=Integrity(
                mismatch={},
                suspects=(_BROKEN,),
                recovered=_about(0.5),
                repaired=None,
                test=_test(Outcome.FOUND),
            ),
        ),
        Cause.QUALITY,
        Sureness.LIKELY,
    ),
    (
        "what a second copy brought back is not blamed for the rest",
        _findings(
            repairs=(_repair(Cause.SKEW, 0.2, half=0.05),),
            rest=0.8,
            mix=0.05,
            rate=0.95,
            gain=0.0,
            skew=Skew(
                mismatch={},
                suspects=(_BROKEN,),
                recovered=_about(0.2),
                repaired=None,
                test=_test(Outcome.FOUND),
            ),
            has_copy=True,
        ),
        Cause.LOST,
        Sureness.LIKELY,
    ),
    ("label shift", _findings(mix=-0.1, rate=1.1, gain=0.9, shifted=True), Cause.PRIOR, Sureness.LIKELY),
    (
        "label shift but ranks are lost",
        _findings(mix=0.0, rate=1.0, gain=0.9, shifted=True, ranking_lost=True),
        Cause.CONCEPT,
        Sureness.LIKELY,
    ),
    ("harder", _findings(mix=0.85, rate=0.15, gain=0.0), Cause.HARDER, Sureness.LIKELY),
    ("harder, all looked at", _findings(mix=0.85, rate=0.15, gain=0.0, **_COPY), Cause.HARDER, Sureness.SURE),
    ("unseen", _findings(mix=0.9, rate=0.1, gain=0.1, unseen=0.8), Cause.UNSEEN, Sureness.LIKELY),
    ("half and half", _findings(mix=0.5, rate=0.5, gain=0.6), Cause.MIXED, Sureness.LIKELY),
    ("concept", _findings(mix=0.05, rate=0.95, gain=0.6), Cause.CONCEPT, Sureness.LIKELY),
    (
        "concept, copies agree",
        _findings(mix=0.05, rate=0.95, gain=0.6, **_COPY),
        Cause.CONCEPT,
        Sureness.LIKELY,  # the source of both copies may have been re-defined
    ),
    (
        "concept at a deploy",
        _findings(mix=0.05, rate=0.95, gain=0.6, **_COPY, **_AT_ONSET),
        Cause.CONCEPT,
        Sureness.LIKELY,
    ),
    ("information lost", _findings(mix=0.05, rate=0.95, gain=0.02), Cause.LOST, Sureness.LIKELY),
    ("between concept and lost", _findings(mix=0.0, rate=1.0, gain=0.2), Cause.MIXED, Sureness.LIKELY),
    ("feedback", _findings(mix=0.05, rate=0.95, gain=0.5, **_LOOP), Cause.FEEDBACK, Sureness.LIKELY),
    ("worse, no refit", _findings(mix=0.05, rate=0.95), Cause.OPEN, Sureness.OPEN),
    ("nothing explains it", _findings(), Cause.OPEN, Sureness.OPEN),
    (
        "a small defect and nothing else",
        _findings(repairs=(_repair(Cause.SKEW, 0.25),), rest=0.75),
        Cause.OPEN,
        Sureness.OPEN,
    ),
    (
        "labels say nothing",
        _findings(labelling=Labelling(faults=(LabelFault(text="all 0", rows=1.0, sure=True),), test=_test())),
        Cause.LABELS,
        Sureness.SURE,
    ),
]


@pytest.mark.parametrize(
    ("found", "cause", "sureness"), [row[1:] for row in _TABLE], ids=[row[0] for row in _TABLE]
)
def test_the_verdict_table(found: Findings, cause: Cause, sureness: Sureness) -> None:
    judged = judge(found)
    assert (judged.cause, judged.sureness) == (cause, sureness), judged
    assert judged.why
    values = [each.share.value for each in judged.shares]
    assert values == sorted(values, reverse=True)
    assert len({each.cause for each in judged.shares}) == len(judged.shares)
    assert summary(_case(), found, judged)
    wanted = would_change(_case(), found, judged)
    assert wanted or sureness is Sureness.SURE or cause is Cause.NO_EVIDENCE


def test_a_concept_verdict_says_what_else_it_may_be() -> None:
    found = _findings(mix=0.05, rate=0.95, gain=0.6)
    told = summary(_case(), found, judge(found))
    assert "oncept change or an upstream re-definition of a feature" in told
    assert any("second copy" in each for each in would_change(_case(), found, judge(found)))
    firm = _findings(mix=0.05, rate=0.95, gain=0.6, **_COPY)
    assert "a re-definition, in the source of both copies, of" in summary(_case(), firm, judge(firm))


def _whole(found: Findings) -> str:
    return summary(_case(), found, judge(found))


def test_the_line_of_a_defect_says_each_thing_once() -> None:
    suspect = Suspect(
        column="amount", mechanism="unit", text="×100 in all rows; undone, it differs by 0.01", rows=1.0
    )
    whole = Integrity(
        mismatch={}, suspects=(suspect,), recovered=_about(1.01), repaired=None, test=_test(Outcome.FOUND)
    )
    onset = Onset(at=_NOON, shape="abrupt", earliest=_NOON, latest=_NOON)
    found = _findings(
        repairs=(_repair(Cause.QUALITY, 0.96, half=0.05),), rest=0.04, integrity=whole, **_AT_ONSET
    )
    told = _whole(replace(found, reality=replace(found.reality, onset=onset)))
    assert told == (
        "Brier score +0.1 since 2024-03-01 12:00 UTC, abrupt (95% interval +0.08 to +0.12). Data quality: 96% (91% to "
        "101%) of it is explained by `amount`: ×100 in all rows; repaired, the loss is back where it was, as far as "
        "these rows can tell; it began in the same minute as deploy churn/7 [audit:214]. Not concept change. Next: "
        "quarantine the source of the named features, set a rule for defaults, add a contract test."
    )


def test_no_figure_has_a_wrong_sign_or_stands_above_all_without_bounds() -> None:
    assert [percent(each) for each in (-0.001, 0.0, 0.996, -0.2)] == ["0%", "0%", "100%", "-20%"]
    assert portion(_about(1.2)) == "120% (110% to 130%)"
    assert portion(Estimate(value=1.7, lower=-np.inf, upper=np.inf)) == "100% (without bounds)"


def test_a_proven_rest_keeps_a_defect_from_being_sure() -> None:
    hidden = _findings(
        repairs=(_repair(Cause.QUALITY, 0.81, half=0.05),), rest=0.19, mix=0.0, rate=1.0, gain=0.8
    )
    judged = judge(hidden)
    assert (judged.cause, judged.sureness) == (Cause.QUALITY, Sureness.LIKELY)
    assert [each.cause for each in judged.shares] == [Cause.QUALITY, Cause.CONCEPT]
    nothing = replace(hidden, rest_proven=False, mixture=None)
    assert judge(nothing).sureness is Sureness.SURE
    # rows that could not be recomputed are no such rest
    copied = replace(_COPY["skew"], recovered=_about(0.97, 0.02))
    part = _findings(repairs=(_repair(Cause.SKEW, 0.81, half=0.05),), rest=0.19, skew=copied, has_copy=True)
    assert judge(part).sureness is Sureness.SURE


def test_the_world_is_not_blamed_for_sure_where_labels_went_missing() -> None:
    def known(share):
        labels = np.where(np.arange(100) < 100 * share, 1.0, np.nan)
        return Sample(features=pl.DataFrame({"x": np.ones(100)}), label=labels, score=np.ones(100))

    found = _findings(mix=0.85, rate=0.15, gain=0.0, **_COPY)
    for share, sureness in ((0.8, Sureness.SURE), (0.6, Sureness.LIKELY)):
        case = replace(found.reality.case, reference=known(1.0), current=known(share))
        assert judge(replace(found, reality=replace(found.reality, case=case))).sureness is sureness
    chosen = FeedbackLoop(test=_test(Outcome.UNKNOWN), selective=True, selection=0.08)
    judged = judge(replace(found, loop=chosen))
    assert (judged.cause, judged.sureness) == (Cause.FEEDBACK, Sureness.LIKELY)


def test_shares_of_the_rest_are_shares_of_the_whole_drop() -> None:
    judged = judge(_findings(repairs=(_repair(Cause.SKEW, 0.4),), rest=0.6, mix=0.25, rate=0.75, gain=0.9))
    shares = {each.cause: each.share.value for each in judged.shares}
    assert shares[Cause.SKEW] == pytest.approx(0.4)
    assert shares[Cause.CONCEPT] == pytest.approx(0.45)
    assert shares[Cause.HARDER] == pytest.approx(0.15)


def test_happenings_are_ranked_by_their_distance_from_the_onset() -> None:
    def happened(hours, kind="deploy"):
        return Happening(at=_NOON.replace(hour=12 + hours), kind=kind, what=f"at {hours}")

    onset = Onset(at=_NOON, shape="abrupt", earliest=_NOON, latest=_NOON)
    far = Happening(at=datetime(2023, 1, 1, tzinfo=UTC), kind="deploy", what="long ago")
    case = _case(happenings=(far, happened(-2), happened(0), happened(1, kind="campaign")))
    found = what_changed(case, onset)
    assert [each.what for each in found.near] == ["at 0", "at 1", "at -2"]
    assert [each.what for each in found.at_onset] == ["at 0"]
    gradual = Onset(at=_NOON, shape="gradual", earliest=_NOON, latest=_NOON)
    assert what_changed(case, gradual).at_onset == ()
    assert what_changed(case, None).test.outcome is Outcome.UNKNOWN
    assert what_changed(_case(), onset).test.needs
    assert what_changed(_case(happenings=(far,)), onset).test.outcome is Outcome.CLEAR
