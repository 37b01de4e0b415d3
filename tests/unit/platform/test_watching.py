"""Watching: each day once and only when its labels are due; decay pages somebody, drift alone nobody."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import delete, select, update

from mlwright.errors import Conflict, NotFound
from mlwright.model.metrics import METRICS
from mlwright.model.monitoring import AlertLevel, AlertState
from mlwright.model.watch_settings import MonitorSettings, ValueSettings
from mlwright.model.windows import Window
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.monitoring.alerts import AlertAction
from mlwright.stages.monitoring.tables import performance
from mlwright.stages.registry import tables as registry_tables

OPEN = datetime(2013, 3, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def lost(name: str, scores: np.ndarray) -> np.ndarray:
    """What a model says that has forgotten everything."""
    return np.random.default_rng(11).permutation(scores)


@pytest.fixture
def watched(released):
    """A project that is only watched: nothing is retrained."""
    released.change(retrain=None)
    return released


@pytest.fixture
def decayed(watched):
    """Eight days of an endpoint that has forgotten everything; the loop has turned once."""
    watched.serve(OPEN, 8, distort=lost)
    watched.wind(OPEN + 8 * DAY + 13 * HOUR)
    watched.platform.tick()
    return watched


def states(project) -> list[tuple[str, AlertState]]:
    return [(each.rule, each.state) for each in project.platform.alerting.alerts()]


def test_before_the_first_answer_there_is_nothing_to_watch(watched) -> None:
    seen = watched.platform.watch.watch("delay")
    assert (seen.days, seen.months, seen.alerts) == ((), (), ())


def test_a_day_is_evaluated_when_its_labels_are_due_and_only_once(watched) -> None:
    watch = watched.platform.watch
    watched.serve(OPEN)
    watched.wind(OPEN + DAY + 12 * HOUR - timedelta(seconds=1))
    assert watch.watch("delay").days == ()
    watched.clock.advance(timedelta(seconds=1))
    (day,) = watch.watch("delay").days
    assert (day.window.start, day.predictions, day.labelled, day.matured) == (OPEN, 150, 150, True)
    assert day.versions == ("delay/1",)
    assert 0.8 < day.auc.value < 0.95
    assert watch.watch("delay").days == ()
    assert watch.performance("delay") == (day,)


def test_days_without_answers_are_left_out(watched) -> None:
    for place in (0, 3, 4):
        watched.serve(OPEN + place * DAY)
    watched.wind(OPEN + 10 * DAY)
    days = watched.platform.watch.watch("delay").days
    assert [(each.window.start - OPEN).days for each in days] == [0, 3, 4]


def test_a_month_is_evaluated_once_all_of_it_is_due(watched) -> None:
    watch = watched.platform.watch
    watched.serve(OPEN, 33)
    watched.wind(datetime(2013, 4, 1, 11, tzinfo=UTC))
    assert watch.watch("delay").months == ()
    watched.clock.advance(HOUR)
    (march,) = watch.watch("delay").months
    assert (march.window.start, march.predictions, march.labelled) == (OPEN, 31 * 150, 31 * 150)
    watched.clock.advance(DAY)
    assert watch.watch("delay").months == ()
    assert watch.performance("delay", "month") == (march,)


def test_a_month_that_an_interrupted_look_left_out_is_made_up_for(watched) -> None:
    watch = watched.platform.watch
    watched.serve(OPEN, 33)
    watched.wind(OPEN + 32 * DAY + 12 * HOUR)
    (march,) = watch.watch("delay").months
    with watched.platform.parts.write() as tx:  # as if it had been killed between the days and their month
        tx.execute(delete(performance).where(performance.c.granularity == "month"))
    assert watch.performance("delay", "month") == ()
    watched.clock.advance(DAY)
    assert [each.window for each in watch.watch("delay").months] == [march.window]


def test_after_a_long_absence_everything_is_made_up_for(watched) -> None:
    watched.serve(OPEN, 40)
    watched.wind(OPEN + 70 * DAY)
    seen = watched.platform.watch.watch("delay")
    assert [(each.window.start - OPEN).days for each in seen.days] == list(range(40))
    assert [f"{each.window.start:%b}" for each in seen.months] == ["Mar", "Apr"]
    assert len(watched.platform.drifting.look("delay")) == 40
    watched.open()
    assert watched.platform.watch.watch("delay").days == ()
    assert watched.platform.drifting.look("delay") == ()
    assert len(watched.platform.watch.performance("delay")) == 40


def test_drift_is_measured_and_never_alarms_by_itself(watched) -> None:
    watched.serve(OPEN, 10, shift=3.0)
    watched.wind(OPEN + 10 * DAY + 13 * HOUR)
    watched.platform.tick()
    reports = watched.platform.drifting.drift("delay")
    assert len(reports) == 10
    moved = {each.column: each.psi for each in reports[-1].features}
    assert moved["x"] > 2.0
    assert moved["wind"] < 0.3
    assert states(watched) == []


def test_drift_waits_for_no_label(watched) -> None:
    watched.serve(OPEN, 3, shift=3.0)
    watched.wind(OPEN + 2 * DAY + HOUR)  # labels are due 12 hours after
    (turn,) = watched.platform.tick()
    assert [each.window.start for each in turn.drift] == [OPEN, OPEN + DAY]
    assert [each.window.start for each in turn.watched.days] == [OPEN]
    watched.clock.advance(HOUR)
    (turn,) = watched.platform.tick()
    assert turn.drift == ()
    watched.clock.advance(DAY)
    (turn,) = watched.platform.tick()
    assert [each.window.start for each in turn.drift] == [OPEN + 2 * DAY]


def test_days_that_an_earlier_mlwright_compared_are_not_compared_again(watched) -> None:
    watched.serve(OPEN, 3)
    watched.wind(OPEN + 4 * DAY)
    earlier = watched.platform.drifting.measure("delay", [Window(start=OPEN + DAY, end=OPEN + 2 * DAY)])
    with watched.platform.parts.write() as tx:
        monitoring.save_drift(tx, *earlier)
    assert [each.window.start for each in watched.platform.drifting.look("delay")] == [OPEN + 2 * DAY]


def test_decay_pages_somebody_with_what_it_rests_on(decayed) -> None:
    (alert,) = decayed.platform.alerting.alerts("delay")
    assert (alert.rule, alert.level, alert.state) == ("auc", AlertLevel.PAGE, AlertState.FIRING)
    assert "delay/1 at its release" in alert.summary
    assert alert.next_command == "mlwright retrain delay"
    assert decayed.notifier.sent == [alert]
    assert decayed.platform.records.audit()[0].action == "alert firing"


def test_a_week_has_to_pass_before_a_new_champion_is_judged(watched) -> None:
    watched.serve(OPEN, 6, distort=lost)
    watched.wind(OPEN + 6 * DAY + 13 * HOUR)
    watched.platform.tick()
    assert states(watched) == []


def test_an_alert_that_goes_on_is_one_alert_and_one_message(decayed) -> None:
    decayed.live(2, distort=lost)
    assert states(decayed) == [("auc", AlertState.FIRING)]
    assert len(decayed.notifier.sent) == 1


def test_an_alert_is_resolved_when_the_model_is_good_again(decayed) -> None:
    decayed.serve(OPEN + 8 * DAY, 14)
    decayed.wind(OPEN + 22 * DAY + 13 * HOUR)
    decayed.platform.tick()
    assert states(decayed) == [("auc", AlertState.RESOLVED)]
    assert [each.state for each in decayed.notifier.sent] == [AlertState.FIRING, AlertState.RESOLVED]


def test_an_open_alert_outlives_a_restart(decayed) -> None:
    decayed.open()
    assert decayed.platform.watch.watch("delay").days == ()
    decayed.serve(OPEN + 8 * DAY, 14)
    decayed.wind(OPEN + 22 * DAY + 13 * HOUR)
    decayed.platform.tick()
    assert states(decayed) == [("auc", AlertState.RESOLVED)]


def test_labels_that_stop_coming_open_a_ticket_until_they_come_again(watched) -> None:
    watched.live(1, label=False)
    (alert,) = watched.platform.alerting.alerts()
    assert (alert.rule, alert.level) == ("labels", AlertLevel.TICKET)
    watched.live(1)
    assert states(watched) == [("labels", AlertState.RESOLVED)]


def test_a_day_counts_with_the_labels_that_it_has(watched) -> None:
    watched.serve(OPEN, label=False)
    watched.label(watched.flown(OPEN).head(140))
    watched.wind(OPEN + 2 * DAY)
    (day,) = watched.platform.watch.watch("delay").days
    assert (day.predictions, day.labelled) == (150, 140)


def test_a_corrected_label_wins(watched) -> None:
    watched.serve(OPEN)
    rows = watched.flown(OPEN)
    watched.label(rows, labels=[1.0] * rows.height)
    watched.wind(OPEN + 2 * DAY)
    (day,) = watched.platform.watch.watch("delay").days
    assert (day.positive_rate, day.auc) == (1.0, None)


def test_messages_wait_until_the_channel_takes_them(decayed) -> None:
    decayed.notifier.notices.clear()
    decayed.notifier.broken = True
    (alert,) = decayed.platform.alerting.alerts()
    decayed.platform.alerting.acknowledge(alert.id, "ada")
    assert decayed.platform.alerting.deliver() == 0
    decayed.notifier.broken = False
    assert decayed.platform.alerting.deliver() == 0  # not due yet: half a minute has to pass
    decayed.clock.advance(timedelta(seconds=30))
    decayed.open()
    assert (decayed.platform.alerting.deliver(), decayed.platform.alerting.deliver()) == (1, 0)
    assert [(each.id, each.state) for each in decayed.notifier.sent] == [(alert.id, AlertState.ACKNOWLEDGED)]


def test_an_alert_is_acknowledged_by_name(decayed) -> None:
    (alert,) = decayed.platform.alerting.alerts()
    with pytest.raises(NotFound, match=f"did you mean '{alert.id}'"):
        decayed.platform.alerting.acknowledge(alert.id[:-1], "ada")
    taken = decayed.platform.alerting.acknowledge(alert.id, "ada")
    assert (taken.state, taken.acknowledged_by) == (AlertState.ACKNOWLEDGED, "ada")
    latest = decayed.platform.records.audit()[0]
    assert (latest.action, latest.subject, latest.details) == (
        "acknowledge",
        f"alert:{alert.id}",
        {"by": "ada"},
    )


def test_a_resolved_alert_cannot_be_taken(decayed) -> None:
    decayed.serve(OPEN + 8 * DAY, 14)
    decayed.wind(OPEN + 22 * DAY + 13 * HOUR)
    decayed.platform.tick()
    (alert,) = decayed.platform.alerting.alerts()
    audit = decayed.platform.records.audit()
    with pytest.raises(Conflict, match="resolved already"):
        decayed.platform.alerting.acknowledge(alert.id, "ada")
    assert decayed.platform.records.audit() == audit


def test_lost_records_open_a_ticket_until_a_day_without(project, monkeypatch) -> None:
    lost = {"delay": 0}
    monkeypatch.setattr(type(project.platform.parts.log), "dropped", lambda _: dict(lost))
    watch = project.platform.watch
    assert watch.lost("delay") == ()
    lost["delay"] = 7
    [alert] = watch.lost("delay")
    assert (alert.rule, alert.state.value) == ("records", "firing")
    assert "7 since" in alert.summary
    assert watch.lost("delay") == ()
    project.clock.advance(timedelta(hours=20))
    lost["delay"] = 9
    assert watch.lost("delay") == ()  # it is open already
    project.clock.advance(timedelta(hours=23))
    assert watch.lost("delay") == ()
    project.clock.advance(timedelta(hours=1))
    [alert] = watch.lost("delay")
    assert alert.state.value == "resolved"


def test_every_metric_of_the_task_is_kept_beside_what_was_expected(watched) -> None:
    watched.serve(OPEN, 2)
    watched.wind(OPEN + 3 * DAY)
    day = watched.platform.watch.watch("delay").days[0]
    assert tuple(day.metrics) == METRICS["binary"]
    assert day.maturity.arrived == 1.0
    guess = day.expected["auc"]
    assert guess.lower < day.auc.value < guess.upper
    assert guess.assumption.startswith("an estimate without labels")
    assert watched.platform.watch.performance("delay")[0] == day


def test_slices_variants_and_money_are_kept(watched) -> None:
    wanted = MonitorSettings(tolerance=0.05, slices=("origin", "x", "wind"), cluster="flight_id")
    worth = ValueSettings(currency="EUR", outcomes={"true_positive": 3.0, "false_positive": -1.0})
    watched.change(monitor=wanted, value=worth)
    watch = watched.platform.watch
    watched.serve(OPEN, 2)
    watched.serve(OPEN + 2 * DAY, shift=50.0)
    watched.wind(OPEN + 4 * DAY)
    days = watch.watch("delay").days
    assert "values of flight_id are independent" in days[0].auc.assumption
    parts = watch.slices("delay")
    by_x = [each for each in parts if each.part.startswith("x=")]
    # The hold-out fixed the ranges: whatever is served later falls into them.
    assert [each.part[:4] for each in by_x[:4]] == ["x=≤ ", "x=-0", "x=0.", "x=> "]
    assert [each.part for each in by_x if each.window == days[2].window] == [by_x[3].part]
    assert sum(each.predictions for each in by_x if each.window == days[0].window) == 150
    money = [each.worth.total.value for each in by_x if each.window == days[0].window]
    assert sum(money) == pytest.approx(days[0].worth.total.value)
    again = watch.slices("delay", window=days[0].window)
    assert {each.part for each in again} == {each.part for each in parts if each.window == days[0].window}


def test_young_days_show_how_complete_they_are_and_are_judged_by_nobody(watched) -> None:
    watched.serve(OPEN, 9)
    watched.serve(OPEN + 9 * DAY, label=False)
    watched.label(watched.flown(OPEN + 9 * DAY).head(75))
    watched.wind(OPEN + 9 * DAY + 14 * HOUR)
    watched.platform.tick()
    (young,) = watched.platform.watch.young("delay")
    assert (young.window.start, young.matured, young.maturity.arrived) == (OPEN + 9 * DAY, False, 0.5)
    assert young.maturity.final.lower <= 150 <= young.maturity.final.upper + 1
    assert [each.matured for each in watched.platform.watch.performance("delay")] == [True] * 9
    curve = watched.platform.watch.maturity("delay")
    assert (curve.delays[0], curve.final) == (7200.0, pytest.approx(1.0, abs=0.1))
    verdict = watched.platform.watch.verdict("delay")
    assert verdict.action is not AlertAction.FIRE
    assert verdict.evidence["matured"]


def test_a_reference_that_the_release_lacks_is_measured_on_what_it_held_out(watched) -> None:
    versions = registry_tables.versions
    with (
        watched.platform.parts.write() as tx
    ):  # as a version is that was released before there were so many metrics
        (kept,) = tx.execute(select(versions.c.evaluation)).scalars()
        fewer = {name: kept["metrics"][name] for name in ("auc", "brier")}
        tx.execute(update(versions).values(evaluation={**kept, "metrics": fewer}))
    watched.change(monitor=MonitorSettings(metric="log_loss", tolerance=0.2))
    watched.serve(OPEN, 8, distort=lost)
    watched.wind(OPEN + 8 * DAY + 13 * HOUR)
    watched.platform.tick()
    (alert,) = watched.platform.alerting.alerts("delay")
    assert alert.rule == "log_loss"
    assert "delay/1 on the 2,101 rows that it held out" in alert.summary
    assert 0.3 < alert.evidence["reference"] < 0.7


def test_a_release_without_evidence_is_judged_unknown_by_name(watched, monkeypatch) -> None:
    bare = watched.platform.releases.version("delay@champion")
    status = watched.platform.releases.status
    watched.serve(OPEN, 8, distort=lost)
    watched.wind(OPEN + 8 * DAY + 13 * HOUR)
    champion = replace(bare, evaluation=None)
    monkeypatch.setattr(
        watched.platform.releases, "status", lambda name: replace(status(name), champion=champion)
    )
    watched.platform.watch.watch("delay")
    verdict = watched.platform.watch.verdict("delay")
    assert verdict.action is AlertAction.UNKNOWN
    assert "UNKNOWN whether that is a decay: delay/1 was released without auc" in verdict.summary
    assert states(watched) == []
