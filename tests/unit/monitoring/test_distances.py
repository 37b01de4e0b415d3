"""Distances of two sketches against scipy, closed forms and the exact distances of the rows."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, ks_2samp, norm, wasserstein_distance

from mlwright.stages.monitoring.counting import recount, sketch
from mlwright.stages.monitoring.distances import (
    chi_square,
    hellinger,
    jensen_shannon,
    kolmogorov_smirnov,
    l_infinity,
    psi_noise,
    spread,
    wasserstein,
)

N = 100_000


def pair(reference, current):
    """Both sides counted into the bins of the first."""
    known = sketch(pl.DataFrame({"x": reference}))["x"]
    return known, recount(known, pl.Series(current))


def normal(shift=0.0, seed=0, n=N):
    return np.random.default_rng(seed).normal(shift, 1.0, n)


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.1, 1.0])
def test_shifted_normals_are_as_far_apart_as_the_closed_forms_say(shift):
    known, moved = pair(normal(), normal(shift, seed=1))
    steps, area = kolmogorov_smirnov(known, moved), wasserstein(known, moved)
    assert steps.value == pytest.approx(2 * norm.cdf(shift / 2) - 1, abs=0.006)
    assert area.value == pytest.approx(shift, abs=0.01)
    assert area.value / spread(known) == pytest.approx(shift, abs=0.015)
    exact = ks_2samp(normal(), normal(shift, seed=1)).statistic
    assert steps.value <= exact + 1e-12
    assert exact <= steps.value + steps.error + 1e-12
    assert steps.error <= 0.0101


def test_scaled_lognormals_with_their_heavy_tails():
    rng = np.random.default_rng(2)
    before, after = np.exp(3 * rng.normal(size=N)), 2 * np.exp(3 * rng.normal(size=N))
    known, moved = pair(before, after)
    assert kolmogorov_smirnov(known, moved).value == pytest.approx(2 * norm.cdf(np.log(2) / 6) - 1, abs=0.01)
    area = wasserstein(known, moved)
    exact = wasserstein_distance(before, after)
    assert area.value <= exact * (1 + 1e-6)
    assert exact <= (area.value + area.error) * (1 + 1e-6)


numbers = st.lists(
    st.one_of(st.floats(-4, 4, width=16), st.just(0.0), st.sampled_from([1e6, -1e6])), min_size=1, max_size=60
)


@settings(max_examples=60)
@given(numbers, numbers)
def test_ks_and_wasserstein_hold_what_their_bounds_promise(reference, current):
    known, moved = pair(reference, current)
    steps, area = kolmogorov_smirnov(known, moved), wasserstein(known, moved)
    at = np.float32([*reference, *current])[:, None]
    exact = np.abs(
        (np.float32(reference) <= at).mean(axis=1) - (np.float32(current) <= at).mean(axis=1)
    ).max()
    assert steps.value - 1e-12 <= exact <= steps.value + steps.error + 1e-12
    exact = wasserstein_distance(reference, current)
    assert area.value - 1e-3 <= exact * (1 + 1e-6)
    assert exact <= (area.value + area.error) * (1 + 1e-6) + 1e-3


@given(numbers)
def test_what_stayed_is_no_distance_away(rows):
    known, same = pair(rows, rows)
    assert kolmogorov_smirnov(known, same).value == 0.0
    assert wasserstein(known, same).value == 0.0


def test_infinite_values_have_mass_but_no_length():
    known, moved = pair(normal(), np.append(normal(seed=1), [np.inf] * 1000))
    assert wasserstein(known, moved).value < 0.02
    assert moved.infinite == (0.0, 1000.0)
    assert kolmogorov_smirnov(known, moved).value == pytest.approx(0.0099, abs=0.004)


def test_where_there_is_nothing_to_measure_nothing_is_said():
    known, none = pair([1.0, 2.0], [None, None])
    assert kolmogorov_smirnov(known, none) is None
    assert wasserstein(known, none) is None
    words, others = pair(["a", "b"], ["a", "c"])
    assert kolmogorov_smirnov(words, others) is None
    assert wasserstein(words, others) is None
    assert spread(pair([3.0] * 10, [3.0])[0]) is None
    assert spread(pair([3.0] * 90 + [4.0] * 10, [3.0])[0]) == pytest.approx(0.3)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=20), st.data())
def test_chi_square_is_that_of_two_samples(p, data):
    q = data.draw(st.lists(st.integers(0, 50), min_size=len(p), max_size=len(p)))
    table = np.array([p, q])
    held = table[:, table.sum(axis=0) > 0]
    found = chi_square(p, q)
    if held.shape[1] < 2 or (held.sum(axis=1) == 0).any():
        assert found.freedom == 0
        return
    theirs = chi2_contingency(held, correction=False)
    assert found.statistic == pytest.approx(theirs.statistic)
    assert found.freedom == theirs.dof
    assert found.cramers_v == pytest.approx(np.sqrt(theirs.statistic / held.sum()))
    shares = np.array([p / np.sum(p), q / np.sum(q)])
    assert l_infinity(p, q) == pytest.approx(np.abs(shares[0] - shares[1]).max())
    assert hellinger(p, q) == pytest.approx(
        np.sqrt(max(1 - np.sqrt(shares[0] * shares[1]).sum(), 0)), abs=1e-7
    )
    assert hellinger(p, q) ** 2 <= jensen_shannon(p, q) * np.sqrt(2) + 1e-9


def test_levels_without_a_common_one_are_as_far_apart_as_can_be():
    assert (hellinger([5, 0], [0, 9]), jensen_shannon([5, 0], [0, 9]), l_infinity([5, 0], [0, 9])) == (
        1,
        1,
        1,
    )
    assert chi_square([5, 0], [0, 9]).cramers_v == 1.0
    assert (hellinger([5], [0]), l_infinity([0, 0], [1, 1])) == (0.0, 0.0)


def test_the_noise_of_psi_is_yurdakuls():
    # The table of peers: 10, 100 and 500 bins at 200,000 rows each.
    for bins, expected in ((10, 0.00009), (100, 0.00099), (500, 0.00499)):
        assert psi_noise(bins, 200_000, 200_000)[0] == pytest.approx(expected)
    assert psi_noise(11, 100, 100) == (pytest.approx(0.2), pytest.approx(np.sqrt(20) / 50))
