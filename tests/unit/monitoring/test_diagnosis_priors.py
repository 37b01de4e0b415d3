"""Label shift: found where it is, not where a concept or a population changed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.monitoring.simulated import case_of, drop_of, regression_of

from mlwright.model.diagnosis import Outcome
from mlwright.stages.monitoring.diagnosis.case import Task
from mlwright.stages.monitoring.diagnosis.priors import black_box_weights, corrected, label_shift
from mlwright.testing.fakes.learner import SmoothLearner

LEARNER = SmoothLearner()


@pytest.mark.parametrize("seed", [0, 1])
def test_a_changed_prior_is_found_and_what_it_costs(seed: int) -> None:
    case = case_of("prior", seed=seed)
    found = label_shift(case, LEARNER, drop_of(case))
    assert found.shifted
    assert found.test.outcome is Outcome.FOUND
    assert found.test.numbers["domain AUC within a class"] < 0.53
    assert found.recovered is not None
    assert found.recovered.lower > 0.2
    # the scores are the true probabilities, so that the corrected ones are those under the new prior
    new = corrected(case.current.score, case.reference.label.mean(), case.current.label.mean())
    assert new.mean() == pytest.approx(case.current.label.mean(), abs=0.03)


@pytest.mark.parametrize("kind", ["none", "covariate", "concept", "join"])
def test_nothing_else_is_called_a_changed_prior(kind: str) -> None:
    case = case_of(kind)
    found = label_shift(case, LEARNER, drop_of(case))
    assert not found.shifted
    assert found.test.outcome is Outcome.CLEAR


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_the_correction_is_bayes_rule_and_can_be_undone(score: float, prior: float, now: float) -> None:
    found = float(corrected([score], prior, now)[0])
    odds = score / (1 - score) * (now / (1 - now)) / (prior / (1 - prior))
    assert found == pytest.approx(odds / (1 + odds), rel=1e-9)
    assert float(corrected([found], now, prior)[0]) == pytest.approx(score, rel=1e-6)


def test_the_new_prior_from_answers_alone() -> None:
    """Three classes, a known confusion, exact; and a model that tells nothing apart."""
    label = np.repeat([0, 1, 2], [500, 300, 200])
    answer = np.concatenate(
        [np.repeat([0, 1], [400, 100]), np.repeat([1, 2], [240, 60]), np.repeat([2, 0], [180, 20])]
    )
    now = np.concatenate(
        [np.repeat([0, 1], [80, 20]), np.repeat([1, 2], [240, 60]), np.repeat([2, 0], [540, 60])]
    )
    weights = black_box_weights(label, answer, now, [0, 1, 2])
    assert weights is not None
    np.testing.assert_allclose(weights * [0.5, 0.3, 0.2], [0.1, 0.3, 0.6], atol=1e-12)
    assert black_box_weights(label, np.zeros(1000), now, [0, 1, 2]) is None


def test_without_current_labels_it_is_an_estimate_and_not_a_verdict() -> None:
    case = case_of("prior")
    blind = replace(case, current=replace(case.current, label=np.full(len(case.current), np.nan)))
    found = label_shift(blind, LEARNER, drop_of(case))
    assert found.test.outcome is Outcome.UNKNOWN
    assert found.test.needs
    assert found.test.numbers["estimated rate of 1"] == pytest.approx(0.5, abs=0.06)


def test_numbers_have_no_classes_and_codes_no_correction() -> None:
    number = regression_of("concept")
    assert label_shift(number, LEARNER, drop_of(number)).test.outcome is Outcome.UNKNOWN
    case = case_of("prior")
    sides = [replace(side, score=np.round(side.score)) for side in (case.reference, case.current)]
    coded = replace(case, task=Task.CLASSES, reference=sides[0], current=sides[1])
    found = label_shift(coded, LEARNER, drop_of(coded))
    assert found.shifted
    assert found.recovered is None
