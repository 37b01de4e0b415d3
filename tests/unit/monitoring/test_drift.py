"""Drift against closed forms, scipy and the traps that other libraries fall into."""

import json
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import norm

from mlwright.errors import DataError, StorageError
from mlwright.model.monitoring import DriftReport
from mlwright.model.windows import Window
from mlwright.stages.monitoring.counting import count, counting, recount, sketch
from mlwright.stages.monitoring.distances import jensen_shannon, psi
from mlwright.stages.monitoring.drift import compare, drift, drift_frame
from mlwright.stages.monitoring.packing import decode, encode, pack, unpack
from mlwright.stages.monitoring.sketches import Sketch, empty, merge, total

N = 100_000


def between(reference, current):
    """The drift of a single column."""
    known = sketch(pl.DataFrame({"x": reference}))
    (moved,) = drift(known, pl.DataFrame({"x": current}))
    return moved


def normal(shift=0.0, seed=0, n=N):
    return np.random.default_rng(seed).normal(shift, 1.0, n)


def exact_psi(shift):
    """PSI of N(shift, 1) against N(0, 1) over exact deciles."""
    cuts = norm.ppf(np.arange(1, 10) / 10)
    p, q = np.full(10, 0.1), np.diff(norm.cdf(cuts - shift), prepend=0, append=1)
    return float(((q - p) * np.log(q / p)).sum())


@pytest.mark.parametrize("shift", [0.1, 0.3, 1.0])
def test_psi_of_shifted_normals_is_the_closed_form(shift):
    assert between(normal(), normal(shift, seed=1)).psi == pytest.approx(exact_psi(shift), rel=0.1)


def test_psi_without_drift_is_the_noise_that_yurdakul_predicts():
    noise = [between(normal(seed=k, n=5000), normal(seed=100 + k, n=5000)).psi for k in range(20)]
    assert np.mean(noise) == pytest.approx(9 * (1 / 5000 + 1 / 5000), rel=0.4)


@pytest.mark.parametrize("where", ["reference", "current"])
def test_one_wild_value_changes_next_to_nothing(where):
    reference, current = normal(), normal(1.0, seed=1)
    plain = between(reference, current)
    (reference if where == "reference" else current)[0] = 1e6
    wild = between(reference, current)
    assert wild.psi == pytest.approx(plain.psi, rel=0.01)
    assert wild.js == pytest.approx(plain.js, rel=0.01)


