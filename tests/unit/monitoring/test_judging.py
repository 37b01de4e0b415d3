"""What has moved and what has not: the traps of other libraries, rates of false alarms, power, seasons."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from mlwright.model.windows import Window
from mlwright.stages.monitoring.counting import count, sketch
from mlwright.stages.monitoring.judging import Rules, calibrate, discoveries, judge, measure, report_of
from mlwright.stages.monitoring.seasons import Part, Season, same_season, tiled

N = 20_000
START = datetime(2013, 1, 7, tzinfo=UTC)  # a Monday
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def judged(reference, current, *, windows=(), rules=None):
    """All columns of one window."""
    known = sketch(pl.DataFrame(reference))
    now = count(known, pl.DataFrame(current))
    base = calibrate(known, [count(known, pl.DataFrame(each)) for each in windows], inside=False)
    rows = [measure(name, known[name], now[name], baseline=base.get(name)) for name in known]
    return {each.column: each for each in judge(rows, rules)}


def one(reference, current, *, windows=()):
    """A single column."""
    return judged({"x": reference}, {"x": current}, windows=[{"x": each} for each in windows])["x"]


def normal(shift=0.0, seed=0, n=N):
    return np.random.default_rng(seed).normal(shift, 1.0, n)


def with_one(rows, value):
    return np.append(rows[1:], value)


def lognormal(factor, seed, n=N):
    return factor * np.exp(3 * np.random.default_rng(seed).normal(size=n))


def cauchy(seed):
    return np.random.default_rng(seed).standard_cauchy(N)


TRAPS = {
    "nothing": (normal(), normal(seed=1), ""),
    "a shift of one deviation": (normal(), normal(1.0, seed=1), "psi"),
    "the same with 1e6 in the window": (normal(), with_one(normal(1.0, seed=1), 1e6), "psi"),
    "the same with 1e6 in the reference": (with_one(normal(), 1e6), normal(1.0, seed=1), "psi"),
    "1e6 in the window alone": (normal(), with_one(normal(seed=1), 1e6), ""),
    "1e308 in the window alone": (normal(), with_one(normal(seed=1), 1e308), ""),
    "infinity in the reference alone": (with_one(normal(), np.inf), normal(seed=1), ""),
    "one NaN": (normal(), with_one(normal(seed=1), np.nan), ""),
    "30 % missing": (normal(), np.where(np.arange(N) % 10 < 3, np.nan, normal(seed=1)), "missing"),
    "missing no longer": (np.where(np.arange(N) % 10 < 3, np.nan, normal()), normal(seed=1), "missing"),
    "all missing": (normal(), [None] * N, "missing"),
    "always all missing": (pl.Series([None] * N, dtype=pl.Float64), pl.Series([None] * N), ""),
    "a constant stays": ([1.0] * N, [1.0] * N, ""),
    "a constant becomes another": ([1.0] * N, [2.0] * N, "psi"),
    "a constant comes to life": ([1.0] * N, normal(), "psi"),
    "heavy tails": (cauchy(0), cauchy(1), ""),
    "heavy tails that shift": (cauchy(0), cauchy(1) + 2, "psi"),
    "a new level": (["a", "b"] * (N // 2), ["a", "b"] * (N // 2 - 300) + ["c"] * 600, "new levels"),
    "a level swallows another": (["a", "b"] * (N // 2), ["a"] * N, "psi"),
    "numbers become text": (normal(), ["much", "little"] * (N // 2), "type"),
    "numbers written as text": (normal(), pl.Series(normal(seed=1)).cast(pl.String), ""),
    "text becomes numbers": (["a", "b"] * (N // 2), normal(), "new levels"),
    "too few rows": (normal(), normal(3.0, seed=1, n=400), ""),
    "no rows": (normal(), pl.Series([], dtype=pl.Float64), ""),
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_traps(trap):
    reference, current, reason = TRAPS[trap]
    found = one(reference, current)
    assert (found.moved, found.reason) == (bool(reason), reason)
    assert (found.threshold is None) == (trap in ("too few rows", "no rows"))


def test_doubled_lognormals_move_once_the_reference_says_how_still_it_is():
    windows = [lognormal(1, seed=10 + k) for k in range(8)]
    assert one(lognormal(1, 0), lognormal(2, 1), windows=windows).reason == "psi"
    assert not one(lognormal(1, 0), lognormal(1, 1), windows=windows).moved
    # Uncalibrated, a PSI of 0.05 is less than the customary limit.
    assert not one(lognormal(1, 0), lognormal(2, 1)).moved


def test_no_alarm_on_200000_rows_of_nothing_at_all_with_up_to_500_levels():
    rng = np.random.default_rng(3)
    sizes = {"c2": 2, "c20": 20, "c100": 100, "c500": 500}

    def draw():
        return {name: rng.integers(0, size, 200_000).astype(str) for name, size in sizes.items()}

    for found in judged(draw(), draw()).values():
        assert not found.moved
        assert found.score < 0.2


def test_sampled_rows_do_not_pretend_to_be_many():
    known = sketch(pl.DataFrame({"x": normal()}))
    few = pl.DataFrame({"x": normal(0.5, seed=1, n=400)})
    now = count(known, few, weights=pl.Series([100.0] * 400))
    (found,) = judge([measure("x", known["x"], now["x"])])
    assert found.threshold is None
    assert found.n == 400


def draws(rng, restless, n=700, columns=12, shift=0.0):
    return pl.DataFrame(
        {f"x{at}": rng.normal(shift + restless * rng.normal(), 1, n) for at in range(columns)}
    )


@pytest.mark.parametrize("restless", [0.0, 0.3])
def test_rate_of_false_alarms_and_power_over_calibrated_windows(restless):
    rng = np.random.default_rng(4)
    wrong, tries, right, shift = 0, 20, 0, 6 * restless or 0.4
    for _ in range(tries):
        days = [draws(rng, restless) for _ in range(10)]
        known = sketch(pl.concat(days))
        base = calibrate(known, [count(known, day) for day in days])
        still, moved = (
            judge([measure(c, known[c], now[c], baseline=base[c]) for c in known])
            for now in (count(known, draws(rng, restless)), count(known, draws(rng, restless, shift=shift)))
        )  # fmt: skip
        wrong += any(each.moved for each in still)
        right += sum(each.moved for each in moved)
    # Families with any false alarm: at most 5 % of 20 nominally, plus what chance adds.
    assert wrong <= 3
    # Six of the deviations between ten windows: a t of nine degrees asks for five and a half at these limits.
    assert right > (0.55 if restless else 0.8) * tries * 12


def test_the_reference_decides_what_is_usual():
    rng = np.random.default_rng(5)
    restless = [rng.normal(rng.normal(0, 0.5), 1, 2000) for _ in range(12)]
    calm = [rng.normal(0, 1, 2000) for _ in range(12)]
    now = rng.normal(0.5, 1, 2000)
    assert not one(np.concatenate(restless), now, windows=restless).moved
    found = one(np.concatenate(calm), now, windows=calm)
    assert found.moved
    assert found.score == pytest.approx(found.psi / found.threshold, rel=0.01)


def test_one_bad_day_in_the_reference_does_not_make_it_blind():
    rng = np.random.default_rng(6)
    spoilt = [*(rng.normal(0, 1, 1000) for _ in range(29)), rng.normal(5, 1, 1000)]
    known = sketch(pl.DataFrame({"x": np.concatenate(spoilt)}))
    base = calibrate(known, [count(known, pl.DataFrame({"x": day})) for day in spoilt])
    assert base["x"].psi.windows == 29
    for shift, moved in ((0.0, False), (1.0, True)):
        now = count(known, pl.DataFrame({"x": rng.normal(shift, 1, 1000)}))
        (found,) = judge([measure("x", known["x"], now["x"], baseline=base["x"])])
        assert found.moved == moved


@given(st.lists(st.floats(0, 1), max_size=40), st.floats(0.01, 0.3))
def test_discoveries_are_those_of_benjamini_and_hochberg(p, rate):
    found = discoveries(p, rate)
    if p:
        adjusted = false_discovery_control(p)
        sure = np.abs(adjusted - rate) > 1e-9
        assert np.array_equal(found[sure], (adjusted <= rate)[sure])
    assert len(found) == len(p)


def test_the_report_says_how_much_moved_and_how_much_that_matters():
    known = sketch(pl.DataFrame({"a": normal(), "b": normal(seed=1), "score": normal(seed=2)}))
    now = count(
        known, pl.DataFrame({"a": normal(2.0, seed=3), "b": normal(seed=4), "score": normal(2.0, seed=5)})
    )
    weight = {"a": 1.0, "b": 3.0, "score": 1.0}
    rows = [
        measure(c, known[c], now[c], weight=weight[c], kind="prediction" if c == "score" else "feature")
        for c in known
    ]
    day = Window(start=START, end=START + DAY)
    report = report_of("delay", day, day, judge(rows))
    assert (report.share_moved, report.weighted) == (0.5, 0.25)
    assert [each.moved for each in report.features if each.kind == "prediction"] == [True]
    assert report_of("delay", day, day, []).share_moved == 0.0


def hours(known, start, count_of_days, shift):
    """Counted hours; ``shift`` tells the mean of an instant."""
    rng = np.random.default_rng(7)
    return [
        Part(
            window=Window(start=at, end=at + HOUR),
            sketches=count(known, pl.DataFrame({"x": rng.normal(shift(at), 1, 60)})),
        )
        for at in (start + HOUR * k for k in range(24 * count_of_days))
    ]


def judged_in_season(known, parts, window, rows, **where):
    season = same_season(window, known, **where)
    now = count(known, pl.DataFrame({"x": rows}))
    base = calibrate(known, [each.sketches for each in tiled(parts, window.end - window.start, known)])
    (found,) = judge(
        [
            measure("x", known["x"], now["x"], baseline=base.get("x"), season=season.season.value if season else "",
                    seasonal=season.sketches["x"] if season else None)
        ]
    )  # fmt: skip
    return found


def test_nights_and_sundays_are_no_news_and_a_warm_sunday_is():
    def sunday(at):
        return 3.0 if at.weekday() == 6 else 0.0

    rng = np.random.default_rng(8)
    rows = np.concatenate([rng.normal(sunday(START + DAY * k), 1, 1440) for k in range(28)])
    known = sketch(pl.DataFrame({"x": rows}))
    parts = hours(known, START, 28, sunday)
    window = Window(start=START + 41 * DAY, end=START + 42 * DAY)
    assert window.start.weekday() == 6
    usual = judged_in_season(known, parts, window, rng.normal(3, 1, 1440), within=parts)
    assert (usual.moved, usual.season) == (False, Season.WEEKDAY)
    assert usual.psi > 1 > 0.05 > usual.seasonal_psi
    odd = judged_in_season(known, parts, window, rng.normal(7, 1, 1440), within=parts)
    assert odd.moved
    # A Monday that looks like a Sunday is news only for who looks at Mondays.
    monday = Window(start=window.end, end=window.end + DAY)
    assert same_season(monday, known, within=parts).windows == 4 * 24
    nights = Window(start=window.end, end=window.end + 6 * HOUR)
    assert same_season(nights, known, within=parts).season is Season.WEEKDAY
    assert same_season(nights, known, within=parts[: 6 * 24]).season is Season.HOUR


def test_winter_is_no_news_where_there_was_one_before():
    rng = np.random.default_rng(9)
    known = sketch(pl.DataFrame({"x": rng.normal(0, 1, 5000)}))
    parts = hours(known, START, 10, lambda at: 0.0)
    winter = hours(known, START + 300 * DAY, 14, lambda at: -4.0)
    window = Window(start=START + (300 + 364 + 6) * DAY, end=START + (300 + 364 + 7) * DAY)
    cold = rng.normal(-4, 1, 2000)
    assert judged_in_season(known, parts, window, cold).reason == "psi"
    again = judged_in_season(known, parts, window, cold, history=winter)
    assert (again.moved, again.season) == (False, Season.YEAR)
    assert judged_in_season(known, parts, window, cold - 4, history=winter).moved
    assert same_season(window, known, history=winter[:3]) is None


def test_windows_of_the_reference_are_as_long_as_asked():
    known = sketch(pl.DataFrame({"x": normal()}))
    parts = hours(known, START, 3, lambda at: 0.0)
    days = tiled(parts, DAY, known)
    assert [each.window.start for each in days] == [START, START + DAY, START + 2 * DAY]
    assert [each.rows for each in days] == [1440] * 3
    assert len(tiled(parts, 5 * HOUR, known)) == 14
    assert tiled([], DAY, known) == []


def test_limits_can_be_told():
    still, moved = normal(), normal(0.2, seed=1)
    assert not judged({"x": still}, {"x": moved})["x"].moved
    assert judged({"x": still}, {"x": moved}, rules=Rules(psi=0.02))["x"].moved
