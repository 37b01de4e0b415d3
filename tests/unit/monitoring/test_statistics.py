"""Quality statistics against scikit-learn, scipy, direct implementations and simulation."""

from math import inf, isinf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import brier_score_loss, roc_auc_score

from mlwright.stages.monitoring.statistics import (
    auc_clustered,
    brier_clustered,
    calibration_error,
    normal_interval,
)


def delong_variance(labels, scores):
    """DeLong, DeLong and Clarke-Pearson (1988), pair by pair."""
    x, y = scores[labels == 1], scores[labels == 0]
    kernel = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    return kernel.mean(axis=1).var(ddof=1) / len(x) + kernel.mean(axis=0).var(ddof=1) / len(y)


def obuchowski_variance(labels, scores, clusters):
    """Obuchowski (1997), equations 4 to 7, cluster by cluster."""
    x, y = scores[labels == 1], scores[labels == 0]
    kernel = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    theta, m, n = kernel.mean(), len(x), len(y)
    v10, v01 = kernel.mean(axis=1), kernel.mean(axis=0)
    in_x, in_y = clusters[labels == 1], clusters[labels == 0]
    names = sorted(set(clusters))
    a = np.array([(v10[in_x == name] - theta).sum() for name in names])
    b = np.array([(v01[in_y == name] - theta).sum() for name in names])
    i10, i01, i = len(set(in_x)), len(set(in_y)), len(names)
    s10 = i10 / ((i10 - 1) * m) * (a**2).sum()
    s01 = i01 / ((i01 - 1) * n) * (b**2).sum()
    s11 = i / (i - 1) * (a * b).sum()
    return s10 / m + s01 / n + 2 * s11 / (m * n)


def sample(seed, n=300, ties=False):
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.3).astype(float)
    scores = rng.normal(labels, 1.0)
    return labels, np.round(scores) if ties else scores, rng


