"""Units: any factor of the table in any heavy-tailed column, and no factor in what merely drifts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.stages.monitoring.diagnosis.units import FACTORS, changes, unit


@settings(max_examples=25, deadline=None)
@given(
    change=st.sampled_from(sorted({(a, b) for a, b, _ in changes() if a > 0})),
    sigma=st.floats(0.5, 2.0),
    scale=st.floats(-8, 8),
    seed=st.integers(0, 99),
)
def test_every_change_of_the_table_is_recognised(change, sigma, scale, seed):
    """One column twice, in two units; an affine change of what lies far from 0 hides in its size."""
    a, b = change
    values = np.exp(np.random.default_rng(seed).normal(scale if b == 0 else 2.0, sigma, 3000))
    found = unit(np.sort(values), np.sort(a * values + b))
    assert found is not None
    assert (found.a, found.b) == pytest.approx((a, b))
    assert found.share == 1.0
    assert found.gap < 0.005


@pytest.mark.parametrize("factor", [100.0, 1000.0, 86400.0])
def test_a_share_of_the_rows_in_another_unit(factor):
    r = np.random.default_rng(3)
    before, now = np.exp(r.normal(2, 0.6, 4000)), np.exp(r.normal(2, 0.6, 4000))
    wrong = r.random(4000) < 0.2
    found = unit(np.sort(before), np.sort(np.where(wrong, now * factor, now)))
    assert found is not None
    assert found.a == factor
    assert found.share == pytest.approx(wrong.mean(), abs=0.02)


def test_smooth_drift_is_no_unit():
    r = np.random.default_rng(5)
    before = np.sort(np.exp(r.normal(0, 1, 4000)))
    for shift in (0.05, 0.3, 0.7, 1.4):
        for wider in (0.8, 1.0, 1.25):
            found = unit(before, np.sort(np.exp(r.normal(shift, wider, 4000))))
            assert found is None, (shift, wider)
    assert unit(before, np.sort(np.exp(r.normal(0, 1, 4000)))) is None


def test_degenerate_columns_have_no_unit():
    some = np.sort(np.random.default_rng(0).normal(size=100))
    for before, now in ((np.zeros(100), some), (some, some[:3]), (np.empty(0), some), (some, np.empty(0))):
        assert unit(before, now) is None
    assert all(factor > 1 for factor in FACTORS)
