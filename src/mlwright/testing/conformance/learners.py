"""The exam of :class:`mlwright.ports.learner.Learner`.

::

    class TestMyLearner(LearnerConformance):
        @pytest.fixture
        def learner(self) -> Learner: ...
"""

import numpy as np
import pytest

from mlwright.ports.learner import Floats, Learner
from mlwright.testing.conformance.gaps import Conformance


def _areas(labels: Floats, scores: Floats) -> float:
    high, low = scores[labels > 0.5], scores[labels < 0.5]
    return float(np.mean(high[:, None] > low) + 0.5 * np.mean(high[:, None] == low))


def _table(rows: int = 2_000, seed: int = 0) -> tuple[Floats, Floats]:
    """Two numbers whose product tells the class, a useless one, and a level; a tenth of the first is missing."""
    random = np.random.default_rng(seed)
    table = random.normal(size=(rows, 4))
    table[:, 3] = random.integers(0, 5, rows)
    odds = (
        2 * table[:, 0] * table[:, 1]
        + table[:, 1]
        + np.array([-2.0, 2.0, -2.0, 2.0, 0.0])[table[:, 3].astype(int)]
    )
    label = (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.float64)
    table[random.random(rows) < 0.1, 0] = np.nan
    return table, label


class LearnerConformance(Conformance):
    """What every learner promises. Subclasses supply ``learner``."""

    def test_a_class_is_learned(self, learner: Learner) -> None:
        """Products, levels without an order and missing values, on rows that were not seen; as probabilities."""
        (table, label), (other, truth) = _table(), _table(seed=1)
        found = learner.classify(table, label, categorical=(3,)).predict(other)
        assert found.shape == (2_000,)
        assert ((found >= 0) & (found <= 1)).all()
        assert _areas(truth, found) > 0.85
        assert abs(found.mean() - truth.mean()) < 0.05

    def test_a_number_is_learned(self, learner: Learner) -> None:
        """The expected value, not the sign of it."""
        table, _ = _table()
        random = np.random.default_rng(2)
        target = 3 * np.nan_to_num(table[:, 1]) ** 2 + random.normal(size=len(table))
        found = learner.regress(table, target, categorical=(3,)).predict(table)
        assert np.mean((found - target) ** 2) < 0.25 * target.var()

    def test_a_column_may_have_as_many_levels_as_codes(self, learner: Learner) -> None:
        """255 of them, every second one high; codes that were not seen are missing."""
        random = np.random.default_rng(9)
        table = np.column_stack([random.integers(0, 255, 6_000), random.normal(size=6_000)]).astype(
            np.float64
        )
        target = (table[:, 0] % 2) * 4 + random.normal(size=6_000)
        found = learner.regress(table, target, categorical=(0,)).predict(table)
        assert np.mean((found - target) ** 2) < 0.6 * target.var()
        few = learner.regress(table[:50], target[:50], categorical=(0,))
        assert np.isfinite(few.predict(table)).all()

    def test_nothing_is_found_where_nothing_is(self, learner: Learner) -> None:
        """Held out, noise is noise."""
        random = np.random.default_rng(3)
        table, label = random.normal(size=(3_000, 5)), random.integers(0, 2, 3_000).astype(np.float64)
        found = learner.classify(table[:1_500], label[:1_500]).predict(table[1_500:])
        assert abs(_areas(label[1_500:], found) - 0.5) < 0.06

    def test_the_same_seed_gives_the_same(self, learner: Learner) -> None:
        """Twice, to the last bit."""
        table, label = _table()
        one, two = (learner.classify(table, label, categorical=(3,), seed=7).predict(table) for _ in range(2))
        np.testing.assert_array_equal(one, two)

    def test_weights_count_as_rows(self, learner: Learner) -> None:
        """A weight of ten on one class moves its probability up; a weight of 0 is no row."""
        random = np.random.default_rng(4)
        table, label = random.normal(size=(2_000, 2)), (random.random(2_000) < 0.5).astype(np.float64)
        heavy = learner.classify(table, label, weights=np.where(label > 0.5, 10.0, 1.0)).predict(table)
        assert heavy.mean() == pytest.approx(10 / 11, abs=0.03)
        target = np.where(np.arange(2_000) < 1_000, 5.0, -5.0)
        kept = learner.regress(table, target, weights=(target > 0).astype(np.float64)).predict(table)
        np.testing.assert_allclose(kept, 5.0, atol=0.1)

    @pytest.mark.parametrize("label", [0.0, 1.0])
    def test_one_class_is_certain(self, learner: Learner, label: float) -> None:
        """A learner that has seen one class says that class."""
        table = np.random.default_rng(5).normal(size=(100, 2))
        np.testing.assert_array_equal(learner.classify(table, np.full(100, label)).predict(table), label)
        np.testing.assert_array_equal(
            learner.classify_texts(["a b", "c"], np.full(2, label)).predict(["x", "y", ""]), label
        )

    def test_strange_columns_do_no_harm(self, learner: Learner) -> None:
        """Constant, all missing, one wild value, a level never seen: finite answers."""
        table, label = _table(500)
        strange = np.column_stack([table, np.full(500, 3.0), np.full(500, np.nan), table[:, 1]])
        strange[7, 6] = 1e6
        model = learner.classify(strange, label, categorical=(3,))
        other = strange.copy()
        other[:, 3], other[:, 4] = np.nan, 1e9
        assert np.isfinite(model.predict(other)).all()
        assert model.predict(other[:0]).shape == (0,)

    def test_words_are_learned(self, learner: Learner) -> None:
        """By the words of a document; an empty one and unknown words have an answer too."""
        random = np.random.default_rng(6)
        topics = ("price of oil and gas", "goal in the last minute")
        label = random.integers(0, 2, 400).astype(np.float64)
        texts = [f"{topics[int(each)]} no {random.integers(1000)}" for each in label]
        model = learner.classify_texts(texts, label)
        told = model.predict(["oil price", "a goal in the minute", "", "zebra"])
        assert told[0] < 0.4 < 0.6 < told[1]
        assert ((told >= 0) & (told <= 1)).all()
