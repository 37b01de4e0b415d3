"""Histories in blocks: however the points arrive, they read as one plain list would."""

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, func, select

from mlwright.adapters.sql.engine import open_engine
from mlwright.errors import UsageError
from mlwright.model.tracking import History, Metric
from mlwright.stages.tracking import sampling
from mlwright.stages.tracking.history import BLOCK_POINTS, append_metrics, read_history, read_summaries
from mlwright.stages.tracking.tables import experiments, history, latest_metrics, metadata, runs

TABLES = [experiments, runs, latest_metrics, history]
AT = 1_700_000_000_000
VALUES = [0.0, -0.0, 1.5, -2.5, 1e308, 5e-324, math.nan, math.inf, -math.inf]


def prepare(engine, count=1):
    with engine.begin() as tx:
        metadata.create_all(tx, tables=TABLES)
        tx.execute(experiments.insert().values(id=1, name="a", artifact_root="x", created_at=0, updated_at=0))
        for number in range(1, count + 1):
            tx.execute(
                runs.insert().values(
                    number=number,
                    id=f"r{number}",
                    experiment=1,
                    name="n",
                    status="RUNNING",
                    started_ms=0,
                    actor="ada",
                    artifact_root="x",
                )
            )


@contextmanager
def store():
    engine = create_engine("sqlite://")
    prepare(engine, 2)
    with engine.begin() as tx:
        yield tx
    engine.dispose()


def metric(key="loss", value=1.0, step=0, at_ms=AT):
    return Metric(key=key, value=value, step=step, at_ms=at_ms)


def points(found):
    return list(
        zip(found.steps.tolist(), found.at_ms.tolist(), map(repr, found.values.tolist()), strict=True)
    )


def blocks(tx, run=1, key="loss"):
    query = select(history.c.points).where(history.c.run == run, history.c.key == key)
    return [row.points for row in tx.execute(query.order_by(history.c.number))]


def written(value):
    """How a value is told from others: NaN is one, and so is zero."""
    return "nan" if math.isnan(value) else value + 0.0


def expected(metrics):
    """What a plain list would say: the points, and the summary."""
    seen = {}
    for each in metrics:
        seen.setdefault((each.step, each.at_ms, written(each.value)), each.value)
    ordered = sorted(seen, key=lambda point: point[:2])
    top = max(
        ordered, key=lambda point: (*point[:2], point[2] != "nan", 0.0 if point[2] == "nan" else point[2])
    )
    finite = [value for value in seen.values() if math.isfinite(value)]
    return (
        [(step, at, repr(seen[step, at, value])) for step, at, value in ordered],
        (
            top[0],
            top[1],
            top[2],
            len(seen),
            written(min(finite, default=math.nan)),
            written(max(finite, default=math.nan)),
        ),
    )


def summary(found):
    return (
        found.step,
        found.at_ms,
        written(found.value),
        found.points,
        written(found.lowest),
        written(found.highest),
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.sampled_from([1, 1, 1, 2, 7, 40, 70, 300]), min_size=1, max_size=100),
    steps=st.sampled_from([1, 3, 50, 2**62]),
    instants=st.sampled_from([1, 4, 100_000]),
    keys=st.integers(1, 3),
    rising=st.booleans(),
)
def test_any_points_in_any_batches_read_as_one_plain_list(seed, sizes, steps, instants, keys, rising):
    draw = np.random.default_rng(seed)
    logged = []
    with store() as tx:
        for size in sizes:
            batch = [
                metric(
                    key=f"k{draw.integers(keys)}",
                    value=VALUES[draw.integers(len(VALUES))],
                    step=len(logged) + place if rising else int(draw.integers(-steps, steps)),
                    at_ms=AT + int(draw.integers(instants)),
                )
                for place in range(size)
            ]
            append_metrics(tx, 1, batch)
            logged += batch
        summaries = {each.key: each for each in read_summaries(tx, [1])[1]}
        assert sorted(summaries) == sorted({each.key for each in logged})
        for key, latest in summaries.items():
            listed, summed = expected([each for each in logged if each.key == key])
            assert points(read_history(tx, 1, key)) == listed
            assert summary(latest) == summed
            assert len(blocks(tx, key=key)) < 200