@pytest.mark.parametrize("ties", [False, True])
def test_auc_is_that_of_sklearn_and_of_mann_whitney(ties):
    labels, scores, _ = sample(1, ties=ties)
    area, _ = auc_clustered(labels, scores, np.arange(len(labels)))
    assert area == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    u = stats.mannwhitneyu(scores[labels == 1], scores[labels == 0]).statistic
    assert area == pytest.approx(u / ((labels == 1).sum() * (labels == 0).sum()), abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_with_one_row_a_cluster_the_variance_is_delongs(ties):
    labels, scores, _ = sample(2, ties=ties)
    _, error = auc_clustered(labels, scores, np.arange(len(labels)))
    assert error**2 == pytest.approx(delong_variance(labels, scores), rel=1e-10)


def test_with_clusters_the_variance_is_obuchowskis():
    labels, scores, rng = sample(3, ties=True)
    clusters = rng.integers(0, 12, len(labels))
    _, error = auc_clustered(labels, scores, clusters)
    assert error**2 == pytest.approx(obuchowski_variance(labels, scores, clusters), rel=1e-10)


def test_repeating_every_row_in_its_cluster_adds_no_certainty():
    labels, scores, _ = sample(4)
    once = auc_clustered(labels, scores, np.arange(300))
    thrice = auc_clustered(np.tile(labels, 3), np.tile(scores, 3), np.tile(np.arange(300), 3))
    assert thrice == pytest.approx(once, rel=1e-9)


def test_one_class_has_no_auc_and_one_cluster_no_error():
    assert auc_clustered([1, 1], [0.2, 0.3], [0, 1]) is None
    assert auc_clustered([], [], []) is None
    area, error = auc_clustered([1, 0, 0], [0.9, 0.1, 0.9], [0, 0, 1])
    assert area == 0.75
    assert isinf(error)


def simulate(rng, days=30, rows=24, spread=0.7):
    """Days that shift positives and negatives apart or together: the day decides how easy it is."""
    day = np.repeat(np.arange(days), rows)
    labels = (rng.random(days * rows) < 0.4).astype(float)
    ease = rng.normal(0, spread, days)[day]
    return labels, rng.normal(labels * (1 + ease), 1.0), day


def test_clustered_interval_covers_at_its_level_and_the_row_wise_one_does_not():
    rng = np.random.default_rng(5)
    draws = [simulate(rng) for _ in range(400)]
    truth = np.mean([auc_clustered(*draw)[0] for draw in draws])
    hits = {"clustered": 0, "rows": 0}
    for labels, scores, day in draws:
        area, error = auc_clustered(labels, scores, day)
        low, high = normal_interval(area, error, 0.9, clusters=30)
        hits["clustered"] += low <= truth <= high
        area, error = auc_clustered(labels, scores, np.arange(len(day)))
        low, high = normal_interval(area, error, 0.9)
        hits["rows"] += low <= truth <= high
    # 400 draws: the standard deviation of a share of 0.9 is 0.015.
    assert 0.85 <= hits["clustered"] / 400 <= 0.95
    assert hits["rows"] / 400 < 0.8


def test_brier_is_that_of_sklearn_with_the_error_of_a_mean():
    labels, scores, _ = sample(6)
    scores = 1 / (1 + np.exp(-scores))
    brier, error = brier_clustered(labels, scores, np.arange(300))
    assert brier == pytest.approx(brier_score_loss(labels, scores), abs=1e-12)
    assert error == pytest.approx(stats.sem((labels - scores) ** 2), rel=1e-10)


def test_brier_of_equal_clusters_has_the_error_of_the_mean_of_their_means():
    labels, scores, _ = sample(7)
    day = np.repeat(np.arange(15), 20)
    _, error = brier_clustered(labels, scores, day)
    means = ((labels - scores) ** 2).reshape(15, 20).mean(axis=1)
    assert error == pytest.approx(stats.sem(means), rel=1e-10)
    assert brier_clustered([], [], []) is None
    assert isinf(brier_clustered([1.0], [0.5], ["monday"])[1])


def test_interval_uses_normal_or_student_quantiles_and_stays_in_range():
    assert normal_interval(0.5, 0.1, 0.95) == pytest.approx((0.5 - 1.959964 * 0.1, 0.5 + 1.959964 * 0.1))
    half = stats.t.ppf(0.95, 4) * 0.1
    assert normal_interval(0.5, 0.1, 0.9, clusters=5) == pytest.approx((0.5 - half, 0.5 + half))
    assert normal_interval(0.99, 0.1, 0.9)[1] == 1.0
    assert normal_interval(3.0, 1.0, 0.9, clip=(-inf, inf))[0] == pytest.approx(3 - 1.644854)
    assert normal_interval(0.5, inf, 0.9) == (0.0, 1.0)
    assert normal_interval(0.5, 0.0, 0.9, clusters=1) == (0.0, 1.0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        normal_interval(0.5, 0.1, 90)


def test_calibration_error_by_hand():
    # Two bins of equal mass: (0 + 1) / 2 - 0.2 = 0.3 and 1 - 0.8 = 0.2.
    assert calibration_error([0, 1, 1, 1], [0.2, 0.2, 0.8, 0.8], bins=2) == pytest.approx(0.25)
    assert calibration_error([0, 1, 1, 1], [0.5, 0.5, 0.5, 0.5]) == pytest.approx(0.25)
    assert calibration_error([], []) is None


def test_calibration_error_is_small_for_true_probabilities_and_is_the_bias_for_shifted_ones():
    rng = np.random.default_rng(8)
    truth = rng.uniform(0.2, 0.8, 50_000)
    labels = rng.random(50_000) < truth
    assert calibration_error(labels, truth) < 0.01
    assert calibration_error(labels, truth + 0.15) == pytest.approx(0.15, abs=0.01)


rows = st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=60)


@given(rows, st.randoms(use_true_random=False))
def test_results_do_not_depend_on_the_order_of_rows(table, random):
    mixed = list(table)
    random.shuffle(mixed)
    for measure in (
        auc_clustered,
        brier_clustered,
        lambda label, score, _: (calibration_error(label, score), 0),
    ):
        one, other = (
            measure([r[0] for r in t], [r[1] / 5 for r in t], [r[2] for r in t]) for t in (table, mixed)
        )
        assert (one is None) == (other is None)
        if one is not None:
            assert other == pytest.approx(one, abs=1e-9)


@given(rows)
def test_turning_scores_around_turns_the_auc_around(table):
    label, score, day = ([row[k] for row in table] for k in range(3))
    there = auc_clustered(label, score, day)
    back = auc_clustered(label, [-s for s in score], day)
    if there is not None:
        assert there[0] + back[0] == pytest.approx(1.0)
        assert back[1] == pytest.approx(there[1], abs=1e-9)


@given(st.integers(2, 500))
def test_constant_scores_know_nothing(n):
    labels = [k % 2 for k in range(n)]
    area, error = auc_clustered(labels, [0.5] * n, range(n))
    assert area == 0.5
    assert error == 0.0 or (isinf(error) and n < 4)
    assert sqrt(0.25) == pytest.approx(sqrt(brier_clustered(labels, [0.5] * n, range(n))[0]))
