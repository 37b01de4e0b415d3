"""Known answers, expectation under the null hypothesis, and false alarms when somebody looks all the time."""

from math import comb, exp, inf, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from mlwright.stages.rollouts.statistics import (
    FIRST_CLUSTERS,
    confidence_sequence,
    e_value,
    half_width,
    log_harm_e_value,
    log_share_e_value,
    mixing_of,
    rows_to_decision,
    share_bounds,
    srm_log_e_value,
)


@pytest.mark.parametrize(("n", "k"), [(0, 0), (1, 1), (10, 3), (10, 9), (60, 40)])
@pytest.mark.parametrize("share", [0.5, 0.1, 0.93])
def test_the_closed_form_is_the_integral_over_the_mixture(n: int, k: int, share: float) -> None:
    def ratio(q: float) -> float:
        return exp(k * log(q / share) + (n - k) * log((1 - q) / (1 - share))) if 0 < q < 1 else 0.0

    mixture = quad(ratio, share, 1, epsabs=0, epsrel=1e-11, limit=500)[0] / (1 - share)
    assert exp(log_share_e_value(k, n, share)) == pytest.approx(mixture, rel=1e-8)


@pytest.mark.parametrize("share", [0.5, 0.05, 0.8])
@pytest.mark.parametrize("n", [1, 7, 80])
def test_the_expectation_under_the_null_hypothesis_is_exactly_one(n: int, share: float) -> None:
    expectation = sum(
        comb(n, k) * share**k * (1 - share) ** (n - k) * exp(log_share_e_value(k, n, share))
        for k in range(n + 1)
    )
    assert expectation == pytest.approx(1, rel=1e-9)


@given(st.integers(0, 3000), st.floats(0, 1), st.floats(0.01, 0.99))
def test_more_bad_events_are_more_evidence_and_never_overflow(n: int, part: float, share: float) -> None:
    k = int(part * n)
    here = log_share_e_value(k, n, share)
    assert np.isfinite(here)
    if k < n:
        assert log_share_e_value(k + 1, n, share) > here


def test_far_tails_agree_with_their_asymptotic_value() -> None:
    # There q near the share has all the weight and e ≈ share / (n·share − k): betaincc underflows.
    assert exp(log_share_e_value(1000, 100_000, 0.5)) == pytest.approx(0.5 / 49_000, rel=0.05)
    assert log_share_e_value(99_000, 100_000, 0.5) == pytest.approx(63_700, rel=0.01)
    assert np.isfinite(e_value(log_share_e_value(99_000, 100_000, 0.5)))
    assert e_value(inf) < inf
    assert e_value(-inf) == 0


@pytest.mark.parametrize(("bad", "total", "share"), [(3, 2, 0.5), (-1, 2, 0.5), (1, 2, 0.0), (1, 2, 1.0)])
def test_impossible_counts_are_refused(bad: int, total: int, share: float) -> None:
    with pytest.raises(ValueError, match=r"cannot be|between 0 and 1"):
        log_share_e_value(bad, total, share)


def _log_table(n: int, share: float) -> np.ndarray:
    table = np.full((n + 1, n + 1), -inf)
    for total in range(1, n + 1):
        for bad in range(total + 1):
            table[total, bad] = log_share_e_value(bad, total, share)
    return table


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_looking_after_every_event_keeps_the_rate_of_false_alarms(share: float) -> None:
    events, runs, alpha = 150, 4000, 0.05
    rng = np.random.default_rng(5)
    bad = np.cumsum(rng.random((runs, events)) < share, axis=1)
    crossed = _log_table(events, share)[np.arange(1, events + 1), bad] >= log(1 / alpha)
    assert crossed.any(axis=1).mean() <= alpha


@pytest.mark.parametrize(
    ("disagreement", "worse", "power", "median"), [(0.08, 0.625, 0.70, 799), (0.04, 0.75, 0.98, 539)]
)
def test_paired_power_of_ten_against_twelve_percent_errors(
    disagreement: float, worse: float, power: float, median: int
) -> None:
    """The figures of the design page: 2,000 requests, alpha 0.05, looking at every one."""
    runs, requests, most = 1000, 2000, 260
    rng = np.random.default_rng(7)
    discordant = rng.random((runs, requests)) < disagreement
    n = np.minimum(np.cumsum(discordant, axis=1), most)
    k = np.minimum(np.cumsum(discordant & (rng.random((runs, requests)) < worse), axis=1), n)
    crossed = _log_table(most, 0.5)[n, k] >= log(20)
    found = crossed.any(axis=1)
    assert found.mean() == pytest.approx(power, abs=0.05)
    # Our simulation gives 885 and 540; the page's 799 came from fewer runs.
    assert np.median(crossed.argmax(axis=1)[found] + 1) == pytest.approx(median, rel=0.15)