def test_nothing_is_logged_by_an_empty_batch_and_nothing_found_under_another_name():
    with store() as tx:
        append_metrics(tx, 1, [])
        append_metrics(tx, 1, [metric()])
        assert points(read_history(tx, 1, "acc")) == []
        assert points(read_history(tx, 2, "loss")) == []
        assert read_history(tx, 2, "loss").steps.dtype == np.int64
        assert read_summaries(tx, [2, 1])[2] == ()
        assert read_summaries(tx, []) == {}


def test_single_points_are_folded_into_few_blocks_in_the_order_of_logging():
    with store() as tx:
        # All of one step and instant, so that only the order of the blocks tells which was first.
        for value in range(1100):
            append_metrics(tx, 1, [metric(value=float(value))])
            if value % 30 == 0:
                assert len(blocks(tx)) <= 150
        assert max(blocks(tx)) >= 512
        assert sum(blocks(tx)) == 1100
        assert read_history(tx, 1, "loss").values.tolist() == [float(value) for value in range(1100)]


def test_a_block_stays_bounded_and_a_full_one_is_never_rewritten():
    with store() as tx:
        append_metrics(tx, 1, [metric(step=step) for step in range(2 * BLOCK_POINTS + 5)])
        assert blocks(tx) == [BLOCK_POINTS, BLOCK_POINTS, 5]
        full = tx.execute(select(history.c.number).limit(2).order_by(history.c.number)).all()
        for start in range(0, 3 * BLOCK_POINTS, 1000):
            append_metrics(tx, 1, [metric(step=10**6 + start + step) for step in range(1000)])
        assert tx.execute(select(history.c.number).limit(2).order_by(history.c.number)).all() == full
        assert max(blocks(tx)) < 2 * BLOCK_POINTS
        assert len(blocks(tx)) < 40
        assert len(read_history(tx, 1, "loss").steps) == sum(blocks(tx))


def test_keys_that_are_logged_together_are_not_all_folded_by_one_call():
    keys = [f"k{number}" for number in range(100)]
    with store() as tx:
        counts = []
        for step in range(140):
            append_metrics(tx, 1, [metric(key=key, step=step) for key in keys])
            counts.append(tx.execute(select(func.count()).select_from(history)).scalar_one())
        assert max(before - after for before, after in pairwise(counts)) < 63 * 20


def test_a_call_that_is_sent_again_changes_nothing():
    batch = [
        metric(key=f"k{number % 3}", step=number, value=math.nan if number % 2 else 1.0)
        for number in range(90)
    ]
    with store() as tx:
        append_metrics(tx, 1, batch)
        before, stored = read_summaries(tx, [1])[1], blocks(tx, key="k0")
        append_metrics(tx, 1, batch)
        append_metrics(tx, 1, batch[40:50] * 2)
        assert list(map(summary, read_summaries(tx, [1])[1])) == list(map(summary, before))
        assert blocks(tx, key="k0") == stored


def test_a_repetition_that_comes_late_is_read_once():
    with store() as tx:
        append_metrics(tx, 1, [metric(step=step) for step in range(2 * BLOCK_POINTS)])
        append_metrics(tx, 1, [metric(step=0)])
        assert sum(blocks(tx)) == 2 * BLOCK_POINTS + 1
        assert len(read_history(tx, 1, "loss").steps) == 2 * BLOCK_POINTS


@pytest.mark.parametrize(
    ("first", "second", "latest"),
    [
        (metric(step=5, value=1.0), metric(step=4, at_ms=AT + 9, value=2.0), 1.0),
        (metric(at_ms=AT + 1, value=1.0), metric(value=2.0), 1.0),
        (metric(value=1.0), metric(value=2.0), 2.0),
        (metric(value=2.0), metric(value=1.0), 2.0),
        (metric(value=-1.0), metric(value=math.nan), -1.0),
        (metric(value=math.nan), metric(value=-1.0), -1.0),
    ],
)
def test_the_latest_is_by_step_then_instant_then_value(first, second, latest):
    with store() as tx:
        append_metrics(tx, 1, [first])
        append_metrics(tx, 1, [second])
        append_metrics(tx, 2, [first, second])
        found = read_summaries(tx, [1, 2])
        assert [each[0].value for each in found.values()] == [latest, latest]


