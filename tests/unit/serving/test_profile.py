"""The arithmetic of profiles, held against closed forms and against SciPy's own fits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from mlwright.model.profiles import MOST_SAMPLES, Line, LoadPoint, Samples, Scalability
from mlwright.stages.serving.profile import advise, fit_line, fit_scalability, growth, kept, rows_for

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def law(n, gamma, alpha, beta):
    return gamma * n / (1 + alpha * (n - 1) + beta * n * (n - 1))


def points(rates, counts=(1, 2, 4, 8, 16, 32)) -> list[LoadPoint]:
    return [
        LoadPoint(
            connections=int(n), requests=round(rate * 1000), seconds=1000.0, cpu_s=None, p50_s=0.0, p99_s=0.0
        )
        for n, rate in zip(counts, rates, strict=True)
    ]


def samples(rows, seconds):
    return Samples(rows=rows, seconds=(seconds,) * 10, measured=10)


@given(st.floats(1e-6, 1e-2), st.floats(1e-8, 1e-3))
def test_a_line_is_found_again(alpha, beta) -> None:
    found = fit_line(SIZES, [alpha + beta * rows for rows in SIZES])
    assert found.alpha_s == pytest.approx(alpha, rel=1e-4, abs=beta * 1e-3)
    assert found.beta_s == pytest.approx(beta, rel=1e-4, abs=alpha * 1e-5)


def test_a_noisy_line_is_the_one_that_scipy_finds() -> None:
    random = np.random.default_rng(3)
    times = np.array([2e-4 + 1e-5 * rows for rows in SIZES]) * random.uniform(0.9, 1.1, len(SIZES))
    expected, _ = curve_fit(lambda rows, a, b: a + b * rows, SIZES, times, [1e-4, 1e-5], sigma=times)
    found = fit_line(SIZES, times.tolist())
    assert (found.alpha_s, found.beta_s) == pytest.approx(tuple(expected), rel=1e-6)


def test_neither_part_of_a_line_is_below_nothing() -> None:
    assert fit_line((1, 2, 4), [4e-3, 2e-3, 1e-3]).beta_s == 0.0
    assert fit_line((1, 10, 100), [1e-3, 2e-2, 3e-1]).alpha_s == 0.0
    assert fit_line((8,), [2e-3]) == Line(alpha_s=2e-3, beta_s=0.0)
    for rows, seconds in (((), ()), ((1, 2), (1.0,)), ((1,), (0.0,))):
        with pytest.raises(ValueError, match="above 0"):
            fit_line(rows, seconds)


def test_the_knee_has_half_of_the_highest_throughput() -> None:
    line = Line(alpha_s=2e-3, beta_s=1e-4)
    assert line.knee == pytest.approx(20.0)
    assert line.knee / (line.alpha_s + line.beta_s * line.knee) == pytest.approx(line.most_rows_s / 2)
    assert rows_for(line, 0.9) == pytest.approx(180.0)
    assert 180 / line.seconds(180) == pytest.approx(0.9 * line.most_rows_s)
    flat = Line(alpha_s=1e-3, beta_s=0.0)
    assert flat.knee == flat.most_rows_s == rows_for(flat, 0.5) == math.inf


@given(st.floats(10, 1e5), st.floats(0, 0.5), st.floats(1e-5, 0.05))
def test_a_scalability_law_is_found_again(gamma, alpha, beta) -> None:
    counts = (1, 2, 4, 8, 16, 32)
    found = fit_scalability(points([law(n, gamma, alpha, beta) for n in counts]))
    assert found is not None
    assert found.gamma == pytest.approx(gamma, rel=2e-3)
    assert found.alpha == pytest.approx(alpha, rel=2e-2, abs=2e-3)
    assert found.beta == pytest.approx(beta, rel=2e-2, abs=2e-5)
    assert found.error < 1e-3


def test_a_noisy_law_is_the_one_that_scipy_finds() -> None:
    random = np.random.default_rng(5)
    counts = np.array([1, 2, 4, 8, 16, 32], dtype=float)
    rates = law(counts, 900.0, 0.08, 0.002) * random.uniform(0.95, 1.05, len(counts))
    expected, _ = curve_fit(law, counts, rates, [800, 0.1, 0.001], sigma=rates)
    found = fit_scalability(points(rates))
    assert (found.gamma, found.alpha, found.beta) == pytest.approx(tuple(expected), rel=2e-3)
    assert found.peak == pytest.approx(math.sqrt((1 - expected[1]) / expected[2]), rel=2e-3)


def test_the_peak_of_the_law_is_where_no_neighbour_is_higher() -> None:
    found = Scalability(gamma=500.0, alpha=0.1, beta=0.004, error=0.0)
    assert found.peak == pytest.approx(15.0)
    assert found.rate(15.0) > max(found.rate(14.5), found.rate(15.5))
    assert Scalability(gamma=1.0, alpha=0.1, beta=0.0, error=0.0).peak is None


def test_too_few_points_fit_no_law() -> None:
    assert fit_scalability(points([10.0, 19.0], (1, 2))) is None
    assert fit_scalability(points([10.0, 0.0, 0.0], (1, 2, 4))) is None


def test_a_process_that_grows_is_seen() -> None:
    def point(rss):
        return LoadPoint(connections=1, requests=2000, seconds=1, cpu_s=1, p50_s=1, p99_s=1, rss=rss)

    assert growth([point(each) for each in (9_000, 100_000, 104_000, 108_000)]) == pytest.approx(2_000)
    assert growth([point(None), point(5)]) is None


@given(st.lists(st.floats(1e-6, 10), min_size=1, max_size=900))
def test_few_samples_are_kept_and_the_ends_among_them(seconds) -> None:
    found = kept(4, seconds)
    assert len(found.seconds) == min(MOST_SAMPLES, len(seconds))
    assert found.measured == len(seconds)
    assert list(found.seconds) == sorted(found.seconds)
    assert found.seconds[0] == pytest.approx(min(seconds), abs=1e-8)
    assert found.quantile(1.0) == pytest.approx(max(seconds), abs=1e-8)


def test_quantiles_are_of_the_order() -> None:
    found = kept(1, [float(each) for each in range(1, 101)])
    assert [found.quantile(q) for q in (0.0, 0.5, 0.99, 1.0)] == [1.0, 50.0, 99.0, 100.0]


def test_a_fast_model_is_advised_to_stay_on_the_loop() -> None:
    core = [samples(rows, 4e-5 + 1e-6 * rows) for rows in SIZES]
    found = advise(core, Line(alpha_s=4e-5, beta_s=1e-6), latency_s=0.25, auto="inline")
    assert (found.mode, found.auto, found.max_rows, found.meets) == ("inline", "inline", 256, True)
    assert found.rows_s == pytest.approx(256 / (4e-5 + 256e-6))


def test_larger_batches_than_pay_are_not_advised() -> None:
    core = [samples(rows, 1e-3 + 1e-3 * rows) for rows in SIZES]
    found = advise(core, Line(alpha_s=1e-3, beta_s=1e-3), latency_s=10.0)
    assert found.mode == "thread"
    assert found.max_rows == 16


def test_two_batches_have_to_fit_the_promise() -> None:
    core = [samples(rows, 4e-3 + 1e-3 * rows) for rows in SIZES]
    line = Line(alpha_s=4e-3, beta_s=1e-3)
    assert advise(core, line, latency_s=0.04).max_rows == 16
    assert advise(core, line, latency_s=0.039).max_rows == 8
    broken = advise(core, line, latency_s=0.005)
    assert (broken.meets, broken.rows_s) == (False, 0.0)
    assert "no batch size" in broken.why