def test_harm_is_the_share_test_at_one_half() -> None:
    assert exp(log_harm_e_value(5, 5)) == pytest.approx(2**6 * (1 / 6) * (1 - 0.5**6))


@given(st.integers(1, 500), st.floats(0, 1), st.floats(0.001, 0.2))
def test_share_bounds_hold_the_estimate_and_invert_the_martingale(n: int, part: float, alpha: float) -> None:
    k = int(part * n)
    lower, upper = share_bounds(k, n, alpha)
    assert 0 <= lower <= k / n <= upper <= 1
    for q in (lower, upper):
        if 1e-12 < q < 1 - 1e-12:
            mass = quad(lambda p: p**k * (1 - p) ** (n - k), 0, 1)[0] if n < 30 else None
            if mass is not None:
                assert mass / (q**k * (1 - q) ** (n - k)) == pytest.approx(1 / alpha, rel=1e-3)


def test_share_bounds_without_events_know_nothing() -> None:
    assert share_bounds(0, 0, 0.05) == (0.0, 1.0)


def test_share_bounds_cover_at_all_times_at_once() -> None:
    rng = np.random.default_rng(2)
    truth, alpha, missed = 0.3, 0.1, 0
    for _ in range(150):
        bad = np.cumsum(rng.random(120) < truth)
        bounds = [share_bounds(int(bad[n - 1]), n, alpha) for n in range(1, 121, 3)]
        missed += any(not lower <= truth <= upper for lower, upper in bounds)
    assert missed / 150 <= alpha


def _ever_invalid(share: float, runs: int, units: int, seed: int) -> np.ndarray:
    """The number of assignments after which e reached 1000, or 0; 10 % were intended."""
    rng = np.random.default_rng(seed)
    seen = np.cumsum(rng.random((runs, units)) < share, axis=1)[:, 9::10]
    at = np.arange(10, units + 1, 10)
    found = np.zeros(runs, dtype=np.int64)
    for run in range(runs):
        rough = [
            srm_log_e_value([int(n - k), int(k)], [0.9, 0.1]) for n, k in zip(at, seen[run], strict=True)
        ]
        over = np.flatnonzero(np.array(rough) >= log(1000))
        found[run] = at[over[0]] if over.size else 0
    return found


def test_broken_assignment_is_found_as_fast_as_the_design_page_says() -> None:
    half = _ever_invalid(0.05, 60, 2000, 1)
    assert (half > 0).all()
    assert np.median(half) == pytest.approx(531, rel=0.25)


def test_slightly_broken_assignment_takes_some_thousand_units() -> None:
    # 8 % instead of 10 %: the design page's median is 3,148 assignments.
    logs = [srm_log_e_value([n - round(0.08 * n), round(0.08 * n)], [0.9, 0.1]) for n in (1500, 3148, 5000)]
    assert logs[0] < log(1000) < logs[2]
    assert logs[1] == pytest.approx(log(1000), abs=2.5)


def test_sound_assignment_is_not_called_broken() -> None:
    assert (_ever_invalid(0.1, 60, 2000, 3) == 0).all()


@pytest.mark.parametrize("units", [1, 5, 40])
def test_the_assignment_test_has_expectation_one(units: int) -> None:
    expectation = sum(
        comb(units, k) * 0.1**k * 0.9 ** (units - k) * exp(srm_log_e_value([units - k, k], [0.9, 0.1]))
        for k in range(units + 1)
    )
    assert expectation == pytest.approx(1, rel=1e-9)


def test_shares_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="intended shares"):
        srm_log_e_value([1, 2], [0.5, 0.6])
    with pytest.raises(ValueError, match="intended shares"):
        srm_log_e_value([1, 2], [1.0, 0.0])


