"""Units: any factor of the table in any heavy-tailed column, and no factor in what merely drifts."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.stages.monitoring.diagnosis.columns import column
from mlwright.stages.monitoring.diagnosis.units import FACTORS, changes, unit, unit_fault


@settings(max_examples=25, deadline=None)
@given(
    change=st.sampled_from(sorted({(a, b) for a, b, _ in changes() if a > 0})),
    sigma=st.floats(0.5, 1.2),
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


def test_a_part_in_another_unit_of_a_column_with_both_signs():
    """Delays: early ones below 0, late ones with a long tail, whole minutes; 60 moves them out to both sides."""
    r = np.random.default_rng(7)
    before, now = (
        np.round(np.where(r.random(3000) < 0.6, r.normal(-3, 3, 3000), r.exponential(35, 3000) - 5))
        for _ in range(2)
    )
    wrong = r.random(3000) < 0.4
    part = unit(np.sort(before), np.sort(np.where(wrong, now * 60, now)))
    assert part is not None
    assert (part.a, part.folded) == (60.0, True)
    assert part.share == pytest.approx(0.4, abs=0.06)
    everywhere = unit(np.sort(before), np.sort(now * 60))
    assert everywhere is not None
    assert (everywhere.a, everywhere.share) == (60.0, 1.0)
    for wider in (0.8, 1.0, 1.25):
        some, other = (
            np.where(r.random(3000) < 0.35, -1, 1) * np.exp(r.normal(0, spread, 3000))
            for spread in (1.2, 1.2 * wider)
        )
        assert unit(np.sort(some), np.sort(other)) is None


def test_a_wide_column_that_drifts_onto_a_factor_needs_the_loss_to_confirm_it():
    def fault(before, now):
        frame = [pl.Series("x", each) for each in (before, now)]
        one = column(*frame, old_rows=np.arange(len(before)), new_rows=np.arange(len(now)))
        return unit_fault(one, unit(*one.sampled()), weak=False)

    r = np.random.default_rng(1)
    wide, narrow = np.exp(r.normal(0, 1, 3000)), r.normal(170, 10, 3000)
    assert fault(wide, wide * 2.54).weak
    assert not fault(narrow, narrow / 2.54).weak
    assert not fault(wide, wide * 100).weak


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
