"""Answers in money, by hand and in sum."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.errors import DataError
from mlwright.model.watch_settings import ValueSettings
from mlwright.stages.monitoring.clusters import Clusters
from mlwright.stages.monitoring.worth import worth

OUTCOMES = {"true_positive": 5.0, "false_positive": -1.0, "false_negative": -3.0}
FOUR = pl.DataFrame(
    {
        "label": [1.0, 0.0, 0.0, 1.0],
        "score": [0.9, 0.7, 0.1, 0.2],
        "order": [10.0, 20.0, 30.0, None],
        "weight": [1.0, 2.0, 1.0, 1.0],
    }
)


def test_each_outcome_counts_its_money_times_the_amount() -> None:
    value = ValueSettings(currency="EUR", outcomes=OUTCOMES, amount="order")
    found = worth(FOUR, value, "binary", 0.5)
    assert {each.name: (each.count, each.money) for each in found.outcomes} == {
        "true_positive": (1, 50.0),
        "false_positive": (2, -40.0),
        "true_negative": (1, 0.0),
        "false_negative": (0, 0.0),  # nobody knows how much it was about
    }
    assert (found.total.value, found.per_prediction.value) == (10.0, 2.5)
    assert found.currency == "EUR"
    plain = worth(FOUR, ValueSettings(currency="EUR", outcomes=OUTCOMES), "binary", 0.95)
    assert plain.total.value == -6.0  # everything is answered no


def test_classes_numbers_and_rankings() -> None:
    right = ValueSettings(currency="$", outcomes={"right": 2.0, "wrong": -1.0})
    classes = pl.DataFrame({"label": [0.0, 1.0, 2.0], "score": [0.0, 1.0, 1.0]})
    assert worth(classes, right, "classes", 0.5).total.value == 3.0
    assert worth(classes, right, "ranking", 0.5).total.value == 3.0
    error = ValueSettings(currency="$", outcomes={"error": -0.5})
    assert worth(classes, error, "regression", 0.5).total.value == -0.5
    assert worth(classes.clear(), error, "regression", 0.5) is None


def test_an_amount_that_is_not_logged_is_named() -> None:
    with pytest.raises(DataError, match="no feature 'price'"):
        worth(FOUR, ValueSettings(currency="EUR", outcomes=OUTCOMES, amount="price"), "binary", 0.5)


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1), st.floats(-1e6, 1e6)), min_size=2, max_size=60))
def test_the_outcomes_add_up_to_the_total(rows) -> None:
    label, score, amount = zip(*rows, strict=True)
    frame = pl.DataFrame(
        {"label": label, "score": score, "a": amount}, schema_overrides={"label": pl.Float64}
    )
    days = Clusters.of(np.arange(len(rows)) % 5, "day")
    found = worth(
        frame, ValueSettings(currency="€", outcomes=OUTCOMES, amount="a"), "binary", 0.5, clusters=days
    )
    assert sum(each.count for each in found.outcomes) == len(rows)
    assert sum(each.money for each in found.outcomes) == pytest.approx(found.total.value)
    assert found.total.lower <= found.total.value <= found.total.upper
    assert found.per_prediction.value * len(rows) == pytest.approx(found.total.value)
