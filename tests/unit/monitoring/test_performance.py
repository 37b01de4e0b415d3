"""Evaluation of a window of served predictions."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from mlwright.errors import DataError
from mlwright.model.windows import Window
from mlwright.stages.monitoring.performance import evaluate

START = datetime(2013, 4, 1, tzinfo=UTC)
HORIZON = timedelta(hours=12)


def served(days=14, rows=200, seed=0, label=True):
    rng = np.random.default_rng(seed)
    n = days * rows
    truth = (rng.random(n) < 0.3).astype(float)
    return pl.DataFrame(
        {
            "event_time": [START + timedelta(days=days) * (k / n) for k in range(n)],
            "score": 1 / (1 + np.exp(1 - rng.normal(truth, 1.0))),
            "label": truth if label else [None] * n,
            "model_version": "flight-delay/1",
        },
        schema_overrides={"event_time": pl.Datetime("us", "UTC"), "label": pl.Float64},
    )


def measure(frame, days=14, now=None, level=0.9):
    window = Window(start=START, end=START + timedelta(days=days))
    return evaluate(
        frame, endpoint="delay", window=window, horizon=HORIZON, now=now or window.end + HORIZON, level=level
    )


def test_numbers_are_those_of_sklearn():
    frame = served()
    result = measure(frame)
    assert (result.predictions, result.labelled, result.matured) == (2800, 2800, True)
    assert result.auc.value == pytest.approx(roc_auc_score(frame["label"], frame["score"]))
    assert result.brier.value == pytest.approx(brier_score_loss(frame["label"], frame["score"]))
    assert result.positive_rate == pytest.approx(frame["label"].mean())
    assert result.mean_score == pytest.approx(frame["score"].mean())
    assert result.auc.lower < result.auc.value < result.auc.upper
    assert result.auc.level == 0.9
    assert "14 days with 13 degrees of freedom" in result.auc.assumption
    assert result.versions == ("flight-delay/1",)


def test_rows_outside_the_window_and_without_a_label_do_not_count_as_labelled():
    frame = served(days=20)
    part = frame.with_columns(
        pl.when(pl.int_range(pl.len()) % 2 == 0).then("label"),
        pl.when(pl.int_range(pl.len()) == 1).then(float("nan")).otherwise("score").alias("score"),
    )
    result = measure(part)
    assert (result.predictions, result.labelled) == (2800, 1400)
    even = frame.head(2800)[::2]
    assert result.auc.value == pytest.approx(roc_auc_score(even["label"], even["score"]))


def test_integer_microseconds_give_the_same():
    frame = served(days=3)
    assert measure(frame.with_columns(pl.col("event_time").dt.epoch("us")), 3) == measure(frame, 3)


def test_one_day_uses_hours_and_says_so():
    result = measure(served(days=1, rows=600), days=1)
    assert "hours are independent" in result.auc.assumption
    assert "24 hours with 23 degrees of freedom" in result.brier.assumption
    assert "fewer than two days" in result.auc.assumption


def test_a_single_hour_has_no_interval():
    one_hour = served(days=1, rows=2400).head(90)
    result = measure(one_hour, days=1)
    assert (result.auc.lower, result.auc.upper) == (0.0, 1.0)
    assert "too few hours" in result.auc.assumption


def test_without_labels_nothing_is_claimed():
    result = measure(served(label=False))
    assert (result.predictions, result.labelled) == (2800, 0)
    assert (result.auc, result.brier, result.calibration_error, result.positive_rate, result.mean_score) == (
        (None,) * 5
    )
    assert measure(served().clear()).predictions == 0


def test_one_class_has_a_brier_score_and_no_auc():
    result = measure(served().with_columns(label=pl.lit(0.0)))
    assert result.auc is None
    assert result.brier is not None


def test_a_young_window_is_not_matured():
    window_end = START + timedelta(days=14)
    assert not measure(served(), now=window_end + timedelta(hours=11)).matured


def test_labels_must_be_zero_or_one():
    with pytest.raises(DataError, match=r"neither 0 nor 1, such as 7"):
        measure(served().with_columns(label=pl.lit(7)))
