"""Metrics of each task against scikit-learn and slow plain code, and what their intervals are worth."""

from math import inf, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from mlwright.model.metrics import METRICS
from mlwright.stages.monitoring import ranking
from mlwright.stages.monitoring.clusters import MOST, SHARE, Clusters, bootstrapped, drawn
from mlwright.stages.monitoring.metrics import Labelled, measure

LEVEL = 0.9


def rows(labels, scores, weights=None, clusters=None, groups=None, by="day"):
    n = len(labels)
    return Labelled(
        labels=np.asarray(labels, float),
        scores=np.asarray(scores, float),
        weights=np.ones(n) if weights is None else np.asarray(weights, float),
        clusters=Clusters.of(np.arange(n) % 14 if clusters is None else clusters, by),
        groups=groups,
    )


def values(some, task, metric="", threshold=0.5):
    found = measure(some, task=task, metric=metric, threshold=threshold, level=LEVEL)
    assert all(each.lower <= each.value <= each.upper for each in found.values())
    return {name: each.value for name, each in found.items()}


@pytest.mark.parametrize("seed", range(3))
def test_binary_metrics_are_those_of_sklearn_with_weights_and_ties(seed) -> None:
    random = np.random.default_rng(seed)
    y = (random.random(400) < 0.3).astype(float)
    s = np.round(1 / (1 + np.exp(1 - random.normal(2 * y, 1.5))), 1 + seed)
    w = random.choice([1.0, 4.0, 10.0], 400)
    said = s >= 0.4
    found = values(rows(y, s, w), "binary", threshold=0.4)
    assert tuple(found) == METRICS["binary"]
    assert found == pytest.approx(
        {
            "auc": sk.roc_auc_score(y, s, sample_weight=w),
            "brier": sk.brier_score_loss(y, s, sample_weight=w),
            "log_loss": sk.log_loss(y, s, sample_weight=w),
            "accuracy": sk.accuracy_score(y, said, sample_weight=w),
            "precision": sk.precision_score(y, said, sample_weight=w),
            "recall": sk.recall_score(y, said, sample_weight=w),
            "specificity": sk.recall_score(1 - y, ~said, sample_weight=w),
            "f1": sk.f1_score(y, said, sample_weight=w),
            "average_precision": sk.average_precision_score(y, s, sample_weight=w),
        }
    )


@pytest.mark.parametrize("name", METRICS["binary"])
def test_one_metric_alone_is_the_same(name) -> None:
    draw = np.random.default_rng(3)
    some = rows(draw.integers(0, 2, 300), draw.random(300), draw.random(300) + 0.5)
    asked = {"task": "binary", "metric": name, "threshold": 0.5, "level": LEVEL}
    alone = measure(some, **asked, only=name)
    assert alone[name] == measure(some, **asked)[name]
    assert len(alone) == 1 or name not in ("auc", "brier", "average_precision")


def test_a_weight_of_three_is_three_rows() -> None:
    random = np.random.default_rng(4)
    y, s, w = random.integers(0, 2, 90), random.random(90), random.integers(1, 4, 90)
    day = np.arange(90) % 9
    for task, label in (("binary", y), ("regression", random.normal(size=90)), ("classes", y)):
        score = s if task != "classes" else np.round(s)
        one = measure(rows(label, score, w, day), task=task, metric="", threshold=0.5, level=LEVEL)
        many = rows(*(np.repeat(each, w) for each in (label, score, np.ones(90), day)))
        other = measure(many, task=task, metric="", threshold=0.5, level=LEVEL)
        for name, each in one.items():
            assert other[name].value == pytest.approx(each.value), name
            assert (other[name].lower, other[name].upper) == pytest.approx((each.lower, each.upper), abs=0.06)