def test_thirty_percent_nulls_is_drift():
    current = normal(seed=1)
    current[: N * 3 // 10] = np.nan
    moved = between(normal(), current)
    assert moved.psi > 2.0
    assert moved.js > 0.3
    assert (moved.null_rate, moved.reference_null_rate) == (0.3, 0.0)


def test_a_constant_that_becomes_another_constant_is_drift():
    moved = between([1.0] * 1000, [2.0] * 1000)
    assert moved.psi > 5
    assert moved.js == 1.0


def test_a_constant_that_stays_is_none():
    assert between([1.0] * 1000, [1.0] * 700).psi == 0.0


def test_heavy_tails_are_seen():
    rng = np.random.default_rng(2)
    # lognormal(sigma 3) against twice itself: equal to normals shifted by ln 2 / 3.
    moved = between(np.exp(3 * rng.normal(size=N)), 2 * np.exp(3 * rng.normal(size=N)))
    assert moved.psi == pytest.approx(exact_psi(np.log(2) / 3), rel=0.15)


def test_infinite_values_count_in_the_outer_bins():
    moved = between(normal(), np.append(normal(seed=1), [np.inf, -np.inf]))
    assert moved.psi < 0.001
    assert moved.null_rate == 0.0


DAY = datetime(2013, 4, 1, tzinfo=UTC)
COLUMNS = {
    "int": ([1, 2, 3, 4] * 250, [1, 2, 3, 9] * 250),
    "float": ([0.1, 0.2, 0.3, 0.4] * 250, [0.1, 0.2, 0.3, 5.0] * 250),
    "bool": ([True, False] * 500, [True] * 1000),
    "text": (["a", "b"] * 500, ["a"] * 1000),
    "datetime": (
        [DAY + timedelta(hours=k) for k in range(1000)],
        [DAY + timedelta(days=90 + k) for k in range(1000)],
    ),
    "date": (
        [date(2013, 1, 1 + k % 28) for k in range(1000)],
        [date(2014, 1, 1 + k % 28) for k in range(1000)],
    ),
    "time": ([time(k % 6) for k in range(1000)], [time(12 + k % 6) for k in range(1000)]),
    "duration": ([timedelta(hours=k % 9) for k in range(1000)], [timedelta(days=k % 9) for k in range(1000)]),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_every_kind_of_column(kind):
    before, after = COLUMNS[kind]
    assert between(before, before).psi == 0.0
    assert between(before, before).js == 0.0
    moved = between(before, after)
    assert moved.psi > 0.2
    assert 0 < moved.js <= 1
    stored = sketch(pl.DataFrame({"x": before}))["x"]
    assert Sketch.from_json(json.loads(json.dumps(stored.to_json(), allow_nan=False))) == stored


def test_all_null_columns_and_their_return_to_life():
    empty = [None] * 1000
    for typed in (pl.Series(empty, dtype=pl.Float64), pl.Series(empty, dtype=pl.String), pl.Series(empty)):
        still = between(typed, typed)
        assert (still.psi, still.js, still.null_rate) == (0.0, 0.0, 1.0)
        assert between(typed, [1.5] * 1000).js == 1.0
        assert between([1.5] * 1000, typed).js == 1.0


def test_an_empty_window_says_nothing():
    moved = between([1.0, 2.0], pl.Series([], dtype=pl.Float64))
    assert (moved.n, moved.psi, moved.js, moved.null_rate) == (0, 0.0, 0.0, 0.0)
    assert between(pl.Series([], dtype=pl.Float64), [1.0]).psi == 0.0
    assert between(["a"], pl.Series([], dtype=pl.String)).unseen_rate == 0.0


def test_levels_that_the_reference_never_saw():
    moved = between(["a", "b"] * 500, ["a", "b", "c", "d"] * 250)
    assert moved.unseen_rate == 0.5
    assert moved.psi > 1


def test_many_levels_keep_the_frequent_ones_and_compare_the_rare_together():
    rng = np.random.default_rng(3)
    names = np.array([f"N{k:05d}" for k in range(4000)])
    reference, current = (names[rng.integers(0, 4000, 20_000)] for _ in range(2))
    known = sketch(pl.DataFrame({"x": reference}))["x"]
    assert len(known.bins.levels) == 1000
    moved = between(reference, current)
    # Thousands of tiny bins would give a PSI near 4000 * (1/20000 + 1/20000) = 0.4 without any change. The levels
    # most frequent in a sample are so partly by luck, so those with a name are compared with those without one.
    assert moved.psi < 0.001
    assert 0.02 < moved.unseen_rate < 0.15


def test_a_column_of_another_type_or_none_at_all_is_drift():
    number = pl.Series([1.0, 2.0, 3.0] * 300)
    text = pl.Series(["a", "b"] * 450)
    assert between(number, text).null_rate == 1.0
    assert between(number, number.cast(pl.String)).psi == 0.0
    assert between(text, number).unseen_rate == 1.0
    assert between(number, text.cast(pl.Categorical)).null_rate == 1.0
    assert between(number, pl.Series([[1.0]] * 900)).null_rate == 1.0
    assert between(text, pl.Series([["a"]] * 900)).null_rate == 1.0
    (gone,) = drift(sketch(pl.DataFrame({"x": number})), pl.DataFrame({"y": number}))
    assert (gone.n, gone.null_rate) == (900, 1.0)


def test_nested_columns_are_left_out():
    assert list(sketch(pl.DataFrame({"x": [1], "l": [[1]], "s": [{"a": 1}], "b": [b"x"]}))) == ["x"]


def test_values_served_in_32_bits_are_those_trained_on_in_64():
    wide = pl.Series([0.1, 0.2, 0.3, 0.7] * 300, dtype=pl.Float64)
    assert between(wide, wide.cast(pl.Float32)).psi == 0.0
    assert between(pl.Series([1, 2, 3] * 300), pl.Series([1.0, 2.0, 3.0] * 300)).psi == 0.0


def test_percentiles_and_atoms_are_where_they_should_be():
    known = sketch(pl.DataFrame({"x": np.arange(1, 1001)}))["x"]
    inner = [edge for edge in known.bins.edges if 1 <= edge <= 1000]
    assert inner == [1, 3, 5, *range(10, 1000, 10), 995, 998, 999, 1000]
    assert known.counts[known.counts > 0].tolist() == [1, 2, 2, 5, *[10] * 98, 5, 3, 1, 1]
    assert known.bins.edges[0] < -370_000 < 370_000 < known.bins.edges[-1]
    mixed = sketch(pl.DataFrame({"x": [0.0] * 500 + list(range(1, 501))}))["x"]
    assert mixed.bins.atoms == (0.0,)
    assert [edge for edge in mixed.bins.edges if edge >= 0][:5] == [0.0, 1.0, 2.0, 3.0, 5.0]
    assert mixed.counts[mixed.counts > 0][:3].tolist() == [500, 1, 1]
    assert (mixed.mean, mixed.least, mixed.most) == (125.25, 0.0, 500.0)
    assert mixed.deviation == pytest.approx(np.std([0.0] * 500 + list(range(1, 501))))
    assert mixed.quantile(0.75) == pytest.approx(250)
    assert mixed.quantile(0.2) == 0.0


@given(st.lists(st.integers(0, 50), min_size=2, max_size=20), st.data())
def test_psi_is_a_divergence_and_js_is_scipys(p, data):
    q = data.draw(st.lists(st.integers(0, 50), min_size=len(p), max_size=len(p)))
    assert psi(p, q) >= 0
    assert psi(p, q) == pytest.approx(psi(q, p), abs=1e-12)
    assert psi(p, p) == 0
    if sum(p) and sum(q):
        theirs = jensenshannon(p, q, base=2)
        assert jensen_shannon(p, q) == pytest.approx(0.0 if np.isnan(theirs) else theirs, abs=1e-7)


values = st.lists(
    st.one_of(st.none(), st.floats(-3, 3, width=16), st.just(0.0), st.sampled_from([float("nan"), 1e30])),
    max_size=80,
).map(lambda rows: pl.Series("x", rows, dtype=pl.Float64))
words = st.lists(st.one_of(st.none(), st.sampled_from("abcdef")), max_size=80).map(
    lambda rows: pl.Series("x", rows, dtype=pl.String)
)


def close(one, other):
    """The same, but for the last bits of the sums."""
    assert one.bins == other.bins
    assert np.array_equal(one.counts, other.counts)
    assert one.sums == pytest.approx(other.sums, rel=1e-12, abs=1e-9)
    assert one.squares == pytest.approx(other.squares, rel=1e-12)
    same = ("rows", "heaviness", "least", "most", "infinite", "unread")
    assert [getattr(one, each) for each in same] == [getattr(other, each) for each in same]


@given(st.one_of(st.tuples(values, values, values, values), st.tuples(words, words, words, words)))
def test_counts_add_up_in_any_order_and_are_those_of_all_rows_together(four):
    reference, *others = four
    bins = sketch(reference.to_frame())["x"]
    one, two, three = (recount(bins, each) for each in others)
    close(merge(merge(one, two), three), recount(bins, pl.concat(others)))
    close(merge(one, merge(two, three)), merge(merge(three, one), two))
    assert merge(one, two) == merge(two, one)
    assert merge(one, empty(one.bins)) == one
    assert total(one.bins, []) == empty(one.bins)
    assert bins.n == bins.rows == len(reference)
    assert compare("x", bins, bins).psi == 0.0
    assert compare("x", bins, one).psi >= 0.0
    stored = {"x": one, "other": two}
    assert unpack({"x": bins}, pack(stored)) == {"x": one}
    assert unpack({"x": bins, "other": bins}, pack(stored)) == stored


@given(
    st.one_of(values, words).flatmap(
        lambda rows: st.tuples(
            st.just(rows), st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows))
        )
    )
)
def test_a_row_of_weight_three_is_three_rows(weighed):
    rows, weights = weighed
    bins = sketch(rows.to_frame())["x"]
    many = recount(bins, rows.gather(np.repeat(np.arange(len(rows)), weights).tolist()))
    sampled = recount(bins, rows, weights=pl.Series(weights, dtype=pl.Float64))
    assert np.array_equal(sampled.counts, many.counts)
    assert sampled.sums == pytest.approx(many.sums, rel=1e-12, abs=1e-9)
    assert (sampled.least, sampled.most, sampled.infinite) == (many.least, many.most, many.infinite)
    assert sampled.rows == len(rows)
    assert sampled.effective <= len(rows) + 1e-9
    tenfold = recount(bins, rows, weights=pl.Series([10.0] * len(rows)))
    assert np.array_equal(tenfold.counts, 10 * recount(bins, rows).counts)
    assert tenfold.effective == pytest.approx(len(rows))


