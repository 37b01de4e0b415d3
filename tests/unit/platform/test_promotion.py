"""An alias moves only when its policy's gates pass, and what they found stays with the version."""

from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from sqlalchemy import update

from mlwright.errors import Conflict, GateFailed, NotComparable, NotFound, UsageError
from mlwright.model.evidence import Check, EvidenceKind, Outcome
from mlwright.model.ids import ModelName
from mlwright.model.promotion import Approval, Gate, PromotionPolicy, policy_for
from mlwright.platform import verdicts
from mlwright.platform.same_rows import same_rows, slices_of
from mlwright.stages.registry import evidence as proofs
from mlwright.stages.registry import store as registry
from mlwright.stages.registry.tables import versions

DELAY = ModelName("delay")
LEAD = Approval(role="ml-lead", by=("ada", "bo", "tester"))


def guarded(project, **policy):
    """The project with a policy for its champion."""
    given = {"model": "delay", "gates": (Gate.EVALUATION,), "tolerance": 0.05, **policy}
    project.settings = replace(project.settings, promotions=(PromotionPolicy(**given),))
    project.open()
    return project.platform


def acting(project, name):
    """The project as somebody else opens it."""
    platform = project.platform
    return type(platform)(replace(platform.parts, actor=name))


def gates(judgement):
    return {each.gate: each.outcome for each in judgement.results}


def kept(project, ref="delay/2"):
    return {
        each.details.get("gate"): each.outcome
        for each in project.platform.dossiers.evidence(ref)
        if each.kind == EvidenceKind.GATE
    }


def found(project, version, kind, outcome=Outcome.PASSED, **details):
    with project.platform.parts.write() as tx:
        check = Check(kind=kind, outcome=outcome, summary=f"{kind} {outcome}", details=details)
        now = project.clock.now()
        proofs.keep_checks(tx, DELAY, version, [check], digest=None, at=now, actor="ada")


def test_a_better_candidate_passes_and_the_alias_moves_with_the_evidence(timid):
    platform = guarded(timid, gates=(Gate.EVALUATION, Gate.CALIBRATION), calibration_tolerance=0.05)
    moved = platform.releases.promote("delay/2")
    assert moved.aliases == ("champion",)
    assert kept(timid) == {
        "evaluation": Outcome.PASSED,
        "calibration": Outcome.PASSED,
        "policy": Outcome.PASSED,
    }
    (said,) = [
        each for each in platform.dossiers.evidence("delay/2") if each.details.get("gate") == "evaluation"
    ]
    assert said.details["champion"] == "delay/1"
    assert said.details["rows"] >= 500
    assert said.details["lower"] <= said.details["difference"] <= said.details["upper"]


def test_a_worse_candidate_is_refused_by_name_and_nothing_moves(timid):
    platform = guarded(timid, metric="brier", tolerance=0.0)
    platform.releases.promote("delay/2")
    # Strong scores are the better ones here; back to the timid model is a step down.
    with pytest.raises(GateFailed, match="1 of 1 gates did not pass") as caught:
        platform.releases.promote("delay/1")
    (fault,) = caught.value.faults
    assert fault.where == "evaluation failed"
    assert "Brier score -0.0" in fault.what
    assert "mlwright models compare delay/2 delay/1" in fault.what
    assert platform.releases.version("delay@champion").ref == "delay/2"
    assert kept(timid, "delay/1")["evaluation"] is Outcome.FAILED
    assert platform.records.audit()[0].action == "promotion refused"


def test_a_dry_run_keeps_nothing(timid):
    platform = guarded(timid)
    rows = platform.records.audit()
    assert gates(platform.releases.judge("delay/2")) == {"evaluation": Outcome.PASSED}
    assert platform.records.audit() == rows
    assert kept(timid) == {}