def test_classes_and_regression_are_those_of_sklearn() -> None:
    random = np.random.default_rng(5)
    y, w = random.choice([0, 1, 2, 7], 300), random.uniform(1, 5, 300)
    said = np.where(random.random(300) < 0.6, y, random.choice([0, 1, 2, 3], 300))
    scores = {"average": "macro", "zero_division": 0, "sample_weight": w}
    assert values(rows(y, said, w), "classes") == pytest.approx(
        {
            "accuracy": sk.accuracy_score(y, said, sample_weight=w),
            "macro_precision": sk.precision_score(y, said, **scores),
            "macro_recall": sk.recall_score(y, said, **scores),
            "macro_f1": sk.f1_score(y, said, **scores),
        }
    )
    truth = 1e6 + random.standard_t(3, 301)  # an odd number, far from 0, with heavy tails
    near = truth + random.normal(0.2, 1.0, 301)
    assert values(rows(truth, near), "regression") == pytest.approx(
        {
            "mae": sk.mean_absolute_error(truth, near),
            "rmse": sk.root_mean_squared_error(truth, near),
            "mse": sk.mean_squared_error(truth, near),
            "median_error": sk.median_absolute_error(truth, near),
            "bias": float((near - truth).mean()),
            "r2": sk.r2_score(truth, near),
        }
    )


def plain_ranking(groups, scores, labels, k):
    """Each metric of a group by its definition, with answers in order, of equal scores the irrelevant first."""
    found = {name: [] for name in ("ndcg", "map", "mrr", "recall", "precision", "hit")}
    for group in sorted(set(groups)):
        some = [(s, y) for g, s, y in zip(groups, scores, labels, strict=True) if g == group]
        relevant = sum(y > 0 for _, y in some)
        if not relevant:
            continue
        ordered = [y for _, y in sorted(some, key=lambda each: (-each[0], each[1]))]
        top = ordered[:k]
        hits = [place for place, y in enumerate(top) if y > 0]
        found["map"].append(
            sum((n + 1) / (place + 1) for n, place in enumerate(hits)) / min(relevant, k or relevant)
        )
        found["mrr"].append(1 / (hits[0] + 1) if hits else 0.0)
        found["recall"].append(len(hits) / relevant)
        found["precision"].append(len(hits) / (k or len(some)))
        found["hit"].append(float(bool(hits)))
        s, y = (np.array([each]) for each in zip(*some, strict=True))
        if len(some) > 1:
            found["ndcg"].append(sk.ndcg_score(y, s, k=k))
        else:
            found["ndcg"].append(1.0)
    return found


answers = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from([0.1, 0.2, 0.3, 0.9]), st.integers(0, 3)),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(answers, st.sampled_from([None, 1, 3, 10]))
def test_rankings_are_as_defined(given_, k) -> None:
    groups, scores, labels = zip(*given_, strict=True)
    found = ranking.rankings(groups, scores, labels)
    for name, wanted in plain_ranking(groups, scores, labels, k).items():
        told = ranking.values(found, f"{name}@{k}" if k else name)
        assert told == pytest.approx(wanted), name


def test_a_ranking_by_hand_and_as_measured() -> None:
    groups = np.array([0, 0, 0, 1, 1, 2, 2])
    some = rows([0, 1, 0, 1, 0, 0, 0], [3, 2, 1, 9, 8, 1, 2], groups=groups, clusters=groups)
    found = values(some, "ranking", "ndcg@1")
    # The group without a relevant answer counts nowhere.
    assert found["ndcg@1"] == pytest.approx((0 + 1) / 2)
    assert found["ndcg@10"] == pytest.approx((1 / log2(3) + 1) / 2)
    assert (found["mrr"], found["recall@10"], found["hit@10"]) == pytest.approx((0.75, 1.0, 1.0))
    assert tuple(found) == (*ranking.USUAL, "ndcg@1")
    assert values(rows([0, 0], [1, 2], groups=np.zeros(2, int)), "ranking") == {}
    with pytest.raises(ValueError, match="no metric"):
        ranking.values(ranking.rankings(groups, some.scores, some.labels), "auc")