def _looks(
    rng: np.random.Generator, *, hours: int, rows: int, shared: float, memory: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Differences whose rows share an hour's effect, which may remember the hour before.

    Returns values, hours, and what each hour was expected to bring given the hours before it.
    """
    effect, expected = rng.normal(0, shared, hours), np.zeros(hours)
    for hour in range(1, hours):
        expected[hour] = memory * effect[hour - 1]
        effect[hour] = expected[hour] + sqrt(1 - memory**2) * effect[hour]
    values = np.clip(np.repeat(effect, rows) + rng.normal(0, 0.1, hours * rows), -1, 1)
    return values, np.repeat(np.arange(hours), rows), expected


def _miss_rates(*, memory: float, runs: int, alpha: float) -> tuple[float, float, float]:
    """How often bounds by hour ever leave out the running expected mean, or the fixed mean 0; and bounds by row."""
    hours, rows = 300, 8
    rng = np.random.default_rng(11)
    running = fixed = by_row = 0
    for _ in range(runs):
        values, clusters, expected = _looks(rng, hours=hours, rows=rows, shared=0.1, memory=memory)
        ends = range(50, hours + 1, 12)
        sequences = [
            confidence_sequence(values[: end * rows], clusters[: end * rows], alpha=alpha, planned=200)
            for end in ends
        ]
        running += any(
            not each.lower <= expected[:end].mean() <= each.upper
            for end, each in zip(ends, sequences, strict=True)
        )
        fixed += any(each.lower > 0 or each.upper < 0 for each in sequences)
        mixing = mixing_of(alpha, 200 * rows)
        by_row += any(
            abs(values[: end * rows].mean() - expected[:end].mean())
            > values[: end * rows].std(ddof=1) * half_width(end * rows, alpha=alpha, mixing=mixing)
            for end in ends
        )
    return running / runs, fixed / runs, by_row / runs


def test_bounds_by_hour_cover_at_all_times_where_bounds_by_row_do_not() -> None:
    running, fixed, by_row = _miss_rates(memory=0.0, runs=250, alpha=0.05)
    assert running == fixed <= 0.05
    assert by_row > 0.15


def test_the_running_mean_is_covered_however_hours_hang_together() -> None:
    running, fixed, by_row = _miss_rates(memory=0.7, runs=250, alpha=0.05)
    assert running <= 0.05
    assert by_row > 0.1
    # The limit that the docstring states: one fixed mean of all weather is not what these bounds are about.
    assert fixed > 0.1


def test_bounds_before_the_fiftieth_hour_are_those_of_the_range() -> None:
    values, clusters, _ = _looks(np.random.default_rng(0), hours=FIRST_CLUSTERS - 1, rows=3, shared=0.1)
    sequence = confidence_sequence(values, clusters, alpha=0.05, planned=100)
    assert (sequence.lower, sequence.upper, sequence.log_e_value) == (-1, 1, 0)
    assert not sequence.started
    assert confidence_sequence(values[:0], clusters[:0], alpha=0.05, planned=100).rows == 0


def test_the_width_is_that_of_the_paper() -> None:
    mixing = mixing_of(0.05, 100)
    assert mixing == pytest.approx(sqrt((-2 * log(0.05) + log(-2 * log(0.05) + 1)) / 100))
    spread = 100 * mixing**2 + 1
    assert half_width(100, alpha=0.05, mixing=mixing) == pytest.approx(
        sqrt(2 * spread / (100**2 * mixing**2) * log(sqrt(spread) / 0.05))
    )
    # The price of looking all the time, against one look with a z-interval: less than twice as wide.
    assert 1.2 < half_width(100, alpha=0.05, mixing=mixing) * 10 / norm.ppf(0.975) < 2


@given(st.floats(-0.2, 0.2), st.integers(60, 200), st.integers(0, 99))
def test_evidence_reaches_one_over_alpha_exactly_when_the_lower_bound_passes_zero(
    shift: float, hours: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values, clusters, _ = _looks(rng, hours=hours, rows=2, shared=0.1)
    sequence = confidence_sequence(values + shift, clusters, alpha=0.05, planned=100)
    assert sequence.lower <= sequence.estimate <= sequence.upper
    if abs(sequence.lower) > 1e-9:
        assert (sequence.log_e_value >= log(20)) == (sequence.lower > 0)


def test_uneven_clusters_use_the_ratio_of_sums() -> None:
    rng = np.random.default_rng(4)
    sizes = rng.integers(1, 20, 80)
    values, clusters = rng.normal(0.1, 0.05, sizes.sum()), np.repeat(np.arange(80), sizes)
    sequence = confidence_sequence(values, clusters, alpha=0.05, planned=100)
    assert sequence.estimate == pytest.approx(values.mean())
    sums = np.array([values[clusters == each].sum() for each in range(80)])
    residuals = (sums - values.mean() * sizes) / sizes.mean()
    assert sequence.scale >= np.std(residuals, ddof=1) - 1e-12
    assert sequence.scale <= 1.6 * np.std(residuals, ddof=1)


def test_the_outlook_is_kept() -> None:
    rng = np.random.default_rng(8)
    values, clusters = rng.normal(0, 0.1, 60 * 5), np.repeat(np.arange(60), 5)
    sequence = confidence_sequence(values - values.mean(), clusters, alpha=0.05, planned=100)
    ahead = rows_to_decision(sequence, 0.01)
    assert ahead is not None
    assert ahead.rows == ahead.clusters * 5
    later = 60 + ahead.clusters
    assert sequence.scale * half_width(later, alpha=0.05, mixing=sequence.mixing) < 0.01
    assert sequence.scale * half_width(later - 1, alpha=0.05, mixing=sequence.mixing) >= 0.01
    assert rows_to_decision(sequence, 0.5).clusters == 0
    assert rows_to_decision(sequence, 0.0) is None