def test_the_same_finding_is_kept_once(timid):
    platform = guarded(timid, gates=(Gate.PROOF,))
    for _ in range(3):
        with pytest.raises(GateFailed, match="mlwright models prove delay/2"):
            platform.releases.promote("delay/2")
    everything = platform.dossiers.evidence("delay/2", everything=True)
    assert len([each for each in everything if each.kind == EvidenceKind.GATE]) == 2


def test_what_the_candidate_was_trained_on_does_not_count(timid):
    """Both versions hold out the same rows; rows that only one held out, the other has learnt by heart."""
    platform = timid.platform
    one, two = platform.releases.version("delay/1"), platform.releases.version("delay/2")
    rows = same_rows(platform.parts, platform.releases.load, two, one, min_rows=500)
    assert rows.held_out_by == "delay/1"
    assert len(rows.pair) == one.evaluation.rows
    foreign = replace(two, evaluation=None)
    with pytest.raises(NotComparable, match="0 of 0 days were in neither"):
        same_rows(platform.parts, platform.releases.load, foreign, one, min_rows=500)
    # One that was trained before those rows is asked about them.
    before = replace(foreign, trained_to=one.evaluation.start - timedelta(days=1))
    asked = same_rows(platform.parts, platform.releases.load, before, one, min_rows=500)
    assert len(asked.pair) == one.evaluation.rows
    assert "tags" not in asked.assumption


def test_a_client_can_say_in_a_tag_what_a_version_was_trained_on(timid):
    platform = timid.platform
    one, two = platform.releases.version("delay/1"), platform.releases.version("delay/2")
    said = replace(two, evaluation=None, trained_from=None, trained_to=None)
    with pytest.raises(NotComparable) as caught:
        same_rows(platform.parts, platform.releases.load, said, one, min_rows=500)
    assert "mlwright.trained_to" in caught.value.next_command
    said = replace(said, tags={"mlwright.trained_to": "2013-01-10"})
    rows = same_rows(platform.parts, platform.releases.load, said, one, min_rows=500)
    assert "delay/2 was trained only on the time that its tags say" in rows.assumption


def test_a_champion_without_held_out_rows_leaves_the_gate_open_and_says_what_to_do(timid):
    platform = guarded(timid)
    with platform.parts.write() as tx:
        tx.execute(update(versions).values(evaluation=None))
    (gate,) = platform.releases.judge("delay/2").results
    assert gate.outcome is Outcome.UNKNOWN
    assert "registered without held-out rows" in gate.summary
    assert gate.next_command


def test_the_first_champion_needs_evidence_of_its_own(project):
    ref = project.train()
    platform = guarded(project, min_rows=100)
    assert platform.releases.promote(ref).aliases == ("champion",)
    with platform.parts.write() as tx:
        registry.delete_alias(tx, DELAY, "champion")
        tx.execute(update(versions).values(evaluation=None))
    with pytest.raises(GateFailed, match="not evaluated on 100 held-out rows"):
        platform.releases.promote(ref)


def test_slices_are_values_quarters_and_hours(timid):
    platform = timid.platform
    one, two = platform.releases.version("delay/1"), platform.releases.version("delay/2")
    rows = same_rows(platform.parts, platform.releases.load, two, one, min_rows=1)
    slices, missing = slices_of(rows, ("origin", "x", "hour", "nothing"))
    names = [each.name for each in slices]
    assert missing == ("nothing",)
    assert [name for name in names if name.startswith("origin")] == ["origin=JFK"]
    assert len([name for name in names if name.startswith("x=")]) == 4
    assert names[-24:] == [f"hour={each}" for each in range(24)]
    for column in ("x", "hour"):
        together = sum(each.rows for each in slices if each.column == column)
        assert pl.Series(together).unique().to_list() == [1]


