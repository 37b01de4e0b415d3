"""Rows counted by slice and variant: every part is a part of one whole, whatever the rows."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.model.windows import Window
from mlwright.stages.monitoring.apart import MOST_APART, count_apart, slice_column, variant_labels
from mlwright.stages.monitoring.counting import count, sketch
from mlwright.stages.monitoring.counting_groups import Grouping, count_groups
from mlwright.stages.monitoring.judging import calibrate
from mlwright.stages.monitoring.part_judging import (
    BY_WHOLE,
    FIXED,
    Compared,
    Limits,
    judge_parts,
    limits_of,
)
from mlwright.stages.monitoring.seasons import Part
from mlwright.stages.monitoring.sketches import merge_all

START = datetime(2013, 4, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def frame(seed, n, shift=0.0, of="AA"):
    """A number with gaps and a text; x moves in one carrier alone."""
    rng = np.random.default_rng(seed)
    carrier = rng.choice(["AA", "UA", "DL", "B6"], n, p=[0.4, 0.3, 0.2, 0.1])
    x = rng.normal(size=n) + (carrier == "UA") + shift * (carrier == of)
    return pl.DataFrame(
        {
            "x": pl.Series(x).set(pl.Series(rng.random(n) < 0.1), None),
            "place": rng.choice(["a", "b", "c"], n),
            "carrier": carrier,
            "event_time": pl.Series(
                [START + timedelta(seconds=int(s)) for s in rng.integers(0, 4 * 86400, n)]
            ),
        }
    )


KNOWN = frame(0, 6000)
REFERENCE = sketch(KNOWN.select("x", "place"))
CARRIER = slice_column(KNOWN, "carrier")
RANGES = slice_column(KNOWN, "x", (-0.5, 0.25, 1.0))


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(1, 80),
    weighed=st.booleans(),
    window=st.sampled_from([None, Window(start=START, end=START + 5 * HOUR)]),
    hourly=st.booleans(),
)
def test_the_parts_of_one_kind_add_up_to_the_whole(seed, rows, weighed, window, hourly):
    served = frame(seed, rows)
    rng = np.random.default_rng(seed)
    variant = pl.Series(rng.choice(["variant=a", "variant=b"], rows))
    weights = pl.Series(rng.choice([1.0, 4.0, 0.5], rows)) if weighed else None
    slices = [CARRIER.labels(served), RANGES.labels(served)]
    found = count_apart(
        REFERENCE,
        served,
        at=served["event_time"],
        window=window,
        weights=weights,
        variant=variant,
        slices=slices,
        hourly=hourly,
    )
    whole = merge_all(REFERENCE, (each.sketches for each in found.whole))
    plain = count(REFERENCE, served, weights=weights)
    for kind in ("variant=", "carrier=", "x="):
        parts = [each for name, held in found.parts.items() if name.startswith(kind) for each in held]
        summed = merge_all(REFERENCE, (each.sketches for each in parts))
        for name, each in summed.items():
            assert each.counts.tolist() == whole[name].counts.tolist() == plain[name].counts.tolist()
            assert (each.rows, each.least, each.most) == (rows, whole[name].least, whole[name].most)
            assert each.heaviness == whole[name].heaviness == plain[name].heaviness
            assert each.sums == pytest.approx(whole[name].sums, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("weights", [None, [2.0] * 8, [1.0, 0.0, 3.0, 0.5, 1.0, 1.0, 2.0, 0.0]])
def test_groups_are_what_each_of_them_is_by_itself(weights):
    """Whatever a column holds: wild values, gaps, levels never seen, other types, and columns that are gone."""
    known = pl.DataFrame(
        {
            "x": [0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
            "kind": pl.Series(list("aabbccdd"), dtype=pl.Categorical),
            "text": list("aabbccdd"),
            "number": range(8),
            "at": [START + at * DAY for at in range(8)],
            "gone": range(8),
        }
    )
    reference = sketch(known)
    rows = pl.DataFrame(
        {
            "x": [0.0, -0.0, float("inf"), -float("inf"), None, float("nan"), 1e6, 2.5],
            "kind": pl.Series(["a", "new", None, "b", "a", "a", "c", "d"], dtype=pl.Categorical),
            "text": [1, 2, None, 4, 5, 6, 7, 8],
            "number": ["1", "two", None, "4", "5", "", "7", "8"],
            "at": [START, None, *[START + 99 * DAY] * 6],
        }
    )
    loads = None if weights is None else pl.Series(weights)
    of = np.array([0, 1, 2, 0, 1, 2, 0, 2])
    (first, second), (whole,) = (
        found[:2] if len(found) > 1 else found
        for found in count_groups(
            reference,
            rows,
            [Grouping(of=of, groups=3), Grouping(of=np.zeros(8, dtype=np.intp), groups=1)],
            weights=loads,
        )
    )
    for told, places in ((first, of == 0), (second, of == 1), (whole, of < 9)):
        wanted = count(
            reference, rows.filter(places), weights=None if loads is None else loads.filter(places)
        )
        for name, each in wanted.items():
            assert told[name] == each, name


def test_values_beyond_the_most_missing_ones_and_lost_columns_have_a_slice_too():
    many = pl.DataFrame({"k": [f"v{at:02d}" for at in range(40) for _ in range(40 - at)]})
    found = slice_column(many, "k")
    assert len(found.values) == MOST_APART
    assert found.values[0] == "v00"
    told = found.labels(pl.DataFrame({"k": ["v03", "v39", None, "never seen"]})).to_list()
    assert told == ["k=v03", "k=(other)", "k=missing", "k=(other)"]
    assert found.labels(pl.DataFrame({"z": [1, 2]})).to_list() == ["k=missing", "k=missing"]
    assert slice_column(pl.DataFrame({"z": [1]}), "k") is None
    assert RANGES.labels(pl.DataFrame({"x": [-3.0, 0.0, 7.0]})).to_list() == [
        "x=≤ -0.5",
        "x=-0.5 … 0.25",
        "x=> 1",
    ]


def test_names_are_short_enough_for_a_key_and_stay_apart():
    long = [f"{'y' * 150}{'é' * 60}{end}" for end in "ab"]
    found = slice_column(pl.DataFrame({"c" * 60: long}), "c" * 60)
    told = found.labels(pl.DataFrame({"c" * 60: long}))
    assert all(len(each) < 240 for each in told)
    answered = pl.DataFrame({"variant": ["champion", None], "model_version": ["m" * 300 + "/1", "m/1"]})
    first, second = variant_labels(answered)
    assert len(first) < 240
    assert second == "variant=(other)"


def test_what_is_no_instant_has_no_counts():
    rows = frame(1, 5)
    assert not count_apart(REFERENCE, rows, at=rows["place"]).whole
    naive = count_apart(REFERENCE, rows, at=rows["event_time"].dt.replace_time_zone(None))
    assert sum(each.rows for each in naive.whole) == 5


def by_day(labels, rows):
    return count_apart(REFERENCE, rows, at=rows["event_time"], slices=[labels], hourly=False)


def compared(shift, of):
    """Every carrier of a window of 8,000 rows against its own held-out rows."""
    now = frame(5, 8000, shift, of)
    served = by_day(CARRIER.labels(now), now).parts
    held = by_day(CARRIER.labels(KNOWN), KNOWN).parts
    return [
        Compared(
            name=name,
            current=merge_all(REFERENCE, (each.sketches for each in served[name])),
            reference=merge_all(REFERENCE, (each.sketches for each in held[name])),
            limits=Limits(baseline={}, assumption=FIXED),
        )
        for name in CARRIER.names
        if name in served
    ]


@pytest.mark.parametrize(("shift", "of", "named"), [(0.7, "UA", {"carrier=UA": 1}), (0.0, "UA", {})])
def test_a_carrier_that_differs_from_the_others_is_no_news_and_one_that_moved_is(shift, of, named):
    found = judge_parts(compared(shift, of), weights={"x": 2.0}, predictions=("place",))
    assert {each.part: each.moved for each in found if each.moved} == named
    assert all(each.judged == 2 and not each.note for each in found)
    assert {each.kind for part in found for each in part.features} == {"feature", "prediction"}
    if named:
        (united,) = (each for each in found if each.moved)
        assert [(each.column, each.weight, each.reason) for each in united.moved_features] == [
            ("x", 2.0, "psi")
        ]


def test_a_slice_with_few_held_out_rows_is_not_judged_and_says_so():
    few = frame(3, 3000).filter(pl.col("carrier") == "B6").head(120)
    many = count(REFERENCE, frame(5, 8000, 3.0, "B6").filter(pl.col("carrier") == "B6"))
    (found,) = judge_parts(
        [
            Compared(
                name="carrier=B6",
                current=many,
                reference=count(REFERENCE, few),
                limits=Limits(baseline={}, assumption=FIXED),
                note="and more",
            )
        ],
        weights={},
    )
    assert (found.judged, found.moved, found.assumption) == (0, 0, "")
    assert found.note == "too few to judge: 120 held-out rows, 500 are needed; and more"


def windows(rows, days, of):
    """A slice's held-out rows in windows of a day."""
    return tuple(
        Part(
            window=Window(start=START + at * DAY, end=START + (at + 1) * DAY),
            sketches=count(REFERENCE, frame(90 + at, rows).filter(pl.col("carrier") == of)),
        )
        for at in range(days)
    )


