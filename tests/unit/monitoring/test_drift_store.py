"""Counts that are kept: hours come back, add up to days, and belong to one set of bins."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from sqlalchemy import create_engine

from mlwright.errors import StorageError
from mlwright.model.windows import Window
from mlwright.stages.monitoring import store, tables
from mlwright.stages.monitoring.counting import count, sketch
from mlwright.stages.monitoring.judging import judge, measure, report_of
from mlwright.stages.monitoring.seasons import Part
from mlwright.stages.monitoring.sketches import merge_all

START = datetime(2013, 4, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def tx():
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def rows(seed, n=100):
    rng = np.random.default_rng(seed)
    return pl.DataFrame({"z": rng.normal(size=n), "a": rng.choice(["x", "y"], n)})


@pytest.fixture
def reference(tx):
    window = Window(start=START - 30 * DAY, end=START)
    store.save_reference(tx, "delay", "delay/1", sketch(rows(0, 5000)), window)
    return store.get_reference(tx, "delay", "delay/1")


@pytest.fixture
def hours(tx, reference):
    parts = [
        Part(
            window=Window(start=START + k * HOUR, end=START + (k + 1) * HOUR),
            sketches=count(reference.sketches, rows(k)),
        )
        for k in range(50)
    ]
    store.save_counts(tx, reference, parts)
    return parts


def test_hours_come_back_in_their_window_and_again_replace(tx, reference, hours):
    store.save_counts(tx, reference, hours[:3])
    held = store.list_counts(tx, reference)
    assert list(held) == hours
    day = Window(start=START, end=START + DAY)
    assert list(store.list_counts(tx, reference, day)) == hours[:24]
    assert store.list_counts(tx, reference, part="carrier=UA") == ()
    assert list(reference.sketches) == ["z", "a"]


def test_old_hours_become_days_and_a_day_stays_what_it_was(tx, reference, hours):
    day = Window(start=START, end=START + DAY)
    before = merge_all(reference.sketches, (each.sketches for each in hours[:24]))
    assert store.roll_up(tx, reference, START + 2 * DAY + HOUR) == 2
    kept = store.list_counts(tx, reference)
    assert [each.rows for each in kept] == [2400, 2400, 100, 100]
    (whole,) = store.list_counts(tx, reference, day)
    assert whole.sketches == before
    assert store.roll_up(tx, reference, START + 2 * DAY + HOUR) == 0


def test_new_bins_forget_the_counts_of_the_old_ones(tx, reference, hours):
    store.save_reference(tx, "delay", "delay/1", sketch(rows(9, 500)), reference.window)
    renewed = store.get_reference(tx, "delay", "delay/1")
    assert store.list_counts(tx, renewed) == ()
    store.save_counts(tx, renewed, hours[:1])
    with pytest.raises(StorageError, match="other bins"):
        store.list_counts(tx, renewed)


def test_a_judgement_comes_back_as_it_was(tx, reference, hours):
    now = count(reference.sketches, rows(1, 2000).with_columns(z=pl.col("z") + 1))
    told = judge([measure(name, known, now[name]) for name, known in reference.sketches.items()])
    report = report_of("delay", hours[0].window, reference.window, told)
    store.save_drift(tx, report)
    assert store.list_drift(tx, "delay") == (report,)
    assert report.share_moved == 0.5
