"""Mix or rate: the identity, and simulations whose answer is known."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.monitoring.simulated import case_of, drop_of, regression_of

from mlwright.model.diagnosis import Outcome
from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring.diagnosis.case import Sample, Task
from mlwright.stages.monitoring.diagnosis.mixture import kitagawa, mix_or_rate
from mlwright.testing.fakes.learner import SmoothLearner

LEARNER = SmoothLearner()
cell = st.tuples(st.integers(0, 50), st.integers(0, 50), st.floats(0, 1e3), st.floats(0, 1e3))


@given(
    st.lists(cell, min_size=1, max_size=20).filter(lambda c: sum(x[0] for x in c) and sum(x[1] for x in c))
)
def test_the_parts_add_up_to_the_drop(cells: list[tuple[int, int, float, float]]) -> None:
    n, m, old, new = (np.array(column, dtype=float) for column in zip(*cells, strict=True))
    p, q = n / n.sum(), m / m.sum()
    mix, rate = kitagawa(p, q, p * old, q * new)
    assert float(mix + rate) == pytest.approx(float(q @ new - p @ old), abs=1e-9)
    same, none = kitagawa(p, p, p * old, p * old)
    assert same == 0
    assert none == pytest.approx(0, abs=1e-9)


def test_kitagawa_by_hand() -> None:
    mix, rate = kitagawa(
        np.array([0.5, 0.5]), np.array([0.25, 0.75]), np.array([0.05, 0.2]), np.array([0.05, 0.45])
    )
    assert mix == pytest.approx(-0.25 * 0.15 + 0.25 * 0.5)
    assert rate == pytest.approx(0.375 * 0.1 + 0.625 * 0.2)


def test_nothing_is_split_where_nothing_is_proven() -> None:
    for seed in range(3):
        case = case_of("none", seed=seed)
        found = mix_or_rate(case, LEARNER, drop_of(case))
        assert found.test.outcome is Outcome.UNKNOWN
        assert found.mix is None
        assert found.test.needs


@pytest.mark.parametrize("seed", [0, 1])
def test_harder_cases_are_mix(seed: int) -> None:
    case = case_of("covariate", seed=seed)
    drop = drop_of(case)
    found = mix_or_rate(case, LEARNER, drop)
    assert found.mix is not None
    assert found.rate is not None
    assert found.mix.value + found.rate.value == pytest.approx(1)
    assert found.mix.value > 0.75
    assert found.mix.lower <= 1.0 <= found.mix.upper or abs(found.mix.value - 1) < 0.2
    assert found.cbpe_gap is not None
    assert abs(found.cbpe_gap) < 0.25 * drop.value
    assert sum(each.value for each in found.terms) == pytest.approx(
        found.test.numbers["expected loss"]
        + found.cbpe_gap
        - case.loss(case.reference.label, case.reference.score).mean(),
        abs=1e-9,
    )
    assert abs(found.terms[1].value) < 0.4 * drop.value
    assert [each.column for each in found.test.suspects] == ["x0"]
    assert found.test.suspects[0].mechanism == "moved"


@pytest.mark.parametrize("kind", ["concept", "join"])
def test_other_answers_are_rate(kind: str) -> None:
    case = case_of(kind)
    drop = drop_of(case)
    found = mix_or_rate(case, LEARNER, drop)
    assert found.rate is not None
    assert found.rate.lower > 0.9
    assert found.cbpe_gap == pytest.approx(drop.value, rel=0.1)
    assert found.terms[1].value == pytest.approx(drop.value, rel=0.15)
    assert found.domain_auc is not None
    assert found.domain_auc.value == pytest.approx(0.5, abs=0.03)
    assert found.ess is not None
    assert found.ess > 0.9
    assert not found.test.suspects
    assert found.unseen is not None
    assert abs(found.unseen.value) < 0.02


@pytest.mark.parametrize(("kind", "dominant"), [("covariate", "mix"), ("concept", "rate"), ("join", "rate")])
def test_a_number_by_the_loss_that_is_expected_of_a_row(kind: str, dominant: str) -> None:
    case = regression_of(kind)
    found = mix_or_rate(case, LEARNER, drop_of(case))
    part = getattr(found, dominant)
    assert part.value > 0.75


def test_classes_by_the_error_that_is_expected_of_a_row() -> None:
    case = case_of("concept")
    sides = [
        replace(side, score=(side.score >= 0.3).astype(float)) for side in (case.reference, case.current)
    ]
    coded = replace(case, task=Task.CLASSES, reference=sides[0], current=sides[1])
    found = mix_or_rate(coded, LEARNER, drop_of(coded))
    assert found.rate is not None
    assert found.rate.value > 0.9


def test_a_region_that_the_reference_does_not_hold() -> None:
    """A fifth of the rows lies far outside; the weights refuse where nothing is shared at all."""
    case = case_of("none")
    features = case.current.features.with_columns(
        pl.when(pl.int_range(pl.len()) % 5 == 0).then(pl.col("x4") + 12).otherwise(pl.col("x4")).alias("x4")
    )
    label = np.where(np.arange(3_000) % 5 == 0, 1.0, case.current.label)
    moved = replace(case, current=replace(case.current, features=features, label=label))
    found = mix_or_rate(moved, LEARNER, drop_of(moved))
    assert found.test.numbers["unseen rows"] == pytest.approx(0.2, abs=0.02)
    assert found.unseen is not None
    assert found.unseen.value > 0.8
    apart = replace(moved, current=replace(moved.current, features=features.with_columns(pl.col("x4") + 40)))
    refused = mix_or_rate(apart, LEARNER, drop_of(moved))
    assert refused.terms == ()
    assert refused.overlap is not None
    assert refused.overlap < 0.05


def test_a_crowd_in_the_midst_is_rare_there_and_no_news() -> None:
    random = np.random.default_rng(0)
    case = case_of("covariate")
    score = np.clip(0.5 + 0.05 * random.normal(size=3_000), 0, 1)
    near = pl.DataFrame({f"x{at}": 0.4 * random.normal(size=3_000) for at in range(5)})
    label = (random.random(3_000) < score).astype(float)
    inner = replace(case, current=Sample(features=near, label=label, score=score))
    assert mix_or_rate(inner, LEARNER, drop_of(inner)).test.numbers["unseen rows"] < 0.02


def test_too_few_or_broken_rows() -> None:
    drop = Estimate(value=0.1, lower=0.05, upper=0.15)
    few = case_of("concept", rows=100)
    assert mix_or_rate(few, LEARNER, drop).test.needs
    case = case_of("concept")
    holes = replace(case.current, label=np.where(np.arange(3_000) < 2_000, np.nan, case.current.label))
    found = mix_or_rate(replace(case, current=holes), LEARNER, drop)
    assert found.rate is not None
    assert found.rate.value > 0.9
    blank = replace(
        case,
        reference=replace(case.reference, features=pl.DataFrame({"c": [1.0] * 3_000})),
        current=replace(case.current, features=pl.DataFrame({"c": [None] * 3_000}, schema={"c": pl.Float64})),
    )
    assert mix_or_rate(blank, LEARNER, drop).rate is not None