def test_bad_rows_give_no_number_and_no_warning() -> None:
    assert measure(rows([], []), task="binary", metric="", threshold=0.5, level=LEVEL) == {}
    ones = values(rows([1, 1, 1], [0.9, 0.8, 0.2]), "binary")
    assert not {"auc", "specificity"} & set(ones)
    assert ones["average_precision"] == 1.0
    assert "precision" not in values(rows([0, 1], [0.1, 0.2]), "binary")  # nothing was answered yes
    margins = values(rows([0, 1], [-3.0, 5.0]), "binary")
    assert margins["auc"] == 1.0
    assert not {"log_loss", "brier"} & set(margins)  # they are no probabilities
    assert set(values(rows([2.0] * 9, [2.0] * 9), "regression")) == {
        "mae",
        "rmse",
        "mse",
        "median_error",
        "bias",
    }
    huge = values(rows([0.0, 0.0, 1.0], [1e200, 0.0, 1.0]), "regression")
    assert "rmse" not in huge  # its square is beyond the numbers
    assert huge["median_error"] == 0.0


def test_one_wild_row_leaves_the_median_where_it_was() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=2000)
    near = truth + random.normal(size=2000)
    wild = near.copy()
    wild[7] = 1e6
    day = np.arange(2000) // 100
    plain, hit = (
        measure(rows(truth, each, clusters=day), task="regression", metric="", threshold=0, level=LEVEL)
        for each in (near, wild)
    )
    assert hit["median_error"].value == pytest.approx(plain["median_error"].value, rel=0.01)
    assert hit["median_error"].upper == pytest.approx(plain["median_error"].upper, rel=0.05)
    assert hit["mae"].value > 100 * plain["mae"].value
    assert hit["mae"].lower < plain["mae"].value  # and says itself that it rests on one cluster


def test_intervals_cover_what_they_say_where_days_differ() -> None:
    """Rows of a day share its luck; intervals over rows would cover half as often."""
    random = np.random.default_rng(2)
    days, size, sets = 14, 40, 100
    day = np.repeat(np.arange(days), size)
    covered = {"accuracy": 0, "recall": 0, "f1": 0, "average_precision": 0}
    drawn_ = []
    for _ in range(sets):
        luck = random.normal(0, 1.0, days)[day]
        y = (random.random(days * size) < 0.4).astype(float)
        s = 1 / (1 + np.exp(-(random.normal(size=days * size) + 2 * y - 1 + luck)))
        drawn_.append(measure(rows(y, s, clusters=day), task="binary", metric="", threshold=0.5, level=LEVEL))
    for name in covered:
        truth = np.mean([each[name].value for each in drawn_])
        covered[name] = sum(each[name].lower <= truth <= each[name].upper for each in drawn_)
    # 90 of 100 are due, three standard errors are 9; intervals over rows would cover about 50.
    assert all(81 <= each <= 99 for each in covered.values()), covered


def test_many_clusters_are_put_together_without_changing_the_spread() -> None:
    random = np.random.default_rng(3)
    n = 30 * MOST
    user = np.arange(n) // 3
    luck = random.normal(size=n // 3)[user] + user / n  # names go with size, as ids do with age
    value = luck + random.normal(size=n)
    some = Clusters.of(user, "user")
    totals = drawn(some.sums(np.column_stack([value, np.ones(n)])))
    draws = (totals[:, 0] / totals[:, 1])[1:]
    sums = np.bincount(user, value - value.mean())
    assert draws.std() == pytest.approx(np.sqrt((sums**2).sum()) / n, rel=0.12)


def test_few_clusters_and_certain_shares_are_not_overstated() -> None:
    one = Clusters.of(np.zeros(5), "day")
    assert bootstrapped(0.5, np.full(9, 0.5), one, level=LEVEL, within=SHARE).upper == 1.0
    sure = bootstrapped(1.0, np.ones(500), Clusters.of(np.arange(20), "day"), level=LEVEL, within=SHARE)
    assert (sure.lower, sure.upper) == (pytest.approx(0.05 ** (1 / 20)), 1.0)
    lost = np.where(np.arange(500) % 5, 0.5, np.nan)
    few = bootstrapped(0.5, lost, Clusters.of(np.arange(20), "day"), level=LEVEL, within=(0.0, inf))
    assert (few.lower, few.upper) == (0.0, inf)
    assert "too few days" in few.assumption
    assert bootstrapped(np.nan, np.ones(500), one, level=LEVEL, within=SHARE) is None
