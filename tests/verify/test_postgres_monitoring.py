"""What monitoring keeps, on a real PostgreSQL server: the tables of an earlier release, and writers at once."""

import inspect
import json
import runpy
import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import func, select, text
from tests.verify import test_postgres as postgres

from mlwright.adapters.sql.engine import reading
from mlwright.adapters.sql.migrate import SHIPPED, migrate
from mlwright.errors import Conflict, UsageError
from mlwright.model.alerting import Silence
from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import Estimate
from mlwright.model.objectives import objectives_of
from mlwright.model.settings import EndpointSettings
from mlwright.model.slos import Tally
from mlwright.stages.monitoring import inbox, outbox, silences, slos, store, tables
from mlwright.stages.monitoring.counting import sketch
from mlwright.stages.monitoring.slicing import sliced

pytestmark = pytest.mark.verify
server, url, empty, engine = postgres.server, postgres.url, postgres.empty, postgres.engine

UNIT = Path(__file__).parents[1] / "unit"
STORED = runpy.run_path(str(UNIT / "monitoring" / "test_store.py"))
DRIFT = runpy.run_path(str(UNIT / "monitoring" / "test_drift_store.py"))
COUNTED = runpy.run_path(str(UNIT / "platform" / "test_objectives.py"))
SAME = {
    name: test
    for module in (STORED, COUNTED)
    for name, test in module.items()
    if name.startswith("test_") and [*inspect.signature(test).parameters] == ["tx"]
}
"""Tests of the unit floor that need nothing but a transaction."""
AT = datetime(2013, 4, 1, tzinfo=UTC)
MICROS = 1_364_774_400_000_000
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DELAY = EndpointName("delay")
OLD = ("v0001", "v0002", "v0003", "v0004")
AUC = {"value": 0.7, "lower": 0.6, "upper": 0.8, "level": 0.95, "assumption": "days"}


def test_what_holds_on_sqlite_holds_here(engine) -> None:
    """One server and one database for all of them: each in a transaction that is undone."""
    assert len(SAME) >= 15
    for test in SAME.values():
        with engine.connect() as tx, tx.begin() as begun:
            test(tx)
            begun.rollback()
    with engine.begin() as tx:
        assert tx.execute(select(func.count()).select_from(tables.alerts)).scalar() == 0


def test_counts_of_slices_and_variants_hold_here(engine) -> None:
    tests = [
        test
        for name, test in DRIFT.items()
        if name.startswith("test_") and "parted" in inspect.signature(test).parameters
    ]
    assert len(tests) >= 3
    for test in tests:
        with engine.connect() as tx, tx.begin() as begun:
            reference = DRIFT["known"](tx)
            test(tx, reference, DRIFT["apart"](tx, reference))
            begun.rollback()


def write_as_before(engine, folder) -> None:
    """The tables of v0004 with rows as that release wrote them."""
    scripts = folder / "scripts"
    newer = [path.name for path in SHIPPED.glob("v*.py") if not path.name.startswith(OLD)]
    shutil.copytree(SHIPPED, scripts, ignore=shutil.ignore_patterns(*newer))
    migrate(engine, backups=folder, at=AT, scripts=scripts)
    numbers = {
        "predictions": 200,
        "labelled": 190,
        "positive_rate": 0.2,
        "mean_score": 0.25,
        "auc": AUC,
        "brier": None,
        "calibration_error": 0.05,
        "versions": ["delay/1"],
    }
    feature = {
        "column": "temp",
        "n": 900,
        "psi": 3.1,
        "js": 0.5,
        "null_rate": 0.1,
        "reference_null_rate": 0.0,
        "unseen_rate": 0.0,
    }
    day = 86_400_000_000
    rows = {
        "monitoring_performance": ("'delay', 'day', :a, :b, true, :json", json.dumps(numbers)),
        "monitoring_drift": ("'delay', :a, :b, :a, :b, :json", json.dumps([feature])),
        "monitoring_references": ("'delay', 'delay/1', :a, :b, :json", "[]"),
    }
    with engine.begin() as tx:
        for table, (values, content) in rows.items():
            tx.execute(
                text(f"INSERT INTO {table} VALUES ({values})"),
                {"a": MICROS, "b": MICROS + day, "json": content},
            )
        for id, resolved in (("delay-labels-old", MICROS + day), ("delay-auc-old", None)):
            tx.execute(
                text(
                    "INSERT INTO monitoring_alerts (id, rule, endpoint, level, state, fired_at, resolved_at, summary,"
                    " evidence, next_command) VALUES (:id, :rule, 'delay', 'page', :state, :at, :resolved, 'fell',"
                    " :evidence, 'mlwright retrain delay')"
                ),
                {
                    "id": id,
                    "rule": id.split("-")[1],
                    "state": "resolved" if resolved else "firing",
                    "at": MICROS,
                    "resolved": resolved,
                    "evidence": json.dumps({"value": 0.64, "limit": None}),
                },
            )
            tx.execute(
                text(
                    "INSERT INTO monitoring_deliveries (alert_id, state, channel, enqueued_at, retry_at, attempts)"
                    " VALUES (:id, 'firing', 'log', :at, :at, 0)"
                ),
                {"id": id, "at": MICROS},
            )