def test_weights_that_are_none_are_refused():
    bins = sketch(pl.DataFrame({"x": [1.0, 2.0]}))["x"]
    with pytest.raises(DataError, match="1 weights for 2 rows"):
        recount(bins, pl.Series([1.0, 2.0]), weights=pl.Series([1.0]))
    with pytest.raises(DataError, match="row 1 has a weight of -1"):
        recount(bins, pl.Series([1.0, 2.0]), weights=pl.Series("w", [1.0, -1.0]))


def test_a_stream_of_chunks_is_counted_like_one_frame_with_threads_and_without():
    rng = np.random.default_rng(5)
    frame = pl.DataFrame(
        {"n": rng.normal(size=150_000), "c": rng.integers(0, 30, 150_000).astype(str), "w": 2.0}
    )
    known = sketch(frame.head(10_000).drop("w"))
    whole = count(known, frame, weights=frame["w"])
    chunks = [frame[start : start + 40_000] for start in range(0, 150_000, 40_000)]
    for threads in (1, 3):
        streamed = counting(known, iter(chunks), weight="w", threads=threads)
        for name in known:
            close(streamed[name], whole[name])
    assert whole["n"].n == 300_000
    assert whole["n"].sums.sum() == pytest.approx(2 * frame["n"].cast(pl.Float32).cast(pl.Float64).sum())


