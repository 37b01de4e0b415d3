"""The way back: what makes a retraining due, what holds it up, and who wins."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from mlwright.errors import Conflict, UsageError
from mlwright.model.rollouts import RolloutState
from mlwright.model.watch_settings import RetrainSettings

TURN = datetime(2013, 4, 1, tzinfo=UTC)
"""From here on the wind decides (see conftest): delay/1, which knows x only, is worth nothing."""
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
RETRAIN = RetrainSettings(pipeline="train_delay", on=("schedule:monthly",))


def decay(project, days: int = 12) -> None:
    """Let the endpoint answer after the turn without a look at it, then wait for the labels."""
    project.serve(TURN, days)
    project.wind(TURN + days * DAY + 13 * HOUR)


def change(project, **retrain: object) -> None:
    """Other settings of the retraining."""
    project.change(retrain=replace(project.settings.endpoints[0].retrain, **retrain))


def rewrite(project, old: str, new: str) -> None:
    """Another pipeline file, and a process that reads it."""
    path = project.root / "pipeline.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    project.again()


def decisions(project) -> list[str]:
    return [each.outcome for each in project.platform.records.decisions("delay") if each.kind == "retrain"]


def test_decay_is_noticed_retrained_gated_and_rolled_out(released) -> None:
    decay(released)
    (turn,) = released.platform.tick()
    (alert,) = turn.watched.alerts
    assert turn.decision is not None
    assert turn.decision.outcome == "roll out delay/2 (12d)"
    triggered, gate, refused = turn.decision.reasons
    assert alert.id in triggered
    assert gate.startswith("'12d' beats the champion")
    # Most of all history is of the time before the turn: what it teaches does not pass the pipeline's own gate.
    assert refused == "candidate 'all' was refused: gate not passed: AUC above 0.6"
    assert turn.decision.evidence["candidates"] == {"12d": "delay/2"}
    status = released.platform.releases.status("delay")
    assert (status.champion.ref, status.rollout.challenger) == ("delay/1", 2)
    released.live(5)
    status = released.platform.releases.status("delay")
    assert (status.champion.ref, status.rollout) == ("delay/2", None)


def test_without_rollout_steps_the_winner_is_deployed(released) -> None:
    released.change(rollout=None)
    decay(released)
    (turn,) = released.platform.tick()
    assert turn.decision.outcome == "deploy delay/2"
    assert released.platform.releases.status("delay").champion.ref == "delay/2"


def test_the_monthly_schedule_is_due_once_and_the_gate_keeps_what_is_as_good(released) -> None:
    released.wind(TURN - 12 * HOUR)
    released.platform.tick()  # the month in which it begins is no reason
    assert decisions(released) == []
    released.serve(TURN - 2 * DAY, 2)
    released.clock.advance(25 * HOUR)
    (turn,) = released.platform.tick()
    assert turn.decision.outcome == "keep the champion"
    assert turn.decision.reasons[0] == "the monthly schedule of 2013-04-01"
    assert "does not beat the champion" in turn.decision.reasons[1]
    assert {each["against"] for each in turn.decision.evidence["comparisons"]} == {"champion", "all"}
    released.clock.advance(DAY)
    assert released.platform.tick()[0].decision is None
    assert released.platform.rollouts.list() == ()


def test_a_schedule_waits_for_a_rollout_to_end(timid) -> None:
    timid.change(retrain=RETRAIN)
    timid.wind(TURN - 12 * HOUR)
    timid.platform.tick()
    timid.platform.rollouts.start("delay", "delay/2")
    timid.serve(TURN - DAY)
    timid.clock.advance(DAY)
    assert timid.platform.tick()[0].decision is None
    timid.platform.rollouts.abort("delay", "enough seen")
    (turn,) = timid.platform.tick()
    assert turn.decision is not None
    assert turn.decision.reasons[0] == "the monthly schedule of 2013-04-01"


def test_a_schedule_waits_for_the_cool_down(released) -> None:
    change(released, on=("schedule:monthly",))
    released.wind(TURN - 12 * HOUR)
    released.platform.tick()
    released.platform.retraining.retrain("delay", reason="by hand")
    released.wind(TURN + 20 * DAY)
    released.serve(TURN + 19 * DAY)
    assert released.platform.tick()[0].decision is None
    released.wind(TURN + 21 * DAY)
    (turn,) = released.platform.tick()
    assert turn.decision.reasons[0] == "the monthly schedule of 2013-04-01"


def test_a_schedule_waits_while_nobody_asks(released) -> None:
    released.wind(TURN - 12 * HOUR)
    released.platform.tick()
    released.wind(TURN + DAY)
    assert released.platform.tick()[0].decision is None
    released.serve(TURN + DAY)
    released.wind(TURN + 2 * DAY)
    assert released.platform.tick()[0].decision is not None


def test_a_firing_alert_does_not_retrain_again_before_the_cool_down_is_over(released) -> None:
    change(released, windows=("all",), on=("performance",))
    decay(released, 9)
    released.platform.tick()
    assert decisions(released) == ["keep the champion"]
    released.live(2)
    assert decisions(released) == ["keep the champion"]


def test_with_manual_approval_it_asks_once_and_waits(released) -> None:
    change(released, approval="manual", on=("performance",))
    decay(released)
    released.platform.tick()
    released.live(2)
    (asked,) = released.platform.records.decisions("delay")
    assert asked.outcome == "wait for approval"
    assert asked.evidence == {"next": "mlwright retrain delay"}
    assert released.platform.rollouts.list() == ()
    released.clock.advance(HOUR)
    done = released.platform.retraining.retrain("delay", reason="approved by ada")
    assert (done.outcome, done.reasons[0]) == ("roll out delay/2 (12d)", "approved by ada")


def test_with_manual_approval_a_schedule_asks_once_too(released) -> None:
    change(released, approval="manual", on=("schedule:monthly",))
    released.wind(TURN - 12 * HOUR)
    released.platform.tick()
    for _ in range(3):
        released.serve(released.clock.now().replace(hour=0))
        released.clock.advance(DAY)
        released.platform.tick()
    assert decisions(released) == ["wait for approval"]


def test_a_pipeline_that_fails_is_a_decision_and_not_a_crash(released) -> None:
    rewrite(released, "    fit, hold =", "    raise RuntimeError('no disk')\n    fit, hold =")
    change(released, on=("performance",))
    decay(released)
    (turn,) = released.platform.tick()
    assert turn.decision.outcome == "failed: keep the champion"
    assert turn.decision.reasons[1] == "RuntimeError: no disk"
    released.live(1)
    assert decisions(released) == ["failed: keep the champion"]
    assert released.platform.releases.status("delay").champion.ref == "delay/1"


def test_a_pipeline_that_registers_nothing_is_named(released) -> None:
    rewrite(released, "    return register(", "    return None and register(")
    with pytest.raises(UsageError, match="'train_delay' registered no model"):
        released.platform.retraining.retrain("delay")


def test_all_candidates_refused_keeps_the_champion(released) -> None:
    rewrite(released, "floor: float = 0.6", "floor: float = 0.99")
    decision = released.platform.retraining.retrain("delay")
    assert decision.outcome == "keep the champion"
    assert [each.partition(" was")[0] for each in decision.reasons[1:]] == [
        "candidate 'all'",
        "candidate '12d'",
    ]


def test_a_second_retraining_by_hand_does_not_train_for_nothing(timid) -> None:
    timid.change(retrain=RETRAIN)
    timid.platform.rollouts.start("delay", "delay/2")
    runs = len(timid.platform.training.list())
    with pytest.raises(Conflict, match="rollout"):
        timid.platform.retraining.retrain("delay")
    assert len(timid.platform.training.list()) == runs


def test_entities_that_ask_often_are_compared_row_by_row(released) -> None:
    path = released.root / "flights.parquet"
    rows = pl.read_parquet(path)
    # Ten flights that fly again and again: the entity alone does not name a row.
    rows.with_columns(flight_id=pl.format("f{}", pl.int_range(pl.len()) % 10)).write_parquet(path)
    released.again()
    released.change(rollout=None)
    released.wind(TURN + 20 * DAY)
    decision = released.platform.retraining.retrain("delay")
    assert decision.outcome == "deploy delay/2"
    (gate,) = [each for each in decision.evidence["comparisons"] if each["against"] == "champion"]
    assert gate["difference"] > 0.25


def test_without_settings_there_is_no_retraining(released) -> None:
    released.change(retrain=None)
    assert released.platform.retraining.consider("delay") is None
    with pytest.raises(UsageError, match="no retrain settings"):
        released.platform.retraining.retrain("delay")


def test_a_challenger_that_is_promoted_is_judged_by_its_own_evidence(released) -> None:
    released.change(rollout=None)
    decay(released)
    released.platform.tick()
    released.live(8)
    (alert,) = released.platform.alerting.alerts()
    assert alert.resolved is not None
    latest = released.platform.watch.performance("delay")[-1]
    assert latest.versions == ("delay/2",)
    assert latest.auc.value > 0.75
    assert RolloutState.RUNNING not in {each.state for each in released.platform.rollouts.list()}