def test_what_an_earlier_release_watched_comes_over(empty, tmp_path) -> None:
    write_as_before(empty, tmp_path)
    assert migrate(empty, backups=tmp_path, at=AT).changed
    with empty.begin() as tx:
        [day] = store.list_performance(tx, DELAY, "day")
        assert day.metrics == {"auc": Estimate(**AUC)}
        assert (day.matured, day.calibration_error, day.maturity.arrived) == (True, 0.05, 0.95)
        [drift] = store.list_drift(tx, DELAY)
        assert (drift.features[0].psi, drift.features[0].moved) == (3.1, False)
        [alert] = store.firing(tx)
        assert (alert.id, alert.group, alert.evidence) == (
            "delay-auc-old",
            "delay-auc-old",
            {"value": 0.64, "limit": None},
        )
        clock = inbox.get_clock(tx, alert.id)
        assert clock is not None
        assert (clock.since, clock.step) == (AT, -1)
        first = outbox.claim(tx, AT, "me", channels=("log",))
        assert [each.alert_id for each in first.rows] == ["delay-labels-old"]
        outbox.delivered(tx, first, AT)
        # Numbers of new messages go on behind those that were there.
        outbox.enqueue(tx, store.resolve(tx, alert.id, AT + DAY), "mail", AT + DAY)
        assert max(each.id for each in outbox.waiting(tx)) == 3
        assert store.save_alert(tx, replace(STORED["alert"](), fired=AT + 3 * DAY)).new


def test_silences_come_back(engine) -> None:
    silence = Silence(
        id="s1", endpoint=DELAY, rule="drift*", by="ada", why="Wartung · 보수", start=AT, end=AT + DAY
    )
    with engine.begin() as tx:
        silences.add_silence(tx, silence)
        silences.add_silence(tx, replace(silence, id="s2", rule=None, end=AT + 2 * DAY))
    with reading(engine).begin() as tx:
        assert silences.silence_over(tx, "delay", "drift:temp", AT).id == "s2"
        assert silences.list_silences(tx, at=AT + DAY) == (
            replace(silence, id="s2", rule=None, end=AT + 2 * DAY),
        )
    with engine.begin() as tx:
        silences.end_silence(tx, "s2", AT + HOUR)
    with engine.begin() as tx, pytest.raises(Conflict, match="over since"):
        silences.end_silence(tx, "s2", AT + 2 * HOUR)


def test_values_that_sqlite_keeps_and_postgresql_does_not(engine) -> None:
    """A NUL in what was served, or a text of any length, ends no turn of the loop."""
    whole = STORED["performance"]()
    with engine.begin() as tx, pytest.raises(UsageError, match="cannot keep"):
        store.save_parts(tx, whole, (replace(whole, part="x=a\0b"),), "day")
    odd = pl.DataFrame({"x": ["a\0b", 3000 * "ä", "😀"]})
    parts = tuple(replace(whole, part=name) for name, _ in sliced(odd, ["x"], {}))
    levels = sketch(odd)
    with engine.begin() as tx:
        store.save_parts(tx, whole, parts, "day")
        store.save_reference(tx, DELAY, "delay/1", levels, whole.window)
        assert store.list_parts(tx, DELAY, "day") == parts
        assert store.get_reference(tx, DELAY, "delay/1").sketches == levels
    assert "x=a␀b" in [each.part for each in parts]


