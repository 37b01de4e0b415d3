"""How near answers are: numbers within a tolerance, labels the same, order and decisions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from mlwright.model.batches import Batch
from mlwright.stages.serving.parity import compare, spearman


def compared(old, new, tolerance=1e-5, name="score"):
    rows = len(old)
    batch = Batch(rows, {"x": np.arange(float(rows))})
    return compare(
        {name: np.asarray(old)}, {name: np.asarray(new)}, batch, ["log"] * rows, tolerance=tolerance
    )


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=60))
def test_rank_correlation_is_that_of_scipy(pairs) -> None:
    one, other = np.array(pairs, dtype=float).T
    found = spearman(one, other)
    if len(set(one)) == 1 or len(set(other)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(spearmanr(one, other).statistic, abs=1e-12)


def test_a_difference_counts_by_the_size_of_the_number() -> None:
    assert compared([0.2, 1000.0], [0.200009, 1000.009]).beyond == 0
    found = compared([0.2, 1000.0], [0.20002, 1000.02])
    assert found.beyond == 2
    assert found.max_abs == pytest.approx(0.02)
    assert found.max_rel == pytest.approx(1e-4)


def test_the_worst_row_is_named_with_both_answers() -> None:
    found = compared([0.1, 0.2, 0.3], [0.1, 0.9, 0.4])
    assert found.worst is not None
    assert (found.worst.row, found.worst.before, found.worst.after) == (1, 0.2, 0.9)
    assert found.worst.inputs == {"x": 1.0}
    assert found.same_decision == pytest.approx(2 / 3)


def test_missing_numbers_are_equal_to_missing_numbers_alone() -> None:
    assert compared([np.nan, np.inf, 1.0], [np.nan, np.inf, 1.0]).beyond == 0
    assert compared([np.nan, 1.0], [1.0, np.nan]).beyond == 2


@pytest.mark.parametrize("kind", [object, np.int64])
def test_labels_have_to_be_the_same(kind) -> None:
    old = np.array([1, 2, 3, 4]).astype(kind)
    found = compared(old, np.array([1, 2, 4, 4]).astype(kind), tolerance=100.0)
    assert (found.beyond, found.same_labels, found.spearman) == (1, 0.75, None)
    assert compared(old, old).same_labels == 1.0


def test_values_outside_of_probabilities_are_no_decisions() -> None:
    assert compared([0.2, 3.0], [0.2, 3.0]).same_decision is None
    assert compared([0.2, 0.8], [0.2, 0.8]).same_decision == 1.0


def test_another_shape_is_another_answer() -> None:
    assert compared([0.1, 0.2], [[0.1], [0.2]]).beyond == 2
    assert compared([[0.1, 0.9], [0.5, 0.5]], [[0.1, 0.9], [0.5, 0.4]]).beyond == 1