def test_the_slice_gate_says_what_it_looked_at(timid):
    platform = guarded(timid, gates=(Gate.SLICES,), slices=("x",), slice_min_rows=100)
    (gate,) = platform.releases.judge("delay/2").results
    assert gate.outcome is Outcome.PASSED
    assert "none of 4 slices is shown to be worse" in gate.summary
    platform = guarded(timid, gates=(Gate.SLICES,), slices=("carrier",))
    (gate,) = platform.releases.judge("delay/2").results
    assert (gate.outcome, gate.next_command) == (Outcome.UNKNOWN, "correct slices in mlwright.toml")


def test_an_approval_counts_for_its_files_from_somebody_else_in_the_role(timid):
    platform = guarded(timid, gates=(), approvals=(LEAD,))
    assert gates(platform.releases.judge("delay/2")) == {"approval:ml-lead": Outcome.UNKNOWN}
    # The one who registered it may approve, but not alone.
    platform.releases.approve("delay/2", "ml-lead")
    (gate,) = platform.releases.judge("delay/2").results
    assert "tester registered it" in gate.summary
    acting(timid, "ada").releases.approve("delay/2", "ml-lead", "looked at it")
    assert platform.releases.judge("delay/2").outcome is Outcome.PASSED
    assert platform.releases.judge("delay/1").outcome is Outcome.UNKNOWN
    with platform.parts.write() as tx:
        tx.execute(update(versions).where(versions.c.version == 2).values(digest="blake3:" + "0" * 64))
    assert platform.releases.judge("delay/2").outcome is Outcome.UNKNOWN


def test_four_eyes_can_be_waived(timid):
    platform = guarded(timid, gates=(), approvals=(LEAD,), four_eyes=False)
    platform.releases.approve("delay/2", "ml-lead")
    assert platform.releases.promote("delay/2").aliases == ("champion",)


def test_an_approval_is_taken_back(timid):
    platform = guarded(timid, gates=(), approvals=(replace(LEAD, count=2),))
    ada = acting(timid, "ada").releases
    platform.releases.approve("delay/2", "ml-lead")
    ada.approve("delay/2", "ml-lead")
    assert platform.releases.judge("delay/2").outcome is Outcome.PASSED
    ada.approve("delay/2", "ml-lead", withdraw=True)
    assert platform.releases.judge("delay/2").outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("who", "role", "said"), [("eve", "ml-lead", "ada, bo, tester may"), ("ada", "boss", "ml-lead")]
)
def test_not_everybody_may_approve(timid, who, role, said):
    guarded(timid, gates=(), approvals=(LEAD,))
    with pytest.raises(UsageError, match=said):
        acting(timid, who).releases.approve("delay/2", role)


def test_an_override_is_for_those_whom_the_policy_names_and_is_loud(timid):
    platform = guarded(timid, gates=(Gate.PROOF,), override=("ada",))
    with pytest.raises(UsageError, match="tester may not override"):
        platform.releases.promote("delay/2", override="in a hurry")
    acting(timid, "ada").releases.promote("delay/2", override="in a hurry")
    assert platform.releases.version("delay@champion").ref == "delay/2"
    row = platform.records.audit()[0]
    assert (row.actor, row.action, row.details["override"]) == ("ada", "alias override", "in a hurry")
    assert platform.records.decisions("delay")[0].outcome == "champion moved to delay/2 against the policy"
    assert kept(timid)["override"] is Outcome.FAILED
    assert kept(timid)["policy"] is Outcome.UNKNOWN


def test_the_proof_gate_follows_the_proof(timid):
    platform = guarded(timid, gates=(Gate.PROOF,))
    with platform.parts.write() as tx:
        now = timid.clock.now()
        proofs.begin_proof(tx, DELAY, 2, now)
        proofs.end_proof(tx, DELAY, 2, Outcome.PASSED, now)
    assert platform.releases.judge("delay/2").outcome is Outcome.PASSED
    found(timid, 2, EvidenceKind.DIGEST, Outcome.FAILED)
    assert platform.releases.judge("delay/2").outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("unsafe", "outcome"),
    [([], Outcome.PASSED), ([{"path": "model.pkl", "format": "pickle"}], Outcome.FAILED)],
)
def test_a_pickle_is_refused_even_where_its_scan_passed(timid, unsafe, outcome):
    platform = guarded(timid, gates=(Gate.NO_PICKLE,))
    found(timid, 2, EvidenceKind.SCAN, unsafe=unsafe)
    assert platform.releases.judge("delay/2").outcome is outcome