def test_of_deciders_at_once_one_opens_the_alert(engine) -> None:
    def decide(writer):
        with engine.begin() as tx:
            return store.save_alert(tx, STORED["alert"](id=f"delay-auc-{writer}", group=None)).new

    assert sorted(postgres.at_once(decide)) == [False] * (postgres.WRITERS - 1) + [True]
    with engine.begin() as tx:
        [alert] = store.firing(tx)
        store.resolve(tx, alert.id, alert.fired)
    # It comes back soon: opened again, once.
    assert sorted(postgres.at_once(decide)) == [False] * (postgres.WRITERS - 1) + [True]
    with engine.begin() as tx:
        assert [(each.id, each.flaps) for each in store.firing(tx)] == [(alert.id, 1)]


def test_deliverers_at_once_send_each_message_once(engine) -> None:
    alerts, channels = 12, ("log", "mail")
    with engine.begin() as tx:
        for number in range(alerts):
            made = STORED["alert"](id=f"a{number}", rule=f"r{number}", group=f"g{number % 4}")
            alert = store.save_alert(tx, made).alert
            for channel in channels:
                outbox.enqueue(tx, alert, channel, AT)

    def send(writer):
        sent, idle = [], 0
        while idle < 3:
            with engine.begin() as tx:
                parcel = outbox.claim(tx, AT + HOUR, f"{writer}-{len(sent)}-{idle}", channels=channels)
            if parcel is None:
                idle += 1
                continue
            sent += [(each.alert_id, parcel.channel) for each in parcel.rows]
            with engine.begin() as tx:
                outbox.delivered(tx, parcel, AT + HOUR)
        return sent

    sent = Counter(each for mine in postgres.at_once(send) for each in mine)
    with engine.begin() as tx:
        left = outbox.waiting(tx)
    assert max(sent.values()) == 1
    assert len(sent) + len(left) == alerts * len(channels)
    assert not left


def test_counters_of_objectives_of_many_processes_add_up(engine) -> None:
    latency = objectives_of(EndpointSettings(name="delay", model="m@champion"))[0]

    def write(writer):
        for step in range(10):
            with engine.begin() as tx:
                start = AT + step * timedelta(minutes=7)
                slos.add(tx, latency, Tally(good=6, total=7), start, start + timedelta(minutes=7))
                slos.add_minute(tx, latency, AT + 3 * DAY, good=True)

    def roll(days):
        with engine.begin() as tx:
            slos.roll_up(tx, latency, AT + days * DAY)

    def kept():
        with engine.begin() as tx:
            return tx.execute(select(func.sum(tables.slo_windows.c.total), func.count())).one()

    postgres.at_once(write)
    total, rows = kept()
    assert total == pytest.approx(postgres.WRITERS * 70 + 1)
    for days in (1, 9):
        postgres.at_once(lambda _, days=days: roll(days))
        assert kept()[0] == pytest.approx(total)
    assert kept()[1] < rows / 10


def test_of_lookers_at_once_each_growth_is_counted_once(engine) -> None:
    with engine.begin() as tx:
        assert slos.grow(tx, DELAY, slos.Counts(at=AT)) is None

    def look(writer):
        with engine.begin() as tx:
            counts = slos.Counts(at=AT + timedelta(seconds=writer + 1), requests=10.0 * (writer + 1))
            return slos.grow(tx, DELAY, counts)

    grown = [each for each in postgres.at_once(look) if each is not None]
    with engine.begin() as tx:
        latest = tx.execute(
            select(tables.slo_counters.c.value).where(tables.slo_counters.c.name == "requests")
        ).scalar()
    assert sum(each.by["requests"] for each in grown) == latest
