"""Counts that are kept: hours come back, add up to days, and belong to one set of bins."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from sqlalchemy import create_engine, select

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
    return known(tx)


def known(tx):
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


@pytest.fixture
def parted(tx, reference):
    return apart(tx, reference)


def apart(tx, reference):
    """Two days by the hour: one variant answers the first, two the second; a slice is half of the rows."""
    hours, halves, both = [], [], {"one": [], "two": []}
    for k in range(48):
        at, half = Window(start=START + k * HOUR, end=START + (k + 1) * HOUR), rows(k).with_row_index("i")
        pieces = [
            Part(window=at, sketches=count(reference.sketches, half.filter(pl.col("i") % 2 == side)))
            for side in (0, 1)
        ]
        whole = Part(window=at, sketches=merge_all(reference.sketches, (each.sketches for each in pieces)))
        hours.append(whole)
        halves.append(pieces[0])
        both["one"].append(whole if k < 24 else pieces[0])
        if k >= 24:
            both["two"].append(pieces[1])
    parts = {"variant=one": both["one"], "variant=two": both["two"], "z=low": halves}
    store.replace_counts(tx, reference, Window(start=START, end=START + 2 * DAY), hours, parts)
    return hours, parts


def bytes_of(tx, part):
    table = tables.sketches
    wanted = select(table.c.counts).where(table.c.part == part).order_by(table.c.start_at)
    return [len(each) for each in tx.execute(wanted).scalars()]


def test_parts_come_back_and_one_that_is_the_whole_takes_no_bytes(tx, reference, parted):
    hours, parts = parted
    assert {name: list(each) for name, each in store.list_parts_counted(tx, reference).items()} == parts
    first = Window(start=START, end=START + DAY)
    assert store.count_rows(tx, reference, first) == {"variant=one": 2400, "z=low": 1200}
    assert list(store.list_parts_counted(tx, reference, first)) == ["variant=one", "z=low"]
    assert sum(bytes_of(tx, "served:variant=one")[:24]) == 0
    assert min(bytes_of(tx, "served:z=low")) > 0
    assert list(store.list_counts(tx, reference)) == hours


def test_hours_of_parts_become_days_before_those_of_the_whole_and_still_add_up(tx, reference, parted):
    until = START + 3 * DAY
    assert store.roll_up_parts(tx, reference, until) == 2
    for _ in range(2):
        found = store.list_parts_counted(tx, reference)
        assert [each.rows for each in found["variant=one"]] == [2400, 1200]
        assert [each.rows for each in found["variant=two"]] == [1200]
        whole = merge_all(reference.sketches, (each.sketches for each in store.list_counts(tx, reference)))
        variants = [each.sketches for name in ("variant=one", "variant=two") for each in found[name]]
        summed = merge_all(reference.sketches, variants)
        for name, each in summed.items():
            assert each.counts.tolist() == whole[name].counts.tolist()
        store.roll_up(tx, reference, until)
    assert bytes_of(tx, "served:variant=one")[0] == 0
    assert len(store.list_counts(tx, reference)) == 2


def test_a_window_is_replaced_whatever_it_was_counted_by_and_a_day_is_not_counted_twice(
    tx, reference, parted
):
    hours, _ = parted
    day = Window(start=START, end=START + DAY)
    again = Part(window=day, sketches=count(reference.sketches, rows(1, 70)))
    store.replace_counts(tx, reference, day, [again], {"z=high": [again]})
    assert [each.rows for each in store.list_counts(tx, reference, day)] == [70]
    assert {
        name: sum(each.rows for each in held)
        for name, held in store.list_parts_counted(tx, reference).items()
    } == {
        "variant=one": 1200,
        "variant=two": 1200,
        "z=high": 70,
        "z=low": 1200,
    }
    # An hour of a day that is one sum already cannot be told apart from the rest of it.
    store.replace_counts(tx, reference, hours[3].window, [hours[3]], {})
    assert [each.rows for each in store.list_counts(tx, reference, day)] == [70]


def test_a_slice_of_the_reference_stays_when_served_rows_are_counted_again(tx, reference):
    held = count(reference.sketches, rows(4))
    within = [Part(window=Window(start=START - DAY, end=START), sketches=held)]
    store.save_held_out(tx, reference, "a=x: y", held, within)
    store.replace_counts(tx, reference, Window(start=START - 40 * DAY, end=START + DAY), [], {})
    assert store.list_held_out(tx, reference) == {"a=x: y": (held, tuple(within))}
    assert store.list_parts_counted(tx, reference) == {}
