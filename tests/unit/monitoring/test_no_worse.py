"""No worse overall, in calibration and in slices: closed forms, and how often each gate errs where it may not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.model.evidence import Outcome
from mlwright.stages.monitoring.no_worse import (
    Difference,
    Pair,
    Slice,
    calibration_difference,
    holm,
    metric_difference,
    no_worse,
    slice_findings,
)


def logistic(logits):
    return 1 / (1 + np.exp(-logits))


def world(random, days=22, per=150, spread=0.3):
    """Logits, outcomes and days: each day has a mood of its own."""
    day = np.repeat(np.arange(days), per)
    logits = random.normal(-1.2, 1.2, days * per) + random.normal(0, spread, days)[day]
    return logits, (random.random(days * per) < logistic(logits)).astype(float), day


def difference(lower, upper, days=20):
    return Difference(value=(lower + upper) / 2, lower=lower, upper=upper, rows=1000, days=days)


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (difference(-0.01, 0.03), Outcome.PASSED),
        (difference(-0.011, 0.03), Outcome.UNKNOWN),
        (difference(-0.05, -0.02), Outcome.FAILED),
        (difference(-0.05, -0.01), Outcome.UNKNOWN),
        (difference(0.5, 0.6, days=4), Outcome.UNKNOWN),
    ],
)
def test_no_worse_has_to_be_shown(found, outcome):
    assert no_worse(found, 0.01) is outcome


def test_bounds_of_a_metric_are_those_of_students_t_over_days():
    # One row a day: the clustered error is the plain standard error of the mean, and t(0.95, 3) is 2.353.
    pair = Pair(
        labels=[0, 0, 0, 0], candidate=[0.0, 0.0, 0.0, 0.0], champion=[0.1, 0.2, 0.3, 0.4], clusters=range(4)
    )
    gains = np.array([0.01, 0.04, 0.09, 0.16])
    found = metric_difference(pair, "brier", 0.95)
    assert found.value == pytest.approx(gains.mean())
    assert found.value - found.lower == pytest.approx(2.3533634 * gains.std(ddof=1) / 2)
    assert (found.rows, found.days) == (4, 4)


def test_calibration_of_a_model_against_itself_is_no_difference():
    logits, labels, days = world(np.random.default_rng(1))
    scores = logistic(logits)
    found = calibration_difference(
        Pair(labels=labels, candidate=scores, champion=scores, clusters=days), 0.95
    )
    assert (found.value, found.lower, found.upper) == (0, 0, 0)


def test_calibration_is_measured_in_units_of_the_brier_score():
    # Every score is 0.1 too high for the candidate and right for the champion: reliabilities 0.01 and 0.
    labels = np.tile([0.0, 0.0, 0.0, 0.0, 1.0], 400)
    days = np.arange(2000) // 100
    pair = Pair(labels=labels, candidate=np.full(2000, 0.3), champion=np.full(2000, 0.2), clusters=days)
    found = calibration_difference(pair, 0.95)
    assert (found.value, found.lower, found.upper) == pytest.approx((-0.01, -0.01, -0.01))


def test_noise_in_the_bins_is_not_taken_for_bad_calibration():
    """Raw reliability of few rows is far above 0; two models that are both right must not look different on average."""
    random = np.random.default_rng(7)
    share = logistic(world(random, days=2000)[0]).mean()
    values = []
    for _ in range(60):
        logits, labels, days = world(random, per=40)
        # The champion says the same to all: it has one bin and little noise, the candidate ten.
        champion = np.full(len(labels), share)
        found = calibration_difference(
            Pair(labels=labels, candidate=logistic(logits), champion=champion, clusters=days), 0.95
        )
        values.append(found.value)
    raw = 10 * 0.15 / (22 * 40)
    assert abs(np.mean(values)) < 0.25 * raw


def test_the_calibration_gate_passes_a_worse_candidate_no_more_often_than_it_says():
    """At the very limit: the candidate is worse by the tolerance, so passing it is an error, at most 1 in 20."""
    logits, _, day = world(np.random.default_rng(99), days=2000, per=60)
    sure = Pair(
        labels=logistic(logits), candidate=logistic(logits + 0.35), champion=logistic(logits), clusters=day
    )
    tolerance = -calibration_difference(sure, 0.95).value
    assert tolerance == pytest.approx(0.004, abs=0.0005)
    random = np.random.default_rng(3)
    passed = 0
    for _ in range(200):
        logits, labels, days = world(random)
        pair = Pair(
            labels=labels, candidate=logistic(logits + 0.35), champion=logistic(logits), clusters=days
        )
        passed += no_worse(calibration_difference(pair, 0.95), tolerance) is Outcome.PASSED
    # Binomial: more than 18 of 200 at a rate of 0.05 happens once in 180 times; the seed is fixed.
    assert 1 <= passed <= 18


@pytest.mark.parametrize("metric", ["auc", "brier"])
def test_the_slice_gate_refuses_an_equal_candidate_no_more_often_than_it_says(metric):
    """Two models of equal worth, ten slices, no tolerance: any slice that is called worse is a false alarm."""
    random = np.random.default_rng(5)
    refused = 0
    for _ in range(200):
        logits, labels, days = world(random, days=14, per=300)
        slices = [
            Slice(column="s", value=str(each), rows=np.arange(len(labels)) % 10 == each) for each in range(10)
        ]
        noisy = [logistic(logits + random.normal(0, 0.7, len(labels))) for _ in range(2)]
        pair = Pair(labels=labels, candidate=noisy[0], champion=noisy[1], clusters=days)
        found = slice_findings(pair, slices, metric=metric, tolerance=0.0, level=0.95, min_rows=200)
        refused += any(each.worse for each in found)
    assert 1 <= refused <= 18


def test_a_slice_in_which_the_candidate_is_blind_is_found():
    random = np.random.default_rng(6)
    logits, labels, days = world(random, days=14, per=300)
    blind = np.arange(len(labels)) % 10 == 3
    scores = logistic(np.where(blind, random.normal(size=len(labels)), logits))
    slices = [
        Slice(column="s", value=str(each), rows=np.arange(len(labels)) % 10 == each) for each in range(10)
    ]
    pair = Pair(labels=labels, candidate=scores, champion=logistic(logits), clusters=days)
    found = slice_findings(pair, slices, metric="auc", tolerance=0.03, level=0.95, min_rows=200)
    assert [each.name for each in found if each.worse] == ["s=3"]


def test_a_slice_with_too_little_is_not_judged_and_says_why():
    logits, labels, days = world(np.random.default_rng(2), days=6, per=100)
    rows = np.arange(600)
    slices = [
        Slice(column="s", value="few", rows=rows < 199),
        Slice(column="s", value="three days", rows=rows >= 350),
        Slice(column="s", value="one class", rows=labels == 1),
    ]
    pair = Pair(labels=labels, candidate=logistic(logits), champion=logistic(logits), clusters=days)
    found = slice_findings(pair, slices, metric="auc", tolerance=0.0, level=0.95, min_rows=100)
    assert [each.difference for each in found] == [None, None, None]
    assert found[0].why.startswith("rows of 2 days")
    assert found[1].why.startswith("rows of 3 days")
    assert "one class" in found[2].why
    assert not any(each.worse for each in found)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(values):
    adjusted = holm(values)
    assert all(before <= after <= 1 for before, after in zip(values, adjusted, strict=True))
    order = np.argsort(values, kind="stable")
    assert all(a <= b for a, b in zip(np.array(adjusted)[order], np.array(adjusted)[order][1:], strict=False))
    assert max(adjusted, default=0) <= 1


def test_holm_as_in_the_book():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