@given(st.one_of(values, words), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(column, random):
    order = list(range(len(column)))
    random.shuffle(order)
    mixed = column[order] if order else column
    assert sketch(column.to_frame()) == sketch(mixed.to_frame())


@given(values)
def test_numbers_are_counted_where_the_bins_say(column):
    known = sketch(column.to_frame())["x"]
    low, high = known.bins.ends()
    expected = [0] * known.bins.cells
    for value in column:
        if value is None or np.isnan(value):
            expected[-1] += 1
            continue
        near = float(np.float32(value))
        expected[
            next(
                cell
                for cell, point in enumerate(known.bins.points)
                if (near == low[cell] if point else low[cell] < near <= high[cell])
                and (point or near not in known.bins.atoms)
            )
        ] += 1
    assert known.counts.tolist() == expected


def test_sketches_of_other_bins_do_not_add_up():
    one, other = (sketch(pl.DataFrame({"x": rows}))["x"] for rows in ([1, 2, 3], [4, 5, 6]))
    with pytest.raises(ValueError, match="same bins"):
        merge(one, other)


def test_a_stored_reference_that_is_broken_says_so():
    with pytest.raises(StorageError, match="cannot be read"):
        Sketch.from_json({"kind": "number", "edges": ["x"]})


def test_counts_of_other_bins_or_damaged_ones_say_so():
    one, other = (sketch(pl.DataFrame({"x": rows})) for rows in ([1, 2, 3], [4, 5, 6]))
    with pytest.raises(StorageError, match="other bins"):
        unpack(other, pack(one))
    with pytest.raises(StorageError, match="cannot be read"):
        unpack(one, b"x")
    with pytest.raises(StorageError, match="cannot be read"):
        decode(one["x"].bins, encode(one["x"])[:-30])


@pytest.mark.parametrize("wild", [1e6, -1e6, 1e308, np.inf, -np.inf])
def test_a_wild_value_among_missing_ones_leaves_every_number_finite(wild):
    rng = np.random.default_rng(6)
    rows = rng.standard_cauchy(20_000)
    rows[0], rows[1] = wild, np.nan
    for reference, current in ((rows, rng.standard_cauchy(20_000)), (rng.standard_cauchy(20_000), rows)):
        moved = between(reference, current)
        told = [each for each in asdict(moved).values() if isinstance(each, float)]
        assert np.isfinite(told).all()
        assert moved.psi < 0.02
        assert moved.ks < 0.03


def test_reports_as_a_long_table():
    day = Window(start=DAY, end=DAY + timedelta(days=1))
    frame = pl.DataFrame({"x": [1.0, 2.0] * 500, "c": ["a", "b"] * 500})
    report = DriftReport(endpoint="delay", window=day, reference=day, features=drift(sketch(frame), frame))
    table = drift_frame([report, report])
    assert table.schema["start"] == pl.Datetime("us", "UTC")
    held = table.filter(feature="c")["statistic"].to_list()
    assert "psi" in held
    assert "ks" not in held  # levels have no order
    assert table.filter(feature="x", statistic="mean")["value"].to_list() == [1.5, 1.5]
    assert drift_frame([]).schema == table.schema
