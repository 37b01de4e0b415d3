"""The offline gate against known answers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from mlwright.errors import DataError
from mlwright.stages.monitoring.comparison import (
    Candidate,
    auc_difference,
    choose,
    compare,
    judged_by,
    mean_difference,
)


def sample(seed: int, days: int = 30, rows: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, their true logits and days; each day has an effect of its own."""
    random = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), rows)
    logit = random.normal(size=days * rows) + random.normal(size=days)[day]
    labels = (random.random(days * rows) < 1 / (1 + np.exp(-logit))).astype(float)
    return labels, logit, day


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_difference_is_the_difference_of_the_two_aucs(seed: int) -> None:
    labels, logit, day = sample(seed, days=5, rows=20)
    random = np.random.default_rng(seed + 1)
    one, two = logit + random.normal(size=len(logit)), np.round(logit + 2 * random.normal(size=len(logit)))
    if len(set(labels)) < 2:
        return
    difference, error = auc_difference(labels, one, two, day)
    assert difference == pytest.approx(roc_auc_score(labels, one) - roc_auc_score(labels, two), abs=1e-12)
    assert error >= 0


def test_with_each_row_its_own_cluster_the_variance_is_delongs() -> None:
    labels, logit, _ = sample(1)
    one, two = logit, logit + np.random.default_rng(2).normal(size=len(logit))
    _, error = auc_difference(labels, one, two, np.arange(len(labels)))
    positive = labels == 1
    wins = [
        (s[positive][:, None] > s[~positive][None, :]) + 0.5 * (s[positive][:, None] == s[~positive][None, :])
        for s in (one, two)
    ]
    apart = wins[0] - wins[1]
    n1, n0 = apart.shape
    delong = apart.mean(axis=1).var(ddof=1) / n1 + apart.mean(axis=0).var(ddof=1) / n0
    assert error == pytest.approx(np.sqrt(delong), rel=0.01)


def test_false_alarms_of_the_gate_stay_near_their_level() -> None:
    wrong = 0
    for seed in range(300):
        labels, logit, day = sample(seed, days=21, rows=30)
        random = np.random.default_rng(10_000 + seed)
        # Two equally good models whose errors depend on the day: rows are far from independent.
        one = logit + random.normal(size=21)[day]
        two = logit + random.normal(size=21)[day]
        difference, error = auc_difference(labels, one, two, day)
        wrong += difference / error > 1.645
    assert wrong / 300 < 0.10


def test_a_mean_of_constant_differences_has_no_error() -> None:
    assert mean_difference(np.full(12, 0.25), np.repeat([1, 2, 3], 4)) == (0.25, 0.0)


def test_in_doubt_the_first_candidate_stands_and_must_beat_the_champion() -> None:
    labels, logit, day = sample(3)
    random = np.random.default_rng(4)
    weak = logit + 3 * random.normal(size=len(logit))
    nearly = logit + 1e-9 * random.normal(size=len(logit))
    decision = choose(
        labels,
        champion=weak,
        candidates=[Candidate(name="all", scores=logit), Candidate(name="91d", scores=nearly)],
        clusters=day,
        metric="auc",
        level=0.95,
    )
    assert decision.chosen == "all"
    assert "beats the champion" in decision.reason
    same = choose(
        labels,
        champion=logit,
        candidates=[Candidate(name="all", scores=logit)],
        clusters=day,
        metric="auc",
        level=0.95,
    )
    assert same.chosen is None
    assert "z = 0.00" in same.reason


def test_a_shorter_window_that_is_clearly_better_is_chosen() -> None:
    labels, logit, day = sample(5)
    random = np.random.default_rng(6)
    decision = choose(
        labels,
        champion=logit + 3 * random.normal(size=len(logit)),
        candidates=[
            Candidate(name="all", scores=logit + 2 * random.normal(size=len(logit))),
            Candidate(name="91d", scores=logit),
        ],
        clusters=day,
        metric="auc",
        level=0.95,
    )
    assert decision.chosen == "91d"


def test_for_the_brier_score_less_is_better() -> None:
    labels, logit, day = sample(7)
    good, bad = 1 / (1 + np.exp(-logit)), np.full(len(logit), 0.5)
    assert compare(labels, "good", good, "bad", bad, day, "brier").difference > 0


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(DataError, match="a gate cannot judge by"):
        compare([0, 1], "a", [0.1, 0.2], "b", [0.1, 0.2], [0, 1], "ndcg")
    with pytest.raises(DataError, match="both classes"):
        auc_difference(np.zeros(3), np.arange(3.0), np.arange(3.0), np.arange(3))


def test_a_gain_too_small_to_be_worth_a_change_keeps_the_champion() -> None:
    labels, logit, day = sample(3)
    weak = logit + 3 * np.random.default_rng(4).normal(size=len(logit))
    candidates = [Candidate(name="all", scores=logit)]
    decision = choose(
        labels, champion=weak, candidates=candidates, clusters=day, metric="auc", level=0.5, gain=0.9
    )
    assert decision.chosen is None
    assert "at least +0.9000" in decision.reason


@pytest.mark.parametrize(
    ("metric", "by"),
    [
        ("mae", "mae"),
        ("rmse", "mse"),
        ("r2", "mse"),
        ("f1", "brier"),
        ("log_loss", "log_loss"),
        ("average_precision", "auc"),
    ],
)
def test_every_metric_is_judged_by_itself_or_by_a_proper_loss_of_its_task(metric: str, by: str) -> None:
    random = np.random.default_rng(4)
    days = np.repeat(np.arange(20), 50)
    binary = by in ("brier", "log_loss", "auc")
    truth = random.integers(0, 2, 1000).astype(float) if binary else random.normal(size=1000)
    good = np.clip(truth * 0.6 + 0.2 + random.normal(0, 0.05, 1000), 0.01, 0.99) if binary else truth + 0.1
    bad = (
        np.clip(0.5 + 0.05 * (truth - 0.5) + random.normal(0, 0.1, 1000), 0.01, 0.99)
        if binary
        else truth + 1.0
    )
    assert judged_by(metric) == by
    decision = choose(
        truth,
        champion=bad,
        candidates=[Candidate(name="new", scores=good)],
        clusters=days,
        metric=metric,
        level=0.95,
    )
    assert decision.chosen == "new"
    assert f"{by} difference +" in decision.reason
    assert (
        choose(
            truth,
            champion=good,
            candidates=[Candidate(name="new", scores=bad)],
            clusters=days,
            metric=metric,
            level=0.95,
        ).chosen
        is None
    )
    if by == "mae":
        assert decision.comparisons[0].difference == pytest.approx(0.9)


def test_what_no_gate_can_judge_by_names_what_it_can() -> None:
    with pytest.raises(DataError, match="ndcg") as refusal:
        judged_by("ndcg@10")
    assert "mae" in str(refusal.value.why)
