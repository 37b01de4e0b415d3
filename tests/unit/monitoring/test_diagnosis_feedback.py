"""Feedback loops: what exploration proves, what selected labels suggest, and no wolf."""

from dataclasses import replace

import numpy as np
import pytest
from tests.unit.monitoring.simulated import case_of, regression_of

from mlwright.model.diagnosis import Outcome
from mlwright.stages.monitoring.diagnosis.feedback import feedback_loop, logit_slope


def selected(case, chance, seed: int = 0):
    """Labels are known with a chance that may depend on the score."""
    random = np.random.default_rng(seed)
    known = random.random(len(case.current)) < chance(case.current.score)
    return replace(case, current=replace(case.current, label=np.where(known, case.current.label, np.nan)))


@pytest.mark.parametrize("kind", ["none", "covariate", "concept", "prior"])
def test_all_labels_known_is_no_loop(kind: str) -> None:
    found = feedback_loop(case_of(kind))
    assert found.test.outcome is Outcome.CLEAR
    assert not found.selective
    assert found.slope_now is None


def test_labels_missing_at_random_cry_no_wolf() -> None:
    outcomes = [
        feedback_loop(
            selected(case_of("concept", rows=2_000), lambda s: np.full(len(s), 0.6), seed)
        ).test.outcome
        for seed in range(20)
    ]
    assert outcomes == [Outcome.CLEAR] * 20


def test_labels_by_the_score_cannot_be_excluded() -> None:
    found = feedback_loop(selected(case_of("none"), lambda s: 0.1 + 0.8 * s))
    assert found.selective
    assert found.slope_now is not None
    assert found.slope_now > 0.5
    assert found.test.outcome is Outcome.UNKNOWN
    assert "1–2 %" in found.test.needs[0]
    assert "cannot be excluded" in found.test.text


@pytest.mark.parametrize("task", ["binary", "number"])
def test_a_band_in_the_middle_has_no_slope_and_is_seen(task: str) -> None:
    case = case_of("none") if task == "binary" else regression_of("none")
    low, high = np.quantile(case.current.score, [0.4, 0.8])
    random = np.random.default_rng(4)
    found = feedback_loop(
        selected(
            case,
            lambda s: np.where((s > low) & (s < high), 1.0, np.where(random.random(len(s)) < 0.05, 1.0, 0)),
        )
    )
    assert found.selective
    assert found.test.outcome is Outcome.UNKNOWN
    assert (found.selection > 0) == (task == "binary")


def test_labels_of_acted_on_decisions_only() -> None:
    found = feedback_loop(selected(case_of("none"), lambda s: (s >= 0.5).astype(float)))
    assert found.selective
    assert found.test.outcome is Outcome.UNKNOWN
    assert "one side of the threshold" in found.test.text
    assert found.slope_now is not None
    assert np.isfinite(found.slope_now)


def test_exploration_proves_it_or_excludes_it() -> None:
    case = case_of("none")
    random = np.random.default_rng(1)
    explored = random.random(3_000) < 0.1
    calm = replace(case, current=replace(case.current, explored=explored))
    found = feedback_loop(selected(calm, lambda s: np.where(explored, 1.0, 0.1 + 0.8 * s)))
    assert found.test.outcome is Outcome.CLEAR
    assert found.gap is not None
    assert found.gap.lower < 0 < found.gap.upper
    # where it acts, the rows it chose turn out differently from those it did not
    worse = np.where(explored | (random.random(3_000) < 0.6), case.current.label, 1 - case.current.label)
    acting = replace(case, current=replace(case.current, explored=explored, label=worse))
    found = feedback_loop(acting)
    assert found.test.outcome is Outcome.FOUND
    assert found.gap is not None
    assert found.gap.lower > 0.05


def test_concept_change_on_all_rows_is_no_loop() -> None:
    case = case_of("concept")
    explored = np.random.default_rng(2).random(3_000) < 0.15
    assert (
        feedback_loop(replace(case, current=replace(case.current, explored=explored))).test.outcome
        is Outcome.CLEAR
    )


def test_the_slope_is_that_of_maximum_likelihood() -> None:
    random = np.random.default_rng(3)
    score = random.normal(size=20_000)
    known = random.random(20_000) < 1 / (1 + np.exp(-(0.3 + 0.7 * score)))
    slope, error = logit_slope(known, score)
    assert slope == pytest.approx(0.7, abs=3 * error)
    assert error == pytest.approx(1 / np.sqrt(20_000 * np.mean(known.mean() * (1 - known.mean()))), rel=0.2)
    separated, _ = logit_slope(score > 0, score)
    assert 3 < separated < 100
    assert logit_slope(known, np.ones(20_000)) == (0.0, np.inf)


def test_nothing_known_or_no_rows() -> None:
    blind = selected(regression_of("none"), lambda s: np.zeros(len(s)))
    assert feedback_loop(blind).test.outcome is Outcome.UNKNOWN
    empty = replace(
        blind,
        current=replace(
            blind.current, features=blind.current.features[:0], label=np.empty(0), score=np.empty(0)
        ),
    )
    assert feedback_loop(empty).test.outcome is Outcome.UNKNOWN
