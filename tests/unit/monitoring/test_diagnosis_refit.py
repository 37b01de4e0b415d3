"""Would retraining help: concept against a broken join, with sample size and learner held equal."""

from dataclasses import replace

import numpy as np
import pytest
from tests.unit.monitoring.simulated import case_of, drop_of, regression_of

from mlwright.model.diagnosis import Outcome
from mlwright.stages.monitoring.diagnosis.case import Task
from mlwright.stages.monitoring.diagnosis.refit import HELPS, refit
from mlwright.testing.fakes.learner import SmoothLearner

LEARNER = SmoothLearner()


@pytest.mark.parametrize("case", [case_of("concept"), case_of("concept", seed=1), regression_of("concept")])
def test_a_changed_relation_is_learned_again(case) -> None:
    found = refit(case, LEARNER, drop_of(case))
    assert found.gain is not None
    assert found.total is not None
    assert found.gain.value >= HELPS
    assert found.total.value > 0.8
    assert found.test.outcome is Outcome.FOUND
    assert found.labels_needed is not None
    assert found.labels_needed < 3_000
    assert not found.collapsed


@pytest.mark.parametrize(
    ("case", "column"),
    [(case_of("join"), "x0"), (case_of("join", seed=1), "x0"), (regression_of("join"), "x1")],
)
def test_a_broken_join_can_only_be_ignored(case, column: str) -> None:
    """In squares half of the drop comes back to who ignores the column, at any size: that is not a new relation."""
    found = refit(case, LEARNER, drop_of(case))
    assert found.gain is not None
    assert found.total is not None
    assert abs(found.gain.value) < 0.1
    assert 0.3 < found.total.value < 0.65
    assert found.test.outcome is Outcome.CLEAR
    assert [each.column for each in found.collapsed] == [column]
    assert found.collapsed[0].mechanism == "importance"


def test_half_a_broken_join() -> None:
    """Half of the values are the row's own; a model of the reference that trusts them half does as well as a refit."""
    case = case_of("none", rows=6_000)
    random = np.random.default_rng(0)
    broken = random.random(6_000) < 0.6
    x = case.current.features["x0"].to_numpy().copy()
    x[broken] = random.permutation(x[broken])
    served = case.current.features.with_columns(x0=x)
    odds = np.log(case.current.score / (1 - case.current.score)) + 1.2 * (
        x - case.current.features["x0"].to_numpy()
    )
    half = replace(case, current=replace(case.current, features=served, score=1 / (1 + np.exp(-odds))))
    found = refit(half, LEARNER, drop_of(half))
    assert found.gain is not None
    assert found.gain.value < HELPS / 2
    assert found.test.numbers["trust in faded features"] == pytest.approx(0.4, abs=0.2)


def test_harder_cases_stay_hard() -> None:
    case = case_of("covariate")
    found = refit(case, LEARNER, drop_of(case))
    assert found.gain is not None
    assert found.gain.value < 0.2
    assert found.raw_gain is not None
    assert found.raw_gain.value < found.gain.value + 0.2


def test_classes_one_against_the_others() -> None:
    random = np.random.default_rng(0)
    case = case_of("none", rows=2_000)
    sides = []
    for side, turn in ((case.reference, 0), (case.current, 1)):
        x = side.features.to_numpy()
        truth = np.argmax(np.column_stack([x[:, 0], x[:, 1], x[:, 2]]), axis=1)
        truth = np.where(random.random(2_000) < 0.1, random.integers(0, 3, 2_000), truth)
        sides.append(replace(side, label=((truth + turn) % 3).astype(float), score=truth.astype(float)))
    coded = replace(case, task=Task.CLASSES, reference=sides[0], current=sides[1])
    found = refit(coded, LEARNER, drop_of(coded))
    assert found.gain is not None
    assert found.gain.value > 0.8


def test_few_rows_and_no_drop_are_not_tried() -> None:
    few = case_of("concept", rows=150)
    assert refit(few, LEARNER, drop_of(case_of("concept"))).test.needs
    none = case_of("none")
    assert refit(none, LEARNER, drop_of(none)).gain is None