def test_limits_come_from_the_slice_itself_where_it_has_windows_enough_else_from_the_whole():
    within = windows(1500, 6, "UA")
    own = merge_all(REFERENCE, (each.sketches for each in within))
    whole = calibrate(REFERENCE, [count(REFERENCE, frame(at, 900)) for at in range(6)])
    found = limits_of(own, within, DAY, whole=whole)
    assert found.assumption == "limits by how the slice itself varies over 6 windows of its held-out rows"
    assert found.baseline.keys() == {"x", "place"}
    assert found.baseline["x"] == calibrate(own, [each.sketches for each in within])["x"]
    lent = limits_of(own, within[:4], DAY, whole=whole)
    assert lent.assumption == BY_WHOLE
    assert lent.baseline["x"].psi == whole["x"].psi
    assert limits_of(own, windows(300, 6, "UA"), DAY, whole=whole).assumption == BY_WHOLE  # 90 rows a day
    assert limits_of(own, within, 30 * DAY, whole={}).assumption == FIXED


def test_lent_limits_stand_around_the_share_of_missing_values_that_the_slice_has():
    half = frame(7, 4000).with_columns(x=pl.when(pl.int_range(pl.len()) % 2 == 0).then("x"))
    reference = count(REFERENCE, half)
    whole = calibrate(REFERENCE, [count(REFERENCE, frame(at, 900)) for at in range(6)])
    limits = limits_of(reference, (), DAY, whole=whole)
    now = count(REFERENCE, frame(8, 2000).with_columns(x=pl.when(pl.int_range(pl.len()) % 2 == 0).then("x")))
    (same,) = judge_parts([Compared(name="s", current=now, reference=reference, limits=limits)], weights={})
    assert not same.moved
    filled = count(REFERENCE, frame(8, 2000))
    (other,) = judge_parts(
        [Compared(name="s", current=filled, reference=reference, limits=limits)], weights={}
    )
    assert [(each.column, each.reason) for each in other.moved_features] == [("x", "missing")]