def test_an_alias_that_moved_meanwhile_is_not_moved_again(timid):
    platform = guarded(timid)
    judged = platform.releases.judge("delay/2")
    third = timid.train(strength=5.0)
    with platform.parts.write() as tx:
        registry.set_alias(tx, DELAY, "champion", int(third.partition("/")[2]))
    with pytest.raises(Conflict, match="was moved to delay/3 meanwhile"):
        platform.releases.gates.move(judged)
    assert platform.releases.version("delay@champion").ref == "delay/3"


def test_deploy_asks_the_policy_too(timid):
    platform = guarded(timid, gates=(Gate.PROOF,))
    with pytest.raises(GateFailed):
        platform.releases.deploy("delay", "delay/2")
    assert platform.releases.version("delay@champion").ref == "delay/1"
    assert platform.releases.deploy("delay", "delay/1").generation == 2


def test_a_rollout_that_went_well_waits_for_the_policy(timid):
    platform = guarded(timid, gates=(Gate.ROLLOUT,), approvals=(LEAD,))
    platform.rollouts.start("delay", "delay/2")
    timid.live(6)
    (rollout,) = platform.rollouts.list("delay")
    assert not rollout.state.ended
    assert "the promotion policy does not let it through: approval:ml-lead" in rollout.last.reason
    assert platform.releases.version("delay@champion").ref == "delay/1"
    acting(timid, "ada").releases.approve("delay/2", "ml-lead")
    timid.live(1)
    (rollout,) = platform.rollouts.list("delay")
    assert str(rollout.state) == "promoted"
    assert platform.releases.version("delay@champion").ref == "delay/2"
    assert kept(timid)["rollout"] is Outcome.PASSED


def test_other_doors_trust_only_a_judgement_of_the_same_files_policy_and_champion(timid):
    platform = guarded(timid)
    policies = timid.settings.promotions

    def ask(**changed):
        with platform.parts.read() as tx:
            wanted = [replace(each, **changed) for each in policies]
            verdicts.require_judged(tx, wanted, DELAY, "champion", 2)

    with pytest.raises(GateFailed, match="nobody has asked its gates yet"):
        ask()
    with platform.parts.write() as tx:
        judged = platform.releases.judge("delay/2")
        platform.releases.gates.keep(tx, judged, registry.get_version(tx, DELAY, 2))
    ask()
    ask(alias="other")
    with pytest.raises(GateFailed, match="the policy was changed"):
        ask(tolerance=0.06)
    found(timid, 2, EvidenceKind.LOAD, Outcome.FAILED)
    with pytest.raises(GateFailed, match="since its gates were asked: load failed"):
        ask()
    third = timid.train(strength=5.0)
    with platform.parts.write() as tx:
        registry.set_alias(tx, DELAY, "champion", int(third.partition("/")[2]))
    with pytest.raises(GateFailed, match="compared it with delay/1, and the alias points at delay/3"):
        ask()
    with pytest.raises(NotFound), platform.parts.read() as tx:
        verdicts.require_judged(tx, policies, DELAY, "champion", 9)


def test_the_policy_of_a_model_comes_before_that_of_all():
    every, own = PromotionPolicy(model="*"), PromotionPolicy(model="delay", gates=())
    assert policy_for([every, own], "delay", "champion") == own
    assert policy_for([every, own], "other", "champion") == every
    assert policy_for([every, own], "delay", "staging") is None
    assert every.fingerprint != own.fingerprint
