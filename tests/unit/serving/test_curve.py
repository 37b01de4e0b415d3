"""The measured curve of a model, and the pace that follows from batches as they go by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.stages.serving.curve import MOST_REPEATS, Curve, Pace, measure


class Model:
    """A model on a clock of its own: ``alpha + beta * rows`` seconds, and the first call of a size takes longer."""

    def __init__(self, alpha: float, beta: float, first: float = 1.0) -> None:
        self.now = 100.0
        self.alpha, self.beta, self.first = alpha, beta, first
        self.calls: list[int] = []

    def infer(self, rows: int) -> None:
        slow = self.first if rows not in self.calls else 1.0
        self.calls.append(rows)
        self.now += slow * (self.alpha + self.beta * rows)

    def clock(self) -> float:
        return self.now


def measured(model: Model, budget_s: float = 0.25) -> Curve:
    return measure(model.infer, budget_s=budget_s, clock=model.clock)


def test_a_fast_model_is_measured_at_all_sizes_without_its_first_calls() -> None:
    model = Model(1e-4, 1e-6, first=10.0)
    curve = measured(model)
    assert curve.rows == (1, 8, 64)
    assert curve.seconds == pytest.approx([1.01e-4, 1.08e-4, 1.64e-4])
    assert curve.fit == pytest.approx((1e-4, 1e-6))
    assert len(model.calls) == 3 * (MOST_REPEATS + 1)


@pytest.mark.parametrize(("alpha", "most"), [(0.02, 0.25), (0.1, 0.25), (3.0, 3.1)])
def test_a_slow_model_takes_no_more_than_the_budget_or_one_call(alpha: float, most: float) -> None:
    model = Model(alpha, 1e-5)
    curve = measured(model)
    assert model.now - 100.0 <= most
    assert curve.rows[0] == 1
    assert curve.t(1) == pytest.approx(alpha, rel=0.01)
    assert curve.t(64) >= curve.t(1)


def test_between_sizes_in_proportion_and_beyond_by_the_fit() -> None:
    curve = Curve(rows=(1, 8, 64), seconds=(1.0, 8.0, 64.0))
    assert [curve.t(rows) for rows in (0, 1, 4, 36, 64)] == [1.0, 1.0, 4.0, 36.0, 64.0]
    assert curve.t(128) == pytest.approx(128.0)
    assert Curve(rows=(1,), seconds=(2.0,)).t(64) == 2.0


@given(st.lists(st.floats(0, 10), min_size=3, max_size=3))
def test_the_fit_is_never_negative(seconds: list[float]) -> None:
    curve = Curve(rows=(1, 8, 64), seconds=tuple(seconds))
    alpha, beta = curve.fit
    assert alpha >= 0
    assert beta >= 0
    assert min(seconds) <= curve.t(20) <= max(seconds)


@pytest.mark.parametrize(
    ("rows", "seconds"), [((), ()), ((1, 8), (1.0,)), ((8, 1), (1.0, 2.0)), ((0,), (1.0,)), ((1,), (-1.0,))]
)
def test_what_is_no_curve(rows: tuple[int, ...], seconds: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="got"):
        Curve(rows=rows, seconds=seconds)


def test_pace_puts_small_batches_in_proportion() -> None:
    pace = Pace()
    assert pace.row_s == 0.0
    pace.follow(Curve(rows=(1, 64), seconds=(1.01e-4, 1.64e-4)), 64)
    assert pace.row_s == pytest.approx(1.64e-4 / 64)
    for _ in range(50):
        pace.saw(1, 1.01e-4)
    assert pace.row_s == pytest.approx(1.64e-4 / 64), "one row at a time says nothing new"
    for _ in range(50):
        pace.saw(64, 3.28e-4)
    assert pace.row_s == pytest.approx(3.28e-4 / 64, rel=0.01), "twice as slow as measured"


def test_pace_without_a_curve() -> None:
    pace = Pace()
    pace.follow(None, 64)
    pace.saw(10, 0.1)
    assert pace.row_s == pytest.approx(0.01)
    pace.saw(0, 0.1)
    assert pace.row_s == pytest.approx(0.01)
