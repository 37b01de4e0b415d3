"""What a window's quality was expected to be, learned from a hold-out, and where nothing can be said."""

import numpy as np
import polars as pl
import pytest

from mlwright.stages.monitoring.foreseeing import foreseen, foresight
from mlwright.stages.monitoring.statistics import auc_clustered
from mlwright.testing.fakes.learner import SmoothLearner


def scored(n, spread, seed, *, version="m/1", noise=1.0):
    """Rows whose label follows x; a regression's error grows with x."""
    random = np.random.default_rng(seed)
    x = random.normal(0, spread, n)
    chance = 1 / (1 + np.exp(-x))
    return pl.DataFrame(
        {
            "x": x,
            "score": chance,
            "late": random.random(n) < chance,
            "hours": x + random.normal(size=n) * np.abs(x) * noise,
            "predicted": x,
            "model_version": version,
        }
    )


def learn(holdout, task, label, learner=None):
    return foresight(
        holdout, version="m/1", label=label, task=task, threshold=0.5, inputs=["x"], learner=learner
    )


def test_scores_are_believed_as_far_as_the_hold_out_bears_them_out() -> None:
    learned = learn(scored(5000, 1.0, 0), "binary", "late")
    harder = scored(4000, 0.4, 1)
    told = foreseen(learned, harder)
    real, _ = auc_clustered(harder["late"], harder["score"], range(4000))
    assert told["auc"].value == pytest.approx(real, abs=0.02)
    assert told["auc"].lower < real < told["auc"].upper
    assert told["auc"].value < foreseen(learned, scored(4000, 1.0, 2))["auc"].value - 0.05
    assert told["auc"].assumption.startswith("an estimate without labels: P(y|x) is as in the reference")
    assert "roc_auc" not in told
    assert "positive_rate" not in told


def test_it_cannot_see_that_the_truth_changed() -> None:
    """The reason why nothing is decided by it."""
    learned = learn(scored(5000, 1.0, 0), "binary", "late")
    turned = scored(4000, 1.0, 3).with_columns(late=~pl.col("late"))
    real, _ = auc_clustered(turned["late"], turned["score"], range(4000))
    assert real < 0.3
    assert foreseen(learned, turned)["auc"].value > 0.7


def test_losses_of_numbers_are_estimated_by_the_features() -> None:
    holdout = scored(4000, 1.0, 4).with_columns(score="predicted")
    learned = learn(holdout, "regression", "hours", SmoothLearner())
    window = scored(4000, 1.6, 5).with_columns(score="predicted")
    told = foreseen(learned, window)
    assert set(told) == {"mae", "mse", "rmse"}
    real = float((window["hours"] - window["score"]).abs().mean())
    assert told["mae"].value == pytest.approx(real, rel=0.15)
    assert foreseen(learned, window.drop("x")) == {}
    assert learn(holdout, "regression", "hours") is None  # nothing to learn with


def test_answers_of_other_versions_are_left_out_and_said() -> None:
    learned = learn(scored(2000, 1.0, 0), "binary", "late")
    ours, theirs = scored(300, 1.0, 6), scored(100, 1.0, 7, version="m/2")
    told = foreseen(learned, pl.concat([ours, theirs]))
    assert told["auc"].value == foreseen(learned, ours)["auc"].value
    assert told["auc"].assumption.endswith("of the 300 answers of m/1 (100 others)")
    assert foreseen(learned, theirs) == {}


def test_too_little_to_learn_from_gives_nothing() -> None:
    holdout = scored(2000, 1.0, 0)
    assert learn(holdout.head(99), "binary", "late") is None
    assert learn(holdout.with_columns(late=pl.lit(True)), "binary", "late") is None
    assert learn(holdout.drop("score"), "binary", "late") is None
    assert learn(holdout, "ranking", "late") is None