def test_a_range_of_nothing_finite_has_no_ends():
    with store() as tx:
        append_metrics(tx, 1, [metric(value=math.nan), metric(value=math.inf, step=1)])
        (found,) = read_summaries(tx, [1])[1]
        assert (found.value, found.points) == (math.inf, 2)
        assert math.isnan(found.lowest)
        assert math.isnan(found.highest)


@pytest.mark.parametrize("wrong", [{"step": 2**63}, {"step": -(2**63) - 1}, {"at_ms": 2**64}])
@pytest.mark.parametrize("others", [0, 40])
def test_what_does_not_fit_is_refused_whole(wrong, others):
    with store() as tx:
        with pytest.raises(UsageError, match=r"'loss' does not fit into 64 bits"):
            append_metrics(
                tx, 1, [*(metric(key="acc", step=step) for step in range(others)), metric(**wrong)]
            )
        if others:
            with pytest.raises(UsageError, match="64 bits"):
                append_metrics(tx, 1, [metric(), metric(**wrong)])
        assert read_summaries(tx, [1]) == {1: ()}
        append_metrics(tx, 1, [metric(step=2**63 - 1), metric(step=-(2**63), at_ms=2**63 - 1)])
        assert read_history(tx, 1, "loss").steps.tolist() == [-(2**63), 2**63 - 1]


def test_no_point_is_lost_by_writers_at_the_same_time(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    prepare(engine)

    def write(writer):
        for step in range(40):
            with engine.begin() as tx:
                append_metrics(tx, 1, [metric(key=key, step=step, value=writer) for key in ("loss", "acc")])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    with engine.connect() as tx:
        for key, latest in zip(("acc", "loss"), read_summaries(tx, [1])[1], strict=True):
            found = read_history(tx, 1, key)
            assert sorted(zip(found.steps.tolist(), found.values.tolist(), strict=True)) == [
                (step, float(writer)) for step in range(40) for writer in range(4)
            ]
            assert (latest.key, latest.points, latest.step, latest.value) == (key, 160, 39, 3.0)
    engine.dispose()


def drawn(values, steps=None, at_ms=None):
    count = len(values)
    return History(
        key="loss",
        steps=np.arange(count) if steps is None else np.asarray(steps),
        at_ms=np.full(count, AT) if at_ms is None else np.asarray(at_ms),
        values=np.asarray(values, float),
    )


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.floats(allow_nan=True), min_size=1, max_size=400),
    most=st.integers(4, 60),
)
def test_a_chart_keeps_the_ends_and_every_extreme(values, most):
    whole = drawn(values)
    found = sampling.with_extremes(whole, most)
    assert len(found.steps) <= max(most, 4)
    assert (np.diff(found.steps) > 0).all()
    assert (found.steps[0], found.steps[-1]) == (0, len(values) - 1)
    numbers = [value for value in values if not math.isnan(value)]
    if numbers:
        assert np.nanmax(found.values) == max(numbers)
        assert np.nanmin(found.values) == min(numbers)


@given(count=st.integers(1, 300), most=st.integers(1, 40))
def test_evenly_spread_points_are_those_that_mlflow_takes(count, most):
    found = sampling.evenly(drawn(range(count)), most).steps.tolist()
    # NTILE of SQL: the first ``count % most`` parts have one row more.
    part, larger = divmod(count, most)
    lengths = [part + (place < larger) for place in range(min(count, most))]
    firsts = [sum(lengths[:place]) for place in range(len(lengths))]
    assert found == ([*firsts[:-1], count - 1] if count > most else firsts)


def test_points_are_answered_by_instant_and_cut_by_step():
    whole = drawn([5.0, math.nan, 1.0, -1.0], steps=[0, 1, 1, 2], at_ms=[AT + 2, AT, AT, AT + 1])
    assert sampling.by_instant(whole).steps.tolist() == [1, 1, 2, 0]
    assert [repr(value) for value in sampling.by_instant(whole).values.tolist()] == [
        "nan",
        "1.0",
        "-1.0",
        "5.0",
    ]
    assert sampling.between(whole, 1, 1).steps.tolist() == [1, 1]
    assert sampling.between(whole, 3, 9).steps.tolist() == []
