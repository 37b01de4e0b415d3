"""What is kept comes back, alerts are open once, and notifications wait in their outbox."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf

import polars as pl
import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import IntegrityError

from mlwright.errors import Conflict, NotFound
from mlwright.model.joint_drift import JointColumn, JointDrift
from mlwright.model.monitoring import (
    Alert,
    AlertLevel,
    AlertState,
    Calibration,
    CalibrationBin,
    DriftReport,
    Estimate,
    FeatureDrift,
    Maturity,
    OutcomeWorth,
    Performance,
    Worth,
)
from mlwright.model.windows import Window
from mlwright.stages.monitoring import inbox, outbox, store, tables
from mlwright.stages.monitoring.counting import sketch

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
        metrics={"auc": Estimate(value=0.7, lower=0.65, upper=0.75, level=0.9, assumption="hours")},
        versions=("flight-delay/1", "flight-delay/2"),
    )
    return replace(base, **changes)


def alert(day=0, **changes):
    at = START + day * DAY
    base = Alert(
        id=f"delay-auc-{at:%Y-%m-%d}",
        group="delay-auc-2013-05-02",
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
    store.save_performance(tx, performance(matured=False, labelled=3, metrics={}), "day")
    store.save_performance(tx, performance(), "day")
    assert store.list_performance(tx, "delay", "day") == (performance(),)


def test_everything_about_a_window_and_its_parts_comes_back(tx):
    """Also bounds that are not finite, which JSON has not."""
    open_end = Estimate(value=3.0, lower=0.0, upper=inf, level=0.9, assumption="too few")
    whole = performance(
        task="regression",
        metrics={"mae": open_end, "bias": replace(open_end, lower=-inf)},
        expected={"mae": replace(open_end, upper=4.0)},
        calibration=Calibration(bins=(CalibrationBin(rows=3, score=0.5, label=0.4),), error=0.1, slope=1.1),
        maturity=Maturity(arrived=0.9, due=0.95, final=open_end, early_mean=0.1, final_mean=0.2),
        worth=Worth(
            currency="EUR",
            total=replace(open_end, lower=-inf),
            per_prediction=open_end,
            outcomes=(OutcomeWorth(name="error", count=3.0, money=-1.5),),
        ),
    )
    parts = tuple(replace(whole, part=each) for each in ("x=≤ 1", "x=> 1", "carrier=Ää", "variant=champion"))
    store.save_performance(tx, whole, "day")
    store.save_parts(tx, whole, parts[::-1], "day")
    store.save_parts(tx, whole, parts, "day")
    assert store.list_performance(tx, "delay", "day") == (whole,)
    assert store.list_parts(tx, "delay", "day") == parts
    store.save_parts(tx, whole, parts[:1], "day")
    assert (store.list_parts(tx, "delay", "day"), store.list_parts(tx, "delay", "month")) == (parts[:1], ())


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


def test_joint_drift_comes_back(tx):
    area = Estimate(value=0.7, lower=0.65, upper=0.75, assumption="days")
    found = JointDrift(
        endpoint="delay",
        window=window(),
        reference=window(-9),
        version="delay/1",
        at=START + DAY,
        rows=900,
        reference_rows=2000,
        taken=(2000, 900),
        auc=area,
        mmd=0.01,
        mmd_p=0.02,
        columns=(
            JointColumn(column="z", importance=0.2),
            JointColumn(column="a", alone=replace(area, level=0.9)),
            JointColumn(column="seen", left_out="an instant"),
        ),
    )
    store.save_joint_drift(tx, replace(found, window=window(1), auc=None, usual=area, note="why", columns=()))
    store.save_joint_drift(tx, replace(found, rows=1))
    store.save_joint_drift(tx, found)
    kept = store.list_joint_drift(tx, "delay")
    assert kept[0] == found
    assert (kept[1].auc, kept[1].usual, kept[1].note, kept[1].columns) == (None, area, "why", ())
    assert store.list_joint_drift(tx, "other") == ()


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


def test_an_alert_that_comes_back_soon_is_opened_again(tx):
    store.save_alert(tx, alert())
    store.acknowledge(tx, alert().id, "ann", START)
    store.resolve(tx, alert().id, START)
    again = store.save_alert(tx, alert(day=1))
    assert again.new
    assert again.alert == replace(alert(), flaps=1, acknowledged_by="ann")
    assert inbox.carry_on(tx, alert().id).state is AlertState.ACKNOWLEDGED
    assert inbox.start_over(tx, alert().id).acknowledged_by is None
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


PROCESSES = iter(range(1000))


def claimed(tx, now, *channels):
    return outbox.claim(tx, now, f"process {next(PROCESSES)}", channels=channels or ("log", "webhook"))


def test_the_outbox_sends_each_change_once_and_in_order(tx):
    fired = store.save_alert(tx, alert()).alert
    for _ in range(2):
        outbox.enqueue(tx, fired, "log", START)
    first = claimed(tx, START)
    assert [(each.channel, each.state) for each in first.rows] == [("log", AlertState.FIRING)]
    closed = store.resolve(tx, fired.id, START)
    outbox.enqueue(tx, closed, "log", START)
    outbox.enqueue(tx, closed, "webhook", START)
    other = claimed(tx, START)
    assert (other.channel, other.rows[0].state) == ("webhook", AlertState.RESOLVED)
    assert claimed(tx, START) is None  # the log has the earlier one in its hands
    for parcel in (first, other):
        outbox.delivered(tx, parcel, START)
    last = claimed(tx, START)
    assert (last.channel, last.rows[0].state) == ("log", AlertState.RESOLVED)
    outbox.delivered(tx, last, START)
    assert claimed(tx, START + DAY) is None
    assert outbox.told(tx, fired.id) == ()


@pytest.mark.parametrize(
    ("refused", "after", "pauses"),
    [
        (False, None, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]),
        (True, None, [3600, 3600]),
        (False, timedelta(seconds=45), [45, 60]),
        (False, timedelta(days=9), [3600, 3600]),
    ],
)
def test_a_failed_delivery_waits_longer_each_time(tx, refused, after, pauses):
    outbox.enqueue(tx, store.save_alert(tx, alert()).alert, "webhook", START)
    now = START
    for attempt, pause in enumerate(pauses, start=1):
        waiting = claimed(tx, now)
        assert waiting.rows[0].attempts == attempt
        outbox.failed(tx, waiting, now, "connection refused", refused=refused, after=after)
        assert claimed(tx, now + timedelta(seconds=pause - 1)) is None
        now += timedelta(seconds=pause)
    assert len(outbox.waiting(tx, due=now)) == 1


def test_the_outbox_survives_a_restart(tmp_path):
    url = f"sqlite:///{tmp_path / 'state.db'}"
    before = create_engine(url)
    tables.metadata.create_all(before)
    with before.begin() as tx:
        outbox.enqueue(tx, store.save_alert(tx, alert()).alert, "log", START)
    before.dispose()
    after = create_engine(url)
    with after.begin() as tx:
        assert [item.alert_id for item in outbox.waiting(tx, due=START)] == [alert().id]
        assert claimed(tx, START, "webhook") is None
    after.dispose()
