"""What is kept comes back, alerts are open once, and notifications wait in their outbox."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import IntegrityError

from mlwright.errors import Conflict, NotFound
from mlwright.model.monitoring import (
    Alert,
    AlertLevel,
    AlertState,
    DriftReport,
    Estimate,
    FeatureDrift,
    Performance,
)
from mlwright.model.windows import Window
from mlwright.stages.monitoring import store, tables
from mlwright.stages.monitoring.drift import sketch

START = datetime(2013, 5, 2, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def tx():
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def window(k=0):
    return Window(start=START + k * DAY, end=START + (k + 1) * DAY)


def performance(k=0, **changes):
    base = Performance(
        endpoint="delay",
        window=window(k),
        predictions=900,
        labelled=870,
        matured=True,
        positive_rate=0.25,
        mean_score=0.2,
        auc=Estimate(value=0.7, lower=0.65, upper=0.75, level=0.9, assumption="hours"),
        brier=None,
        calibration_error=0.05,
        versions=("flight-delay/1", "flight-delay/2"),
    )
    return replace(base, **changes)


def alert(day=0, **changes):
    at = START + day * DAY
    base = Alert(
        id=f"delay-auc-{at:%Y-%m-%d}",
        rule="auc",
        endpoint="delay",
        level=AlertLevel.PAGE,
        state=AlertState.FIRING,
        fired=at,
        summary="AUC fell",
        evidence={"value": 0.64},
        next_command="mlwright retrain delay",
    )
    return replace(base, **changes)


def test_performance_comes_back_in_order_of_time(tx):
    for k in (2, 0, 1):
        store.save_performance(tx, performance(k), "day")
    store.save_performance(tx, performance(0, window=Window(start=START, end=START + 30 * DAY)), "month")
    assert store.list_performance(tx, "delay", "day") == tuple(performance(k) for k in range(3))
    assert store.list_performance(tx, "delay", "day", since=START + DAY) == (performance(1), performance(2))
    assert len(store.list_performance(tx, "delay", "month")) == 1
    assert store.list_performance(tx, "other", "day") == ()


def test_a_later_measurement_of_a_window_replaces_the_earlier(tx):
    store.save_performance(tx, performance(matured=False, labelled=3, auc=None), "day")
    store.save_performance(tx, performance(), "day")
    assert store.list_performance(tx, "delay", "day") == (performance(),)


def test_drift_comes_back(tx):
    feature = FeatureDrift(
        column="temp", n=900, psi=3.1, js=0.5, null_rate=0.1, reference_null_rate=0.0, unseen_rate=0.0
    )
    reports = [
        DriftReport(endpoint="delay", window=window(k), reference=window(-90), features=(feature,))
        for k in (0, 1)
    ]
    for report in (*reversed(reports), reports[0]):
        store.save_drift(tx, report)
    assert store.list_drift(tx, "delay") == tuple(reports)
    assert store.list_drift(tx, "delay", since=START + DAY) == (reports[1],)


def test_references_keep_the_order_of_columns_and_suggest_near_names(tx):
    sketches = sketch(pl.DataFrame({"z": [1.5, None, 2.0], "a": ["x", "y", None], "k": [True, False, True]}))
    store.save_reference(tx, "delay", "flight-delay/1", sketches, window())
    held = store.get_reference(tx, "delay", "flight-delay/1")
    assert held.sketches == sketches
    assert list(held.sketches) == ["z", "a", "k"]
    assert held.window == window()
    with pytest.raises(NotFound, match="did you mean 'flight-delay/1'"):
        store.get_reference(tx, "delay", "flight-delay/11")


def test_one_alert_is_open_for_an_endpoint_and_rule(tx):
    first = store.save_alert(tx, alert())
    again = store.save_alert(tx, alert(day=1, summary="AUC fell further"))
    assert (first.new, again.new) == (True, False)
    assert again.alert == replace(alert(), summary="AUC fell further")
    assert store.firing(tx) == (again.alert,)
    assert store.save_alert(tx, alert(id="delay-labels-2013-05-02", rule="labels")).new
    assert store.save_alert(tx, alert(id="other-auc-2013-05-02", endpoint="other")).new
    assert len(store.firing(tx, "delay")) == 2
    assert len(store.firing(tx)) == 3


def test_the_database_itself_refuses_a_second_open_alert(tx):
    store.save_alert(tx, alert())
    (row,) = tx.execute(tables.alerts.select()).mappings()
    with pytest.raises(IntegrityError):
        tx.execute(tables.alerts.insert().values({**row, "id": "delay-auc-2013-05-03"}))


def test_the_life_of_an_alert(tx):
    store.save_alert(tx, alert())
    taken = store.acknowledge(tx, alert().id, "ann", START + DAY)
    assert (taken.state, taken.acknowledged_by) == (AlertState.ACKNOWLEDGED, "ann")
    assert store.acknowledge(tx, alert().id, "bob", START + DAY).acknowledged_by == "ann"
    assert store.firing(tx) == (taken,)
    assert not store.save_alert(tx, alert(day=1)).new
    closed = store.resolve(tx, alert().id, START + 2 * DAY)
    assert (closed.state, closed.resolved) == (AlertState.RESOLVED, START + 2 * DAY)
    assert store.resolve(tx, alert().id, START + 3 * DAY) == closed
    assert store.firing(tx) == ()
    with pytest.raises(Conflict, match="resolved already"):
        store.acknowledge(tx, alert().id, "ann", START)


def test_an_alert_that_comes_back_on_the_same_day_is_opened_again(tx):
    store.save_alert(tx, alert())
    store.acknowledge(tx, alert().id, "ann", START)
    store.resolve(tx, alert().id, START)
    assert store.save_alert(tx, alert()) == store.SavedAlert(alert=alert(), new=True)
    store.resolve(tx, alert().id, START)
    assert store.save_alert(tx, alert(day=5)).new
    assert [each.id for each in store.list_alerts(tx)] == ["delay-auc-2013-05-07", "delay-auc-2013-05-02"]
    assert len(store.list_alerts(tx, "delay", limit=1)) == 1


def test_an_id_belongs_to_one_endpoint_and_rule(tx):
    store.save_alert(tx, alert())
    with pytest.raises(Conflict, match="taken by endpoint delay, rule auc"):
        store.save_alert(tx, alert(endpoint="delay-auc", rule="x"))


def test_only_firing_alerts_are_new(tx):
    with pytest.raises(ValueError, match="a new alert fires"):
        store.save_alert(tx, alert(state=AlertState.RESOLVED))


def test_an_unknown_alert_suggests_a_known_one(tx):
    store.save_alert(tx, alert())
    for call in (
        lambda: store.get_alert(tx, "delay-auc-2013-05-03"),
        lambda: store.acknowledge(tx, "delay-auc-2013-05-03", "ann", START),
        lambda: store.resolve(tx, "delay-auc-2013-05-03", START),
    ):
        with pytest.raises(NotFound, match="did you mean 'delay-auc-2013-05-02'"):
            call()


def test_the_outbox_sends_each_change_once_and_in_order(tx):
    fired = store.save_alert(tx, alert()).alert
    for _ in range(2):
        store.enqueue_delivery(tx, fired, "log", START)
    closed = store.resolve(tx, fired.id, START)
    store.enqueue_delivery(tx, closed, "log", START)
    store.enqueue_delivery(tx, closed, "webhook", START)
    first, other = store.pending_deliveries(tx, START)
    assert (first.channel, first.alert.state) == ("log", AlertState.FIRING)
    assert (other.channel, other.alert.state) == ("webhook", AlertState.RESOLVED)
    store.mark_delivered(tx, first.id, START)
    store.mark_delivered(tx, other.id, START)
    (last,) = store.pending_deliveries(tx, START)
    assert (last.channel, last.alert.state) == ("log", AlertState.RESOLVED)
    store.mark_delivered(tx, last.id, START)
    assert store.pending_deliveries(tx, START + DAY) == ()


def test_a_failed_delivery_waits_longer_each_time(tx):
    store.enqueue_delivery(tx, store.save_alert(tx, alert()).alert, "webhook", START)
    now = START
    for attempt, pause in enumerate([30, 60, 120, 240, 480, 960, 1920, 3600, 3600]):
        (waiting,) = store.pending_deliveries(tx, now)
        assert waiting.attempts == attempt
        store.mark_failed(tx, waiting.id, now, "connection refused")
        assert store.pending_deliveries(tx, now + timedelta(seconds=pause - 1)) == ()
        now += timedelta(seconds=pause)
    assert len(store.pending_deliveries(tx, now)) == 1


def test_the_outbox_survives_a_restart(tmp_path):
    url = f"sqlite:///{tmp_path / 'state.db'}"
    before = create_engine(url)
    tables.metadata.create_all(before)
    with before.begin() as tx:
        store.enqueue_delivery(tx, store.save_alert(tx, alert()).alert, "log", START)
    before.dispose()
    after = create_engine(url)
    with after.begin() as tx:
        assert [item.alert for item in store.pending_deliveries(tx, START)] == [alert()]
    after.dispose()
